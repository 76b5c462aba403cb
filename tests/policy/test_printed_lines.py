"""Every code line in README and docs works when it is pasted, including its comment."""

from __future__ import annotations

import ast
import shlex
import subprocess

import pytest
from printed_lines import MAGICS, PRINTED, PYTHON, ROOT, SCRIPTS, SHELL, Line

from jupyter_gpuperf.benchmarks import find
from jupyter_gpuperf.cli import main_parser
from jupyter_gpuperf.commands.magic_line import words_of
from jupyter_gpuperf.commands.options import parser_of
from jupyter_gpuperf.commands.subcommands import subcommand_of
from jupyter_gpuperf.magics import (
    amp_profile,
    gpubench,
    gpudoctor,
    gpumem,
    gpumem_record,
    gpurecord,
    gpuwatch,
    speedup,
)

OTHER_MAGICS = (
    ("load_ext", ["jupyter_gpuperf"]),
    ("config", ["GpuMemMagics.explains_out_of_memory", "=", "False"]),
)
"""IPython's own, with the arguments that pages print."""


def _ids(lines: list[Line]) -> list[str]:
    return [line.place for line in lines]


def test_lines_of_every_kind_are_found():
    assert min(map(len, (MAGICS, SHELL, SCRIPTS, PYTHON))) > 1
    assert len(PRINTED) > 50


@pytest.mark.parametrize("line", MAGICS, ids=_ids(MAGICS))
def test_a_magic_understands_its_line(line):
    name, _, rest = line.text.lstrip("%").partition(" ")
    words = words_of(rest)
    match name:
        case "gpubench":
            assert subcommand_of(words) is not None or gpubench.parse(rest) is not None or not words
        case "amp_profile" | "speedup":
            {"amp_profile": amp_profile, "speedup": speedup}[name].parse(rest)
        case "gpuperf":
            assert not words
        case "gpudoctor":
            gpudoctor.parse(rest)
        case "gpuwatch":
            gpuwatch.parse(words)
        case "gpumem":
            is_record = words[:1] == ["record"]
            gpumem_record.parse(words[1:]) if is_record else gpumem.parse(words)
        case "gpurecord":
            gpurecord.parse(words[1:] if words[0] == "start" else words)
        case _:
            assert (name, words) in OTHER_MAGICS


@pytest.mark.parametrize("line", SHELL, ids=_ids(SHELL))
def test_a_command_understands_its_line(line):
    known, rest = main_parser().parse_known_args(shlex.split(line.text, comments=True)[2:])
    name = getattr(known, "name", None)
    if name in ("history", "suite"):
        assert subcommand_of([name, *rest]) is not None
    elif name is not None:
        parser_of(find(name), "bench").parse_args(rest)
    else:
        assert rest == [] or known.takes_rest


@pytest.mark.parametrize("line", SCRIPTS, ids=_ids(SCRIPTS))
def test_a_script_that_is_named_is_there(line):
    words = shlex.split(line.text, comments=True)
    subprocess.run(["bash", "-n", *words[1:2]], cwd=ROOT, check=True)


@pytest.mark.parametrize("line", PYTHON, ids=_ids(PYTHON))
def test_python_is_python(line):
    ast.parse(line.text.replace("…", "..."))
