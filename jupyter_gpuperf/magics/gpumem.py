"""``%gpumem``: who holds the device's memory, freeing what only history and last exception hold, and what fits."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.display import display
from traitlets import Bool

from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.client.memory_answers import start_memory_answers
from jupyter_gpuperf.commands.magic_line import prints_help, set_manual, words_of
from jupyter_gpuperf.commands.options import OptionParser, variable_name
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.magics.gpumem_fit import parse_fit, run_given
from jupyter_gpuperf.magics.gpumem_record import record
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated

if TYPE_CHECKING:
    from jupyter_gpuperf.client.memory_answers import MemoryAnswers
    from jupyter_gpuperf.display.batch_fit_view import BatchFitView
    from jupyter_gpuperf.display.memory_view import FreedView, MemoryView
    from jupyter_gpuperf.display.timeline_view import TimelineView
    from jupyter_gpuperf.schemas import OutOfMemory

logger = logging.getLogger(__name__)

MANUAL: Final = Message(
    """Show who holds the device's memory, by the names that you typed.

  %gpumem [--device DEVICE] [--into NAME]
                            cuda:0, …, or cpu; by default the current GPU, or the CPU if CUDA is not used
  %gpumem free [NAME …]     clear IPython's history of results and the last exception, and delete these variables;
                            say how much came free
  %gpumem fit STEP --batch LOADER [--budget-seconds 60] [--margin 5]
                            run the step, a function of a batch, at several batch sizes: peak memory, samples/s, the
                            largest that fits and leaves that percentage free; everything is restored afterwards
  %gpumem record [--steps N] [--file FILE]
                            record allocations with stacks in the next N steps (5) of a watched loop (%gpuwatch on);
                            show the memory by owner over time, and write a file for PyTorch's memory viewer
  %%gpumem record [--file FILE]
  …                         the same for the cell
  --into NAME               assign the result to this variable

After a cell ran out of memory, the reasons are shown below its traceback. To turn this off:

  %config GpuMemMagics.explains_out_of_memory = False
"""
)


@magics_class
class GpuMemMagics(Magics):  # type: ignore[misc]  # IPython is untyped
    """The class in which IPython finds ``%gpumem``."""

    explains_out_of_memory = Bool(
        True, help="Whether to show the reasons below a cell that ran out of GPU memory."
    ).tag(config=True)

    answers: MemoryAnswers | None = None
    """What answers the server's questions; ``None`` if there is no server."""

    @line_cell_magic  # type: ignore[untyped-decorator]
    @shortened_errors()
    def gpumem(
        self, line: str, cell: str | None = None
    ) -> MemoryView | FreedView | BatchFitView | TimelineView | None:
        """Show who holds the memory, or free it. :func:`register` replaces this docstring."""
        words = words_of(line)
        if prints_help(words[-1:], MANUAL):
            return None
        if words[:1] == ["record"]:
            return record(self.shell, words[1:], cell)
        if cell is not None:
            message = "Only %%gpumem record takes a cell."
            raise BadRequest("usage", message, "Use %gpumem without the cell.")
        given = parse(words)
        result: MemoryView | FreedView | BatchFitView
        if given.action == "fit":
            result = run_given(given, self.shell.user_ns)
        else:
            result = self._free(given.names) if given.action else self._memory(given.device)
        if given.into is not None:
            self.shell.user_ns[given.into] = result
        return result

    def _memory(self, device: str | None) -> MemoryView:
        from jupyter_gpuperf.client.memory import memory

        return memory(device)

    def _free(self, names: list[str]) -> FreedView:
        from jupyter_gpuperf.client.memory import Freeing
        from jupyter_gpuperf.display.numbers import format_quantity

        freeing = Freeing(names)
        cleared = list(map(translated, freeing.cleared)) or ["–"]
        size = format_quantity(freeing.promised_bytes, "bytes")
        print(translated(Message("Clearing {size}: {names}", size=size, names=cleared)))  # noqa: T201
        return freeing.run()

    def after_cell(self, result: Any) -> None:
        """Show why a cell ran out of memory, and tell the server; called by IPython after each cell."""
        failure = None
        try:
            failure = self._explained(getattr(result, "error_in_exec", None))
        except Exception:  # the cell's own error is what matters
            logger.debug("The reasons for running out of memory are not known.", exc_info=True)
        if self.answers is not None:
            self.answers.after_cell(failure)

    def _explained(self, error: BaseException | None) -> OutOfMemory | None:
        if error is None or not self.explains_out_of_memory:
            return None
        from jupyter_gpuperf.client.memory import explain, out_of_memory_in

        if (cause := out_of_memory_in(error)) is None:
            return None
        view = explain(cause)
        display(view)
        return view.data


def parse(words: list[str]) -> Any:
    """Parse a line's words into the action and its options."""
    if words[:1] == ["fit"]:
        return parse_fit(words)
    parser = OptionParser(prog="%gpumem", add_help=False, allow_abbrev=False)
    parser.add_argument("action", nargs="?", choices=("free",))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--device")
    parser.add_argument("--into", type=variable_name)
    return parser.parse_args(words)


def register(ipython: InteractiveShell) -> None:
    """Register the magic and its manual with ``ipython``, and watch for cells that run out of memory."""
    set_manual(GpuMemMagics.gpumem, MANUAL)
    if (
        GpuMemMagics.__name__ in ipython.magics_manager.registry
    ):  # reloaded: it is called after each cell already
        return
    magics = GpuMemMagics(ipython)
    ipython.register_magics(magics)
    ipython.events.register("post_run_cell", magics.after_cell)
    magics.answers = start_memory_answers()
    if magics.answers is not None:
        magics.answers.before_cell()
        ipython.events.register("pre_run_cell", magics.answers.before_cell)
