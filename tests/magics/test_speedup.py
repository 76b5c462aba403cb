"""``%%speedup`` in a real IPython."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_gpuperf.client.failures import BenchmarkError
from jupyter_gpuperf.display.history_view import history
from jupyter_gpuperf.levers.lever import Lever
from jupyter_gpuperf.magics import speedup
from jupyter_gpuperf.results.result_file import read_result

torch = pytest.importorskip("torch")

SETUP = """
import time, torch
torch.set_num_threads(1)
model = torch.nn.Linear(8, 8)
optimizer = torch.optim.AdamW(model.parameters())
batch = torch.randn(4, 8)
"""
CELL = """
for _ in range(2):
    optimizer.zero_grad()
    model(batch).square().mean().backward()
    optimizer.step()
"""


@pytest.fixture
def shell():
    shell = InteractiveShell()
    speedup.register(shell)
    shell.run_cell(SETUP).raise_error()
    yield shell
    shell.reset(new_session=False)


def test_the_answer_is_shown_returned_bound_and_kept_and_the_cell_ran_once(shell, tmp_path):
    file, page = tmp_path / "found.json", tmp_path / "found.html"
    line = f"%%speedup --time-limit-seconds 4 --into found --save {file} --html {page}"
    result = shell.run_cell(f"{line}\n{CELL}")
    result.raise_error()
    found = shell.user_ns["found"]
    assert result.result is found
    plain = found.to_dict()
    assert set(plain["speedup"]) == {"value", "low", "high"}
    assert {"before_seconds", "after_seconds", "code", "setup", "numerics", "memory"} <= set(plain)
    for lever in plain["levers"]:
        assert {"name", "speedup", "taken", "why"} <= set(lever)
        assert lever["why"]
    assert "per step" in repr(found)
    steps = [float(each["step"]) for each in shell.user_ns["optimizer"].state.values()]
    assert set(steps) == {2.0}
    (kept,) = [each for each in history("speedup").results if each.id == found.number]
    assert kept.result == found.result == read_result(file).results[0]
    assert "per step" in page.read_text()
    again = shell.run_cell(f"{line}\n{CELL}").error_in_exec
    assert again.code == "file_exists"
    if found.code:
        shell.run_cell(found.code).raise_error()


def test_the_cells_own_error_and_misuse_are_told_as_such(shell):
    assert isinstance(shell.run_cell("%%speedup\nraise KeyError('own')").error_in_exec, KeyError)
    misused = shell.run_cell("%%speedup --fast\n1").error_in_exec
    assert isinstance(misused, BenchmarkError)
    assert misused.code == "usage"
    same = shell.run_cell("%%speedup --save x.out --html x.out\n1").error_in_exec
    assert same.code == "usage"
    assert shell.run_cell("%%speedup --time-limit-seconds 0\n1").error_in_exec.code == (
        "parameter_out_of_range"
    )


def test_an_interrupt_shows_what_was_found_so_far(shell, monkeypatch, capsys):
    def without_wait(situation, code):
        return code.with_cell(code.cell.replace("time.sleep(0.02)", "pass"))

    def interrupted(situation, code):
        raise KeyboardInterrupt

    levers = (
        Lever(name="no wait", apply=without_wait),
        Lever(name="interrupted", apply=interrupted),
    )
    monkeypatch.setattr("jupyter_gpuperf.levers.search.all_levers", lambda: levers)
    cell = CELL.replace("    optimizer.step()\n", "    optimizer.step()\n    time.sleep(0.02)\n")
    result = shell.run_cell(f"%%speedup --time-limit-seconds 4\n{cell}")
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    shown = capsys.readouterr().out
    assert "Stopped. What was found so far:" in shown
    assert "✓  no wait" in shown
    assert "It was not compared with the cell as it was:" in shown
    assert "    pass\n" in shown
