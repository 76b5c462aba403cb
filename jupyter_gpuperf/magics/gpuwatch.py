"""``%gpuwatch``: show what the notebook's training loops wait for, and what its cells cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class

from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.commands.magic_line import prints_help, set_manual, words_of
from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated

# The modules for watching are imported with the first %gpuwatch, not with the extension.
if TYPE_CHECKING:
    from jupyter_gpuperf.client.cells import CellLog
    from jupyter_gpuperf.client.watch_session import WatchSession
    from jupyter_gpuperf.display.speedup_view import SpeedupView
    from jupyter_gpuperf.display.watch_report import WatchReport

MANUAL: Final = Message(
    """Watch this notebook's training loops and cells, without changing what they do.

  %gpuwatch on [--quiet]    watch all loops with a torch DataLoader or a torch optimizer, also with Lightning
                            and Accelerate; --quiet: show no line below the cells
  %gpuwatch                 show the status and limitations
  %gpuwatch report          show and return the statistics of each loop and cell
  %gpuwatch explain [--steps N]
                            profile N steps (5) of the next loop: GPU kernels, copies, gaps, synchronization
  %gpuwatch headroom LOADER STEP
                            measure STEP(batch) as if LOADER's data were free; everything is restored
  %gpuwatch off             stop, and restore torch

gpuperf.watch(loader) watches a single loader, which need not be torch's.
"""
)

ACTIONS: Final = ("on", "off", "report", "explain", "headroom", "headspace")
"""``headspace`` is the former name of ``headroom``; it will be removed after the next release."""
MOST_STEPS: Final = 50


@magics_class
class GpuWatchMagics(Magics):  # type: ignore[misc]  # IPython is untyped
    """The class in which IPython finds ``%gpuwatch``."""

    log: CellLog | None = None

    @line_magic  # type: ignore[untyped-decorator]
    @shortened_errors()
    def gpuwatch(self, line: str) -> WatchReport | SpeedupView | None:
        """Watch, report, profile or measure. :func:`register` replaces this docstring."""
        words = words_of(line)
        if prints_help(words, MANUAL):
            return None
        given = parse(words)
        return getattr(self, f"_{given.action or 'state'}")(given)  # type: ignore[no-any-return]

    def _on(self, given: Any) -> None:  # parsed options
        from jupyter_gpuperf.client.cells import CellLog

        if self.log is None:
            self.log = CellLog(self.shell, session())
            self.log.start()
            session().listeners.append(_explain_when_asked)
        self.log.quiet = given.quiet
        session().watching.watch_everything()
        session().report()
        message = "Watching training loops. %gpuwatch report shows a summary; %gpuwatch off stops."
        _print(Message(message))

    def _off(self, given: Any) -> None:
        session().stop()
        if self.log is not None:
            self.log.stop()
            self.log = None
            session().listeners.remove(_explain_when_asked)
        _print(Message("Stopped watching."))

    def _state(self, given: Any) -> WatchReport:
        from jupyter_gpuperf.client.watch_session import build_watch_report

        if self.log is None:
            return build_watch_report(session(), ())
        self.log.quiet |= given.quiet
        return build_watch_report(session(), tuple(self.log.cells) if given.action else ())

    _report = _state

    def _headroom(self, given: Any) -> SpeedupView:
        from jupyter_gpuperf.client.ab_tests import headroom

        names = given.names
        if len(names) != 2 or not all(name in self.shell.user_ns for name in names):
            message = "headroom takes two variables: the loader and the step function."
            raise BadRequest("usage", message, "Try %gpuwatch headroom train_loader train_step")
        loader, step = (self.shell.user_ns[name] for name in names)
        return headroom(loader, step, steps=given.steps or 20)

    _headspace = _headroom

    def _explain(self, given: Any) -> None:
        from jupyter_gpuperf.display.profile_view import profile_next_steps

        steps = 5 if given.steps is None else given.steps
        if not 1 <= steps <= MOST_STEPS:
            message, hint = "steps = {steps} is out of range.", "Choose from 1 to {most}."
            raise BadRequest("parameter_out_of_range", message, hint, steps=steps, most=MOST_STEPS)
        profile_next_steps(session().watching, steps)
        _print(Message("Will profile {steps} steps of the next loop.", steps=steps))


def _print(message: Message) -> None:
    print(translated(message))  # noqa: T201


def session() -> WatchSession:
    """Return this kernel's watch session."""
    from jupyter_gpuperf.client import watch_session as watching_here

    return watching_here.session()


def _explain_when_asked(word: object) -> None:
    from jupyter_gpuperf.display.profile_view import profile_next_steps
    from jupyter_gpuperf.schemas.training import ExplainNow

    if isinstance(word, ExplainNow):
        profile_next_steps(session().watching, word.steps)


def parse(words: list[str]) -> Any:
    """Parse a line's words into the action and its options."""
    parser = OptionParser(prog="%gpuwatch", add_help=False, allow_abbrev=False)
    parser.add_argument("action", nargs="?", choices=ACTIONS)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--steps", type=int)
    given = parser.parse_args(words)
    if given.names and given.action not in ("headroom", "headspace"):
        message = "Unknown argument: {argument}."
        raise BadRequest("usage", message, "See %gpuwatch?", argument=given.names[0])
    return given


def register(ipython: InteractiveShell) -> None:
    """Register the magic and its manual with ``ipython``."""
    set_manual(GpuWatchMagics.gpuwatch, MANUAL)
    ipython.register_magics(GpuWatchMagics)
