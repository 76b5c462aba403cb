"""What a check is, and what it can find. Standard library only: workers in foreign environments import this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from jupyter_gpuperf.doctor.looking.machine import Machine

Status = Literal["ok", "warn", "fail", "unknown"]

QUICK_SECONDS: Final = 5.0
IMPORTING_SECONDS: Final = 30.0
"""For what needs `import torch` or numpy: from a cold disk that alone can take twenty."""


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
    article
        Where it answers a common recipe, as ``5.1``; for the documentation.
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
    article: tuple[str, ...] = ()
    seconds: float = QUICK_SECONDS
