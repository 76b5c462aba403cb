"""``%gpubench``: list the benchmarks, run one, show and return its result."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.display import display
from IPython.utils.process import arg_split

from jupyter_gpuperf.benchmarks import BENCHMARKS, all_benchmarks, find
from jupyter_gpuperf.client.failures import BenchmarkError
from jupyter_gpuperf.client.in_process import named_object, run_on_object
from jupyter_gpuperf.client.running import run_benchmark
from jupyter_gpuperf.commands.manual import COMMON, Listing, benchmark_manual, manual, options_text
from jupyter_gpuperf.commands.options import OptionParser, flag, parser_of
from jupyter_gpuperf.commands.subcommands import SUBCOMMANDS, Asked, subcommand_of
from jupyter_gpuperf.commands.tune_options import OPTIONS as TUNE_OPTIONS
from jupyter_gpuperf.commands.tune_options import (
    TUNED,
    TuneAsked,
    add_tune_options,
    take_tune_options,
)
from jupyter_gpuperf.display import show_once as shown
from jupyter_gpuperf.display.comparison_view import Changes
from jupyter_gpuperf.display.history_view import History
from jupyter_gpuperf.display.progress import view_here
from jupyter_gpuperf.display.result import Result
from jupyter_gpuperf.display.suite_view import SuiteView
from jupyter_gpuperf.display.tuning_view import Tuned
from jupyter_gpuperf.errors import BadRequest, GpuPerfError


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A line, understood."""

    name: str
    parameters: dict[str, Any]
    subject: str | None = None
    """What stands behind the name: an object of the notebook."""
    device: str | None = None
    into: str | None = None
    local: bool = False
    baseline: bool = False
    help: bool = False
    tune: TuneAsked | None = None


def parse(line: str) -> Command | None:
    """Understand what stands behind ``%gpubench``; ``None`` where there is nothing.

    Raises
    ------
    GpuPerfError
        Unknown benchmark, unknown option, or a value of the wrong type.
    """
    words = arg_split(line, posix=True)
    if not words:
        return None
    if words[0].startswith("-") and words[0] not in ("-h", "--help"):
        raise BadRequest(
            "usage", f"The benchmark's name comes first, before {words[0]}.", "See %gpubench?"
        )
    if words[0].startswith("-"):
        return Command(name="", parameters={}, help=True)
    name, *options = words
    benchmark = find(name)
    parser = parser_of(benchmark, "%gpubench")
    if benchmark.run_on is not None:
        parser.add_argument("common.subject", nargs="?", default=None)
    if name == TUNED:
        add_tune_options(parser)
    add_common_options(parser)
    return _command(name, parser.parse_args(options))


def add_common_options(parser: OptionParser) -> None:
    """Add what every benchmark understands."""
    common = parser.add_argument_group("common")
    # Names that no parameter can have, so that a benchmark's own --device-ish option can't clash.
    common.add_argument("--device", dest="common.device", default=None)
    common.add_argument("--into", dest="common.into", default=None)
    common.add_argument("--local", dest="common.local", action="store_true", default=False)
    common.add_argument("--baseline", dest="common.baseline", action="store_true", default=False)
    common.add_argument("-h", "--help", dest="common.help", action="store_true", default=False)


def _command(name: str, parsed: argparse.Namespace) -> Command:
    tune = take_tune_options(parsed)
    values = vars(parsed)
    common = {key.removeprefix("common."): values.pop(key) for key in list(values) if "." in key}
    into = common["into"]
    if into is not None and not into.isidentifier():
        raise BadRequest(
            "usage", f"--into {into!r} is not a name.", "Give a name that a variable can have."
        )
    return Command(name=name, parameters=values, tune=tune, **common)


@magics_class
class GpuBenchMagics(Magics):  # type: ignore[misc]  # IPython is untyped
    """The magics that measure on demand."""

    @line_magic  # type: ignore[untyped-decorator]
    def gpubench(self, line: str) -> Result | Tuned | History | Changes | SuiteView | None:
        """List the benchmarks, run one or all, or show what was kept; the manual is generated, see :func:`register`."""
        try:
            if (asked := subcommand_of(arg_split(line, posix=True))) is not None:
                return self._answer(asked)
            command = parse(line)
            if command is None:
                display(Listing(all_benchmarks()))
                return None
            if command.help:
                print(help_text(command.name))  # noqa: T201  (what one asked to read)
                return None
            return self._run(command)
        except GpuPerfError as error:
            short = error if isinstance(error, BenchmarkError) else BenchmarkError.of(error)
            raise short from None

    def _answer(self, asked: Asked) -> History | Changes | SuiteView:
        answer = asked.run(view_here)
        if asked.into is not None:
            self.shell.user_ns[asked.into] = answer
        return answer

    def _run(self, command: Command) -> Result | Tuned:
        result: Result | Tuned
        if command.tune is not None:
            result = command.tune.run(
                command.subject, command.parameters, self.shell.user_ns, view_here
            )
        else:
            result = self._run_on(command) if command.subject else self._run_alone(command)
        shown.remember(result)
        if command.into is not None:
            self.shell.user_ns[command.into] = result
        return result

    def _run_alone(self, command: Command) -> Result:
        return run_benchmark(
            command.name,
            command.parameters,
            device=command.device,
            local=command.local,
            new_view=view_here,
            display_result=True,
            baseline=command.baseline,
        )

    def _run_on(self, command: Command) -> Result:
        assert command.subject is not None
        return run_on_object(
            command.name,
            named_object(command.subject, self.shell.user_ns),
            command.subject,
            command.parameters,
            new_view=view_here,
            display_result=True,
            baseline=command.baseline,
        )


def help_text(name: str) -> str:
    """Return the manual's page for one benchmark, or all of it for an empty name."""
    if not name:
        return manual(all_benchmarks())
    own = benchmark_manual(find(name))
    if name == TUNED:
        own += f"\n\n  Of LOADER, a name of the notebook:\n{options_text(TUNE_OPTIONS)}"
    return f"{own}\n\n  Of every benchmark:\n{options_text(COMMON)}"


def complete(_shell: InteractiveShell, event: Any) -> list[str]:
    """Complete the benchmark's name, then its options."""
    words = event.line[: len(event.line) - len(event.symbol)].split()
    if len(words) < 2:
        return [*(benchmark.name for benchmark in all_benchmarks()), *SUBCOMMANDS]
    try:
        benchmark = find(words[1])
    except GpuPerfError:
        return []
    own = [flag(parameter.name) for parameter in benchmark.parameters]
    tuning = TUNE_OPTIONS if words[1] == TUNED else ()
    return [*own, *(option.split()[0] for option, _ in (*tuning, *COMMON)), "--help"]


def register(ipython: InteractiveShell) -> None:
    """Give ``ipython`` the magics, their manual and their completion."""
    magic = GpuBenchMagics.gpubench
    magic.__doc__ = manual(BENCHMARKS)
    # Asked for when somebody reads it, so that other packages' benchmarks load only then.
    magic.getdoc = lambda: manual(all_benchmarks())
    ipython.register_magics(GpuBenchMagics)
    for command in ("%gpubench", "gpubench"):
        ipython.set_hook("complete_command", complete, str_key=command)
