"""What a check is, and what it can find. Standard library only: workers in foreign environments import this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from jupyter_gpuperf.checks.probes.machine import Machine

    Looks = Callable[[Machine], "Outcome"]
    Lacks = Callable[[Machine], "Outcome | None"]

Status = Literal["ok", "warn", "fail", "unknown"]

QUICK_SECONDS: Final = 5.0
IMPORTING_SECONDS: Final = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a check found.

    Parameters
    ----------
    found
        A sentence, or the reason why it is not known.
    expected
        What it should be; empty where the check's own words hold.
    fix
        What to type, for this very machine; lines to copy. With ``ok`` it is an offer.
    then
        What to know or do besides, in a sentence.
    """

    status: Status
    found: str
    expected: str = ""
    fix: str = ""
    then: str = ""


def fine(found: str, expected: str = "", *, fix: str = "", then: str = "") -> Outcome:
    """All is well; ``fix`` is an offer."""
    return Outcome(status="ok", found=found, expected=expected, fix=fix, then=then)


def suspect(found: str, expected: str = "", *, fix: str = "", then: str = "") -> Outcome:
    """It works, and costs speed, memory or trust."""
    return Outcome(status="warn", found=found, expected=expected, fix=fix, then=then)


def broken(found: str, expected: str = "", *, fix: str = "", then: str = "") -> Outcome:
    """It does not work."""
    return Outcome(status="fail", found=found, expected=expected, fix=fix, then=then)


def not_known(found: str) -> Outcome:
    """Nothing can be said here; ``found`` says why."""
    return Outcome(status="unknown", found=found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing to look at.

    Parameters
    ----------
    name
        Unique, snake_case: the ``id`` on the wire.
    label
        What is looked at, in two or three words.
    why
        Why it matters, in a sentence.
    expected
        What is right, in general.
    run
        Looks, and changes nothing. What it looks at comes from the machine given.
    link
        Where the facts come from.
    messages
        What other programs print when this is wrong: the words that people search for.
    seconds
        After this long it is not known.
    """

    name: str
    label: str
    why: str
    expected: str
    run: Callable[[Machine], Outcome]
    link: str
    messages: tuple[str, ...] = ()
    seconds: float = QUICK_SECONDS


def check(
    *, needs: tuple[Lacks, ...] = (), imports: bool = False, **declared: Any
) -> Callable[[Looks], Check]:
    """Make a :class:`Check` of the function below; its name, without the underscore, is the check's.

    Parameters
    ----------
    needs
        Each says why nothing can be said here, or ``None``; then the function is not called.
    imports
        Whether it waits for the import of torch or numpy; from a cold disk that alone can take twenty seconds.
    declared
        What :class:`Check` takes besides ``name`` and ``run``.
    """

    def declare(look: Looks) -> Check:
        def run(machine: Machine) -> Outcome:
            return next(filter(None, (lacks(machine) for lacks in needs)), None) or look(machine)

        if imports:
            declared.setdefault("seconds", IMPORTING_SECONDS)
        return Check(name=look.__name__.lstrip("_"), run=run, **declared)

    return declare
