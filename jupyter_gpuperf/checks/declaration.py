"""Declare a check and its possible outcomes. Standard library only: worker processes in other environments import it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from jupyter_gpuperf.messages import Message

if TYPE_CHECKING:
    from jupyter_gpuperf.checks.probes.machine import Machine

QUICK_SECONDS: Final = 5.0
Status = Literal["ok", "warn", "fail", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a check.

    Parameters
    ----------
    status
        ``ok``; ``warn`` if the part works, but costs speed, memory or trust; ``fail`` if it does not work; or
        ``unknown``.
    found
        What the check found, or why the result is unknown; one sentence.
    fix
        Commands or lines of Python to copy and run. With status ``ok``, running them is optional.
    then
        A further step or fact, in one sentence.
    """

    status: Status
    found: str
    fix: str = field(default="", kw_only=True)
    then: str = field(default="", kw_only=True)


def _outcome(
    status: Status, found: str, /, *, fix: str = "", then: str = "", **values: Any
) -> Outcome:
    """Return an outcome; ``values`` fill the fields of ``found`` and ``then``."""
    found, then = (Message.from_template(text, values) for text in (found, then))
    return Outcome(status, found, fix=fix, then=then)


fine = partial(_outcome, "ok")
"""Return the outcome of a check that passes; running its ``fix`` is optional."""
suspect = partial(_outcome, "warn")
"""Return the outcome for a part that works, but costs speed, memory or trust."""
broken = partial(_outcome, "fail")
"""Return the outcome for a part that does not work."""
not_known = partial(_outcome, "unknown")
"""Return the outcome of a check that can't decide here; ``found`` says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A check of the machine or of its Python environment.

    Parameters
    ----------
    name
        A unique name in snake_case; the ``id`` in reports.
    label
        What is checked, in two or three words.
    why
        Why it matters, in one sentence.
    expected
        The correct state.
    run
        A function that examines a machine and returns the outcome. It changes nothing.
    link
        The URL of a page that documents the subject.
    messages
        Error messages that other programs print when this check fails; users search for them.
    seconds
        Time limit in seconds. When it expires, the outcome is ``unknown``.
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
    """Turn the decorated function into a :class:`Check` of the same name, without the leading underscore.

    Parameters
    ----------
    needs
        Functions that are called with the machine before the check. Each returns the next argument of the decorated
        function, ``None`` to add no argument, or an outcome that says why there is nothing to check. In the last
        case, that outcome is the result, and the decorated function is not called.
    declared
        The fields of :class:`Check` except ``name`` and ``run``.
    """

    def declare(examine: Callable[..., Outcome]) -> Check:
        def run(machine: Machine) -> Outcome:
            arguments = []
            for need in needs:
                argument = need(machine)
                if isinstance(argument, Outcome):
                    return argument
                arguments += [] if argument is None else [argument]
            return examine(machine, *arguments)

        return Check(name=examine.__name__.lstrip("_"), run=run, **declared)

    return declare
