"""``%gpuwatch``: show what the notebook's training loops wait for, and what its cells cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class

from jupyter_gpuperf.client.failures import in_short
from jupyter_gpuperf.commands.magic_line import words_of
from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.errors import BadRequest

# The modules for watching are imported with the first %gpuwatch, not with the extension.
if TYPE_CHECKING:
    from jupyter_gpuperf.client.cells import CellLog
    from jupyter_gpuperf.client.watch_session import Session
    from jupyter_gpuperf.display.speedup_view import SpeedupView
    from jupyter_gpuperf.display.watch_report import Report

MANUAL: Final = """Watch this notebook's training loops and cells; they run as if nothing was there.

  %gpuwatch on [--quiet]    every torch DataLoader, in plain loops, Lightning and Accelerate alike;
                            --quiet: no line below the cells
  %gpuwatch                 how it stands, and what it can't see
  %gpuwatch report          each loop and each cell so far; returns it
  %gpuwatch explain [--steps N]
                            profile N steps (5) of the next loop: kernels, copies, gaps, synchronisation
  %gpuwatch headroom LOADER STEP
                            how fast STEP(batch) would be if LOADER's data were free; all is put back
  %gpuwatch off             leave torch as it was

gpuperf.watch(loader) watches one loader alone, also one that is not torch's.
"""

ACTIONS: Final = ("on", "off", "report", "explain", "headroom", "headspace")
"""The last one is the former name of headroom; it will be removed after the next release."""
MOST_STEPS: Final = 50


@magics_class
class GpuWatchMagics(Magics):  # type: ignore[misc]  # IPython is untyped
    """The magic that watches."""

    log: CellLog | None = None

    @line_magic  # type: ignore[untyped-decorator]
    @in_short()
    def gpuwatch(self, line: str) -> Report | SpeedupView | None:
        """Watch; see :data:`MANUAL`."""
        given = parse(words_of(line))
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
        print(  # noqa: T201
            "Watching every torch DataLoader of this notebook. %gpuwatch report sums up; "
            "%gpuwatch off ends it."
        )

    def _off(self, given: Any) -> None:
        session().stop()
        if self.log is not None:
            self.log.stop()
            self.log = None
            session().listeners.remove(_explain_when_asked)
        print("Nothing is watched any more.")  # noqa: T201

    def _state(self, given: Any) -> Report:
        from jupyter_gpuperf.client.watch_session import report_of

        if self.log is not None and given.quiet:
            self.log.quiet = True
        return report_of(session(), ())

    def _report(self, given: Any) -> Report:
        from jupyter_gpuperf.client.watch_session import report_of

        return report_of(session(), () if self.log is None else tuple(self.log.cells))

    def _headroom(self, given: Any) -> SpeedupView:
        from jupyter_gpuperf.client.ab_tests import headroom

        names = given.names
        if len(names) != 2 or not all(name in self.shell.user_ns for name in names):
            message = "headroom takes two variables: the loader, and the function that is its step."
            hint = "For example %gpuwatch headroom train_loader train_step."
            raise BadRequest("usage", message, hint)
        loader, step = (self.shell.user_ns[name] for name in names)
        return headroom(loader, step, steps=given.steps or 20)

    _headspace = _headroom

    def _explain(self, given: Any) -> None:
        from jupyter_gpuperf.display.profile_view import arm

        steps = 5 if given.steps is None else given.steps
        if not 1 <= steps <= MOST_STEPS:
            message, hint = f"steps = {steps} is out of range.", f"Give from 1 to {MOST_STEPS}."
            raise BadRequest("parameter_out_of_range", message, hint)
        arm(session().watching, steps)
        print(f"{steps} steps of the next loop will be profiled.")  # noqa: T201


def session() -> Session:
    """Return this kernel's watch session."""
    from jupyter_gpuperf.client import watch_session as watching_here

    return watching_here.session()


def _explain_when_asked(word: object) -> None:
    from jupyter_gpuperf.display.profile_view import arm
    from jupyter_gpuperf.schemas.training import ExplainNow

    if isinstance(word, ExplainNow):
        arm(session().watching, word.steps)


def parse(words: list[str]) -> Any:
    """Return the action and the options in a line's words."""
    parser = OptionParser(prog="%gpuwatch", add_help=False, allow_abbrev=False)
    parser.add_argument("action", nargs="?", choices=ACTIONS)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--steps", type=int)
    given = parser.parse_args(words)
    if given.names and given.action not in ("headroom", "headspace"):
        raise BadRequest("usage", f"{given.names[0]!r} is not understood.", "See %gpuwatch?")
    return given


def register(ipython: InteractiveShell) -> None:
    """Register the magic and its manual with ``ipython``."""
    GpuWatchMagics.gpuwatch.__doc__ = MANUAL
    ipython.register_magics(GpuWatchMagics)
