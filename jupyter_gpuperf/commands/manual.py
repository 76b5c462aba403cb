"""The list of benchmarks and the manual, generated from the benchmarks' declarations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_gpuperf.benchmarks.declaration import Benchmark
from jupyter_gpuperf.commands.options import Option, option_of, variable_name
from jupyter_gpuperf.display.blocks import Block, Line, Table
from jupyter_gpuperf.display.document import Displayed
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.columns import wrapped
from jupyter_gpuperf.messages.translator import translated

USAGE: Final = Message(
    """\
Measure the performance of this machine, in a worker process.

  %gpubench                          list the benchmarks
  %gpubench NAME [--option value …]  run one; show and return its result (also as _)
  %gpubench dataloader LOADER        measure a loader or dataset of this notebook, in its own process
  %gpubench dataloader LOADER --tune find its best settings: workers, prefetch, pinning, …
  %gpubench NAME --help              show its options
  %gpubench NAME --baseline          run it, and compare with the baseline or the previous run
  %gpubench history [NAME]           list stored results; --baseline NUMBER makes one the baseline
  %gpubench suite [--save FILE]      run all benchmarks that fit this machine, in rounds
  %gpubench compare BEFORE AFTER     compare two suite files

The worker runs this notebook's Python. This kernel's Jupyter server starts it, and the panel shows the run,
too. In plain IPython, this process starts the worker. Interrupt the cell to cancel.
"""
)

SHELL_USAGE: Final = Message(
    """\
Measure the performance of this machine, in a worker process.

  jupyter gpuperf bench                          list the benchmarks
  jupyter gpuperf bench NAME [--option value …]  run one
  jupyter gpuperf bench NAME --help              show its options
  jupyter gpuperf bench suite [--save FILE]      run all benchmarks that fit this machine, in rounds
  jupyter gpuperf bench history [NAME]           list stored results; --baseline NUMBER makes one the baseline
"""
)

SHELL_OPTIONS: Final = (
    Option("--device UUID|INDEX", Message("the device to run on; by default the first"), str),
    Option("--json", Message("print the result as JSON")),
)
"""The options of every benchmark in a shell, as :data:`COMMON_OPTIONS` in a notebook."""

COMMON_OPTIONS: Final = (
    Option("--device UUID|INDEX", Message("the device to run on; by default the first"), str),
    Option("--into NAME", Message("assign the result to this variable"), variable_name),
    Option("--local", Message("start the worker from this process, not from the server")),
    Option("--baseline", Message("compare with the baseline, or with the previous run")),
)

PAGE_WIDTH: Final = 84


@dataclass(frozen=True, repr=False)
class BenchmarkList(Displayed):
    """The list of benchmarks, one per line."""

    benchmarks: Sequence[Benchmark]
    program: str = "%gpubench"

    def blocks(self) -> Iterator[Block]:
        """Yield a row per benchmark."""
        rows = [(f"{self.program} {each.name}", summary_of(each)) for each in self.benchmarks]
        yield Table(rows, looks=("code", "label"))
        hint = Message("{program} NAME --help shows the options.", program=self.program)
        yield Line(hint, "quiet")


def manual(benchmarks: Sequence[Benchmark]) -> str:
    """Return the whole manual, as shown by ``%gpubench?``."""
    own = [f"{benchmark_manual(each)}\n" for each in benchmarks]
    title = translated(Message("Options of every benchmark:"))
    return "\n".join([translated(USAGE), title, options_text(COMMON_OPTIONS), "", *own])


def summary_of(benchmark: Benchmark) -> str:
    """Return a benchmark's label and help as one sentence."""
    label, text = map(Message.from_template, (benchmark.label, benchmark.help))
    return Message("{name}: {text}", name=label, text=text) if label and text else label or text


def benchmark_manual(benchmark: Benchmark, program: str = "%gpubench") -> str:
    """Return the manual page of one benchmark."""
    summary, indent = translated(summary_of(benchmark)), "  "
    about = wrapped(summary, PAGE_WIDTH, initial_indent=indent, subsequent_indent=indent)
    options = [option_of(each) for each in benchmark.parameters]
    return "\n".join([f"{program} {benchmark.name}", *about, options_text(options)])


def benchmark_page(
    benchmark: Benchmark, common: Sequence[Option], program: str = "%gpubench"
) -> str:
    """Return the manual page of one benchmark, with the options that every benchmark has."""
    own = benchmark_manual(benchmark, program)
    return f"{own}\n\n  {translated(Message('For every benchmark:'))}\n{options_text(common)}"


def options_text(options: Sequence[Option]) -> str:
    """Return options and their meanings in two columns."""
    width = max((len(each.usage) for each in options), default=0)
    return "\n".join(
        line
        for each in options
        for line in wrapped(
            f"{each.usage:<{width}}  {translated(each.meaning)}",
            PAGE_WIDTH,
            initial_indent="    ",
            subsequent_indent=" " * (width + 6),
            break_on_hyphens=False,
        )
    )
