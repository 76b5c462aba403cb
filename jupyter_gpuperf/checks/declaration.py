"""What a check is, and what it can find. Standard library only: workers in foreign environments import this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from jupyter_gpuperf.checks.probes.machine import Machine

QUICK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found.

    Parameters
    ----------
    found
        A sentence, or the reason why it is not known.
    fix
        What to type, for this very machine; lines to copy. With ``ok`` it is an offer.
    then
        What to know or do besides, in a sentence.
    """

    status: Literal["ok", "warn", "fail", "unknown"]
    found: str
    fix: str = ""
    then: str = ""


fine = partial(Outcome, "ok")
"""All is well; ``fix`` is an offer."""
suspect = partial(Outcome, "warn")
"""It works, and costs speed, memory or trust."""
broken = partial(Outcome, "fail")
"""It does not work."""
not_known = partial(Outcome, "unknown")
"""Nothing can be said here; what is found says why."""


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
        What is right.
    run
        Looks, and changes nothing. What it looks at comes from the machine given.
    link
        Where the facts come from.
    messages
        What other programs print when this is wrong: the words that people search for.
    seconds
        After this long the outcome is unknown.
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
    *needs: Callable[[Machine], Any], **declared: Any
) -> Callable[[Callable[..., Outcome]], Check]:
    """Make a :class:`Check` of the function below; its name, without the underscore, is the check's.

    Parameters
    ----------
    needs
        Each returns what the function takes besides the machine, ``None`` for nothing, or the outcome that
        says why there is nothing to look at; then the function is not called.
    declared
        What :class:`Check` takes besides ``name`` and ``run``.
    """

    def declare(look: Callable[..., Outcome]) -> Check:
        def run(machine: Machine) -> Outcome:
            given = []
            for need in needs:
                found = need(machine)
                if isinstance(found, Outcome):
                    return found
                given += [] if found is None else [found]
            return look(machine, *given)

        return Check(name=look.__name__.lstrip("_"), run=run, **declared)

    return declare
