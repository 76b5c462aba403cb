"""One result as a file: an answer of ``%%speedup`` that is shared, and compared with one of another image."""

from __future__ import annotations

import math

import msgspec
import pytest
from found_speedup import found_speedup, nothing_taken

from jupyter_gpuperf.client.in_process_progress import shortened
from jupyter_gpuperf.client.speedup_as_result import speedup_as_result
from jupyter_gpuperf.commands.subcommands import subcommand_of
from jupyter_gpuperf.display.cell_speedup import CellSpeedup
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.levers.options import SpeedupOptions
from jupyter_gpuperf.results.result_file import read_result, write_result
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.schemas import encode

OPTIONS = SpeedupOptions()


def result(source="the cell", **changes):
    return speedup_as_result(found_speedup(**changes), OPTIONS, source)


@pytest.fixture
def compared(tmp_path):
    """Compare two results at a limit of 5 %."""

    def compare(before, after):
        for name, content in (("before", before), ("after", after)):
            write_result(tmp_path / f"{name}.json", content)
        names = [str(tmp_path / f"{each}.json") for each in ("before", "after")]
        return subcommand_of(["compare", *names, "--fail-if-slower", "5"]).run(None)

    return compare


def test_a_saved_answer_is_read_as_it_was(tmp_path):
    path = tmp_path / "found.json"
    found = found_speedup()
    CellSpeedup(found, speedup_as_result(found, OPTIONS, "x")).save(path)
    (read,) = read_result(path).results
    assert read == speedup_as_result(found, OPTIONS, "x")
    assert read.speedup.code == "import torch\n\nloss.backward()"
    assert read.speedup.losses.after == [2.0, 1.5, 1.2]
    with pytest.raises(BadRequest, match="already exists"):
        CellSpeedup(found, read).save(path)


def test_an_answer_is_stored_even_if_its_losses_are_not_finite(tmp_path):
    store = ResultStore(tmp_path / "results.sqlite")
    number = store.add(result(losses=(1.0, math.inf, math.nan)), 1.0)
    kept = store.get(number).result.speedup
    assert kept.losses.before == [1.0, None, None]
    number = store.add(speedup_as_result(nothing_taken(), OPTIONS, "x"), 2.0)
    kept = store.get(number).result
    assert kept.speedup.losses is None
    assert kept.speedup.code == ""
    assert kept.environment["levers"] is None


def test_two_images_are_compared_before_and_after(compared):
    image = {"device_name": "NVIDIA H200", "torch": "2.12.0"}
    view = compared(result(), result(step_ms=(412.0, 240.0), environment=image))
    verdicts = {each.figure: each.verdict for each in view.data.figures}
    assert verdicts["after_seconds"] == "worse"
    assert verdicts["before_seconds"] == "same"
    assert "speedup" not in verdicts  # follows from the two times: a faster cell would lower it
    assert view.gate.status == "worse"
    assert [each.name for each in view.data.environment] == ["torch"]
    assert "The intervals are of one run each" in repr(view)


def test_other_cells_are_not_compared(compared):
    view = compared(result(), result("another cell"))
    assert view.gate.status == "unknown"
    assert view.data.figures == []


def test_what_the_panel_downloads_is_compared_too(compared):
    """Without samples, so that the speedup is among the figures: more is better."""
    view = compared(shortened(result()), shortened(result(step_ms=(412.0, 103.0))))
    verdicts = {each.figure: each.verdict for each in view.data.figures}
    assert verdicts["speedup"] == "better"
    assert "4.00\u00a0×" in repr(view)


def test_what_the_panel_gets_fits_into_a_line():
    long = result(losses=[0.123456789] * 5000, code="x = 1\n" * 3000)
    short = shortened(long)
    assert len(encode(short)) < 1 << 14
    assert short.speedup.code == ""
    assert short.speedup.sentence == long.speedup.sentence


@pytest.mark.parametrize("content", [b'{"benchmark": "speedup"}', b'{"benchmark": ["x"]}', b"\xff"])
def test_a_file_that_is_no_result_is_refused(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(BadRequest) as error:
        subcommand_of(["compare", str(path), str(path)]).run(None)
    assert error.value.code in {"not_a_result", "not_a_suite"}


def test_levers_keep_their_sentences_for_translation():
    plain = msgspec.json.decode(encode(result()))
    levers = plain["speedup"]["levers"]
    assert [each["taken"] for each in levers] == [False, True, False]
    assert levers[1]["speedup_so_far"] == 2.0
    assert plain["speedup"]["sentence_message"]["parameters"]["levers"] == ["bf16"]
