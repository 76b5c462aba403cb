"""``%gpubench``: list the benchmarks, run one, show and return its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.display import display

from jupyter_gpuperf.benchmarks import all_benchmarks, find
from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.client.in_process import named_object, run_on_object
from jupyter_gpuperf.client.running import run_benchmark
from jupyter_gpuperf.commands.magic_line import words_of
from jupyter_gpuperf.commands.manual import (
    COMMON_OPTIONS,
    USAGE,
    BenchmarkList,
    benchmark_page,
    manual,
    options_text,
)
from jupyter_gpuperf.commands.options import add_options, option_of, parser_of, take_options
from jupyter_gpuperf.commands.subcommands import SUBCOMMANDS, SubcommandResult, subcommand_of
from jupyter_gpuperf.commands.tune_options import OPTIONS as TUNE_OPTIONS
from jupyter_gpuperf.commands.tune_options import TUNABLE_BENCHMARK, tune, tuning_of
from jupyter_gpuperf.display import show_once as shown
from jupyter_gpuperf.display.progress import best_view
from jupyter_gpuperf.display.result import Result
from jupyter_gpuperf.display.tuning_view import TuningView
from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A parsed line that is not a subcommand."""

    name: str
    parameters: dict[str, Any]
    subject: str | None = None
    """The name of an object of the notebook to measure; ``None`` for the benchmark's own data."""
    device: str | None = None
    into: str | None = None
    local: bool = False
    baseline: bool = False
    help: bool = False
    tuning: dict[str, Any] | None = None


def parse(line: str) -> Command | None:
    """Parse the text after ``%gpubench``; return ``None`` if it is empty.

    Raises
    ------
    GpuPerfError
        Unknown benchmark, unknown option, or a value of the wrong type.
    """
    words = words_of(line)
    if not words:
        return None
    if words[0] in ("-h", "--help"):
        return Command(name="", parameters={}, help=True)
    name, *options = words
    if name.startswith("-"):
        message = "The benchmark's name must come before {option}."
        raise BadRequest("usage", message, "See %gpubench?", option=name)
    benchmark = find(name)
    parser = parser_of(benchmark, "%gpubench")
    if benchmark.run_on is not None:
        parser.add_argument("common.subject", nargs="?", default=None)
    if name == TUNABLE_BENCHMARK:
        add_options(parser, TUNE_OPTIONS, "tune.")
    add_options(parser, COMMON_OPTIONS, "common.")
    parser.add_argument("-h", "--help", dest="common.help", action="store_true")
    parsed = parser.parse_args(options)
    tuning, common = tuning_of(take_options(parsed, "tune.")), take_options(parsed, "common.")
    return Command(name=name, parameters=vars(parsed), tuning=tuning, **common)


@magics_class
class GpuBenchMagics(Magics):  # type: ignore[misc]  # IPython is untyped
    """The class in which IPython finds ``%gpubench``."""

    @line_magic  # type: ignore[untyped-decorator]
    @shortened_errors()
    def gpubench(self, line: str) -> Result | TuningView | SubcommandResult | None:
        """List the benchmarks, run one or all, or show stored results. :func:`register` replaces this docstring."""
        if (asked := subcommand_of(words_of(line))) is not None:
            return self._assign_into(asked.run(best_view), asked.into)
        command = parse(line)
        if command is None:
            display(BenchmarkList(all_benchmarks()))
            return None
        if command.help:
            print(help_text(command.name))  # noqa: T201  (the user asked for the manual)
            return None
        result = self._run(command)
        shown.mark_shown(result)
        return self._assign_into(result, command.into)

    def _assign_into(self, answer: T, into: str | None) -> T:
        if into is not None:
            self.shell.user_ns[into] = answer
        return answer

    def _run(self, command: Command) -> Result | TuningView:
        name, parameters, subject = command.name, command.parameters, command.subject
        names = self.shell.user_ns
        if command.tuning is not None:
            return tune(command.tuning, subject, parameters, names, best_view)
        options: dict[str, Any] = {"display_result": True, "baseline": command.baseline}
        if subject:
            found = named_object(subject, names)
            return run_on_object(name, found, subject, parameters, new_view=best_view, **options)
        options |= {"device": command.device, "local": command.local}
        return run_benchmark(name, parameters, new_view=best_view, **options)


def help_text(name: str) -> str:
    """Return the manual page of one benchmark, or the whole manual for an empty name."""
    if not name:
        return manual(all_benchmarks())
    page = benchmark_page(find(name), COMMON_OPTIONS)
    if name == TUNABLE_BENCHMARK:
        title = translated(Message("For LOADER, a variable of the notebook:"))
        page += f"\n\n  {title}\n{options_text(TUNE_OPTIONS)}"
    return page


def complete(_shell: InteractiveShell, event: Any) -> list[str]:
    """Complete the benchmark's name, then its options."""
    words = event.line[: len(event.line) - len(event.symbol)].split()
    if len(words) < 2:
        return [*(benchmark.name for benchmark in all_benchmarks()), *SUBCOMMANDS]
    try:
        benchmark = find(words[1])
    except GpuPerfError:
        return []
    tuning = TUNE_OPTIONS if words[1] == TUNABLE_BENCHMARK else ()
    options = (*map(option_of, benchmark.parameters), *tuning, *COMMON_OPTIONS)
    return [*(each.flag for each in options), "--help"]


def register(ipython: InteractiveShell) -> None:
    """Register the magics, their manual and their completion with ``ipython``."""
    magic = GpuBenchMagics.gpubench
    magic.__doc__ = USAGE
    # Built only when it is read, so that other packages' benchmarks are not imported earlier.
    magic.getdoc = lambda: manual(all_benchmarks())
    ipython.register_magics(GpuBenchMagics)
    for command in ("%gpubench", "gpubench"):
        ipython.set_hook("complete_command", complete, str_key=command)
