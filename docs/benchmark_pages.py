"""Generate a page for each benchmark: its declaration, and the hand-written notes in ``docs/benchmarks``."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from typing import Final

from jupyter_gpuperf.benchmarks import BENCHMARKS, Benchmark, Parameter
from jupyter_gpuperf.commands.options import option_of

NOTES: Final = Path(__file__).parent / "benchmarks"
"""A file per benchmark: its method, its figures, and what to expect. GitHub shows it without the declaration."""


def write_benchmark_pages(folder: Path) -> None:
    """Write all pages into ``folder``."""
    folder.mkdir(parents=True)
    for benchmark in BENCHMARKS:
        (folder / f"{benchmark.name}.md").write_text(benchmark_page(benchmark))


def benchmark_page(benchmark: Benchmark) -> str:
    """Return one benchmark's page."""
    path = NOTES / f"{benchmark.name}.md"
    examples, method, rest = parts_of(path.read_text() if path.exists() else "")
    commands = [f"{each} {benchmark.name}" for each in ("%gpubench", "jupyter gpuperf bench")]
    parts = [
        f"# {benchmark.label}",
        benchmark.help,
        "\n".join(f"    {line}" for line in dict.fromkeys([*commands, *examples])),
        facts_of(benchmark),
        method,
        "## Parameters",
        parameters_table(benchmark),
        rest,
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def parts_of(notes: str) -> tuple[list[str], str, str]:
    """Return the commands of notes, the text after them, and the sections; the title is that of the declaration."""
    lines = notes.strip().splitlines()[2:]
    commands = list(takewhile(lambda line: line.startswith("    "), lines))
    text = from_folder("\n".join(lines[len(commands) :]))
    method, heading, sections = text.partition("\n## ")
    return [line.strip() for line in commands], method.strip(), f"{heading}{sections}".strip()


def facts_of(benchmark: Benchmark) -> str:
    """Return what a run needs and uses, in sentences."""
    needs = ", ".join(f"`{each}`" for each in benchmark.requires)
    facts = [f"It needs {needs} in the kernel's environment." if needs else ""]
    facts.append("It uses all GPUs of the machine." if benchmark.all_devices else "")
    if benchmark.run_on is not None:
        facts.append(
            f"`%gpubench {benchmark.name} NAME` measures an object of the notebook, in its process."
        )
    return " ".join(filter(None, facts))


def parameters_table(benchmark: Benchmark) -> str:
    """Return the table of all parameters."""
    lines = ["| parameter | type | default | values | meaning |", "| --- | --- | --- | --- | --- |"]
    for each in benchmark.parameters:
        option = option_of(each).usage.split(" ")[0].replace("/", "` `")
        default = f"`{each.default}`" if each.default != "" else "empty"
        cells = (f"`{option}`", each.type, default, values_of(each), each.help)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def values_of(parameter: Parameter) -> str:
    """Return a parameter's choices or bounds."""
    if parameter.choices:
        return ", ".join(f"`{each}`" for each in parameter.choices)
    if parameter.minimum is None or parameter.maximum is None:
        return ""
    return f"{parameter.minimum:.15g} to {parameter.maximum:.15g}"


def from_folder(text: str) -> str:
    """Return text of the notes with links that hold in the folder of the pages."""
    text = text.replace("](../", "](/").replace("](index.md", "](/benchmarks/index.md")
    return linked_pages(text)


def linked_pages(text: str) -> str:
    """Return text in which links to notes lead to the pages."""
    names = "|".join(each.name for each in BENCHMARKS)
    return re.sub(rf"\]\((?:/?benchmarks/)?({names})\.md", r"](/reference/benchmarks/\1.md", text)
