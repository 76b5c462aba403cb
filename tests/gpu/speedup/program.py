"""A training cell as its author wrote it, and the faster versions that an expert writes by hand with the same levers."""

from __future__ import annotations

import textwrap
from typing import NamedTuple


class Version(NamedTuple):
    """One way to write the same training.

    Attributes
    ----------
    setup
        Runs once before the cell, after the program's own setup.
    cell
        The whole cell.
    """

    name: str
    setup: str
    cell: str


class Program(NamedTuple):
    """A program of two cells.

    Attributes
    ----------
    setup
        Imports, data, model, optimizer.
    cell
        What is to become faster; it runs several steps.
    samples
        What one run of the cell processes.
    unit
        What is counted: images, tokens, graphs.
    by_hand
        Faster versions; the best of them is what a search is held against.
    """

    name: str
    setup: str
    cell: str
    samples: int
    unit: str
    by_hand: tuple[Version, ...]

    @property
    def as_it_was(self) -> Version:
        """The program as its author wrote it."""
        return Version("as it was", "", self.cell)


def code(text: str) -> str:
    """Return code without the indentation of the file that holds it."""
    return textwrap.dedent(text).strip() + "\n"


COMPILED = "model = torch.compile(model)\n"
TF32 = "torch.set_float32_matmul_precision('high')\n"
CUDNN = "torch.backends.cudnn.benchmark = True\n"
CHANNELS_LAST = "model = model.to(memory_format=torch.channels_last)\n"
BF16 = "with torch.autocast('cuda', torch.bfloat16):"


def in_bf16(cell: str, *lines: str) -> str:
    """Return a cell in which these lines run under bf16 autocast; each is given without its indentation."""
    found = []
    for line in cell.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        if line.strip() in lines:
            found += [f"{indent}{BF16}", f"{indent}    {line.strip()}"]
        else:
            found.append(line)
    assert sum(each.strip() == BF16 for each in found) >= len(lines), "a line is not in the cell"
    return "\n".join(found) + "\n"
