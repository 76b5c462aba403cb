"""What a check is, and its possible outcomes. Standard library only: workers in foreign environments import this."""

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
    found
        What the check found, or why the result is unknown; one sentence.
    fix
        Commands to copy and run on this machine. With status ``ok`` they are optional.
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
"""Return that all is well; ``fix`` is optional."""
suspect = partial(_outcome, "warn")
"""Return that it works, but costs speed, memory or trust."""
broken = partial(_outcome, "fail")
"""Return that it does not work."""
not_known = partial(_outcome, "unknown")
"""Return that the check can't decide here; ``found`` says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One check.

    Parameters
    ----------
    name
        Unique, snake_case: the ``id`` on the wire.
    label
        What is checked, in two or three words.
    why
        Why it matters, in one sentence.
    expected
        The correct state.
    run
        Examines the given machine and returns the outcome. It changes nothing.
    link
        The source of the facts.
    messages
        Error messages that other programs print when this is wrong: the words that people search for.
    seconds
        Time limit in seconds; after it the outcome is unknown.
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
    """Decorate a function as a :class:`Check`, named like the function without its leading underscore.

    Parameters
    ----------
    needs
        Each is called with the machine. It returns the next argument of the function, ``None`` for no argument,
        or an outcome that says why there is nothing to check; then the function is not called.
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
