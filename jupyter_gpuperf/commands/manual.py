"""The list of benchmarks and the manual, generated from the benchmarks' declarations."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_gpuperf.benchmarks.declaration import Benchmark
from jupyter_gpuperf.commands.options import Option, option_of, variable_name
from jupyter_gpuperf.display.document import Block, Displayed, Line, Table

USAGE: Final = """\
Measure, in a worker process, what this machine can do.

  %gpubench                          list the benchmarks
  %gpubench NAME [--option value …]  run one; it is shown, and returned (so it is _)
  %gpubench dataloader LOADER        a loader or data set of this notebook, measured in its own process
  %gpubench dataloader LOADER --tune finds its settings: workers, prefetch, pinning, …
  %gpubench NAME --help              its options
  %gpubench NAME --baseline          run it, and hold it against the baseline or the last one like it
  %gpubench history [NAME]           what was kept; --baseline NUMBER makes one the baseline
  %gpubench suite [--save FILE]      all that fits this machine, in rounds
  %gpubench compare BEFORE AFTER     two files of suites: what differs, what got better or worse

The worker runs this notebook's Python. The Jupyter server that started this kernel starts it, so it
shows in the panel too; in a plain IPython it is started from here. Interrupt the cell to cancel.
"""

COMMON: Final = (
    Option("--device UUID|INDEX", "the device to run on; without it the first", str),
    Option("--into NAME", "bind the result to this name", variable_name),
    Option("--local", "run it from here, not from the server"),
    Option("--baseline", "hold it against the baseline, or against the last result like it"),
)

WIDTH: Final = 84


@dataclass(frozen=True, repr=False)
class Listing(Displayed):
    """The list of benchmarks, one per line."""

    benchmarks: Sequence[Benchmark]
    program: str = "%gpubench"

    def blocks(self) -> Iterator[Block]:
        """Yield a row per benchmark."""
        rows = [(f"{self.program} {each.name}", _summary(each)) for each in self.benchmarks]
        yield Table(rows, looks=("code", "label"))
        yield Line(f"{self.program} NAME --help shows a benchmark's options.", "quiet")


def manual(benchmarks: Sequence[Benchmark]) -> str:
    """Return the whole manual, as shown by ``%gpubench?``."""
    pages = [f"{benchmark_manual(each)}\n" for each in benchmarks]
    return "\n".join([USAGE, "Options of every benchmark:", options_text(COMMON), "", *pages])


def benchmark_manual(benchmark: Benchmark, program: str = "%gpubench") -> str:
    """Return the manual page of one benchmark."""
    about = textwrap.fill(_summary(benchmark), WIDTH, initial_indent="  ", subsequent_indent="  ")
    options = [option_of(each) for each in benchmark.parameters]
    return f"{program} {benchmark.name}\n{about}\n{options_text(options)}"


def options_text(options: Sequence[Option]) -> str:
    """Return options and their meaning in two columns."""
    width = max((len(each.usage) for each in options), default=0)
    return "\n".join(
        textwrap.fill(
            f"{each.usage:<{width}}  {each.meaning}",
            WIDTH,
            initial_indent="    ",
            subsequent_indent=" " * (width + 6),
            break_on_hyphens=False,
        )
        for each in options
    )


def _summary(benchmark: Benchmark) -> str:
    return f"{benchmark.label}: {benchmark.help}" if benchmark.help else benchmark.label
