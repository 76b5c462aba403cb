"""The search in slices finds the same as the one at once, and leaves nothing behind."""

from __future__ import annotations

import gc
import multiprocessing
import threading

import msgspec
import pytest
from IPython import get_ipython

from jupyter_gpuperf.client.memory_answers import LONGEST_BYTES, fitting
from jupyter_gpuperf.device_memory.last_references import release_parked
from jupyter_gpuperf.device_memory.notebook import Notebook
from jupyter_gpuperf.device_memory.pace import AT_ONCE, LARGE, InSlices
from jupyter_gpuperf.device_memory.report import memory_report
from jupyter_gpuperf.device_memory.undisturbed import undisturbed
from jupyter_gpuperf.schemas import MemoryOwner, MemoryReport, encode

torch = pytest.importorskip("torch")
LARGE_CONTAINERS = f"""
many = [(i, [i]) for i in range({2 * LARGE})]
many[{LARGE + 7}] = torch.zeros(N)
by_name = {{f"n{{i}}": i for i in range({2 * LARGE})}}
by_name["late"] = torch.zeros(2 * N)
row = (*range({2 * LARGE}), torch.zeros(3 * N))
"""


def report(pace=AT_ONCE):
    view = memory_report(Notebook(get_ipython()), "cpu", pace)
    found = msgspec.json.decode(encode(view))
    return [each for each in found["owners"] if each["bytes"] >= 300_000], found["notes"]


def test_what_large_containers_hold_has_the_same_names_in_slices(cells):
    cells.run(LARGE_CONTAINERS)
    at_once, _ = report()
    assert {each["name"]: each["holders"] for each in at_once} == {
        "many": [f"many[{LARGE + 7}]"],
        "by_name": ["by_name['late']"],
        "row": [f"row[{2 * LARGE}]"],
    }
    in_slices, notes = report(InSlices(reads_everything=True))
    assert in_slices == at_once
    assert notes == []


def test_containers_may_change_during_the_search(cells):
    cells.run(LARGE_CONTAINERS)
    names, ended = cells.shell.user_ns, threading.Event()

    def change():
        index = 0
        while not ended.is_set():
            index += 1
            names["by_name"][f"x{index}"] = [index]
            names["by_name"].pop(f"x{index - 1}", None)
            names["many"].append(index)
            names["many"].pop()

    other = threading.Thread(target=change)
    other.start()
    try:
        for _ in range(5):
            found, _ = report(InSlices(reads_everything=True))
            assert {each["name"] for each in found} == {"many", "by_name", "row"}
    finally:
        ended.set()
        other.join()


class Resting(InSlices):
    """Knows when it pauses."""

    is_resting = False

    def pause(self):
        self.is_resting = True
        super().pause()
        self.is_resting = False


def test_a_cell_s_garbage_is_collected_during_the_search(cells, monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.device_memory.pace.COLLECT_SECONDS", 0.0)
    cells.run(LARGE_CONTAINERS)
    pace, collected = Resting(reads_everything=True), threading.Event()

    def note(phase, _info):
        if pace.is_resting:
            collected.set()

    def search():
        while not collected.is_set():
            report(pace)

    other = threading.Thread(target=search)
    gc.callbacks.append(note)
    try:
        other.start()
        while other.is_alive():
            _ = [[i] for i in range(1000)]
    finally:
        collected.set()
        other.join()
        gc.callbacks.remove(note)
    assert gc.isenabled()


def test_a_large_notebook_beside_a_running_cell_is_searched_by_name_alone(cells, monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.device_memory.report.MOST_OBJECTS_IN_SLICES", 100)
    cells.run(
        "cycle = [torch.zeros(N)]\ncycle.append(cycle)\ndel cycle\nmore = [[i] for i in range(200)]\nkept = torch.zeros(2 * N)"
    )
    owners, notes = report(InSlices())
    assert [each["name"] for each in owners] == ["kept"]
    assert "some were not searched" in notes[0]


def test_what_ends_during_a_search_ends_in_the_thread_of_the_cells(cells):
    cells.run("""
import threading
ended_in = []
class Ends:
    def __del__(self, threading=threading, ended_in=ended_in):
        ended_in.append(threading.get_ident())
def numbers(threading=threading, ended_in=ended_in):
    try:
        yield 1
    finally:
        ended_in.append(threading.get_ident())
ends, holder, running, kept = Ends(), [Ends()], numbers(), Ends()
next(running)
""")
    names, met, dropped = cells.shell.user_ns, threading.Event(), threading.Event()

    class Waiting(InSlices):
        def clear(self, *lists):  # everything was met, and is to be forgotten
            met.set()
            assert dropped.wait(30)
            super().clear(*lists)

    other = threading.Thread(target=report, args=(Waiting(reads_everything=True),))
    other.start()
    assert met.wait(30)
    for name in ("ends", "holder", "running"):
        del names[name]
    dropped.set()
    other.join()
    assert names["ended_in"] == []
    release_parked()
    assert names["ended_in"] == [threading.get_ident()] * 3


def child(is_enabled):
    is_enabled.value = gc.isenabled()
    with undisturbed(torch):  # the parent's search does not block it
        pass


def test_a_worker_forked_during_a_search_collects_garbage():
    context = multiprocessing.get_context("fork")
    is_enabled = context.Value("b", False)
    with undisturbed(torch):
        worker = context.Process(target=child, args=(is_enabled,))
        worker.start()
        worker.join(30)
    assert worker.exitcode == 0
    assert is_enabled.value
    assert gc.isenabled()


def test_a_report_to_the_server_is_cut_to_what_it_takes():
    owners = [
        MemoryOwner(
            kind="variable", name=f"名{i}" * 300, bytes=1000.0 - i, holders=["é" * 999] * 16
        )
        for i in range(500)
    ]
    whole = MemoryReport(
        device="cpu",
        allocated_bytes=sum(each.bytes for each in owners),
        reserved_bytes=None,
        free_bytes=None,
        total_bytes=None,
        attributed_ratio=None,
        owners=owners,
    )
    short = fitting(whole)
    assert len(encode(short)) < LONGEST_BYTES
    assert sum(each.bytes for each in short.owners) == whole.allocated_bytes
    assert [each.bytes for each in short.owners[:3]] == [1000.0, 999.0, 998.0]
    assert msgspec.json.decode(encode(short), type=MemoryReport) == short
