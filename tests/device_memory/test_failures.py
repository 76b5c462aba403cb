"""A kernel tells its server that a cell ran out of memory, and when the memory came free."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from jupyter_gpuperf.client.memory_answers import LONGEST_NAME, MemoryAnswers
from jupyter_gpuperf.schemas import MemoryOwner, OutOfMemory
from jupyter_gpuperf.schemas.kernel_link import Attached, MemoryFailure, MemoryRequest

GIB = 2.0**30


class Link:
    """The kernel's end of the socket."""

    connected = False

    def __init__(self):
        self.sent, self.received = [], []

    def send(self, message, _wait_seconds=0.0):
        self.connected = True
        self.sent.append(message)
        return True

    def receive(self, _wait_seconds):
        received, self.received = self.received, []
        return received


@pytest.fixture
def gpu(monkeypatch):
    """torch's counters of two GPUs."""
    state = SimpleNamespace(allocated=[0.0, 70 * GIB])
    answers = {
        "is_initialized": lambda: True,
        "is_current_stream_capturing": lambda: False,
        "memory_allocated": lambda index: state.allocated[index],
        "get_device_properties": lambda index: SimpleNamespace(uuid=f"aaaa-{index}"),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    return state


@pytest.fixture
def answers():
    return MemoryAnswers(Link(), "k1")


def failure(requested_bytes):
    return OutOfMemory(
        device="cuda:1",
        requested_bytes=requested_bytes,
        free_bytes=GIB,
        unused_bytes=None,
        place="cell [3]:2",
        code="x" * 9999,
        held_by_exception_bytes=0.0,
        largest=[MemoryOwner(kind="variable", name="y" * 9999, bytes=GIB, holders=[])],
        remedies=[],
    )


def sent(answers):
    """Return what the thread sends next."""
    answers._link.sent.clear()
    answers._once()
    return answers._link.sent


@pytest.mark.parametrize(
    ("requested", "still", "free"), [(4 * GIB, 67 * GIB, 66 * GIB), (None, 64 * GIB, 63 * GIB)]
)
def test_a_failure_is_over_when_what_was_asked_for_would_fit(gpu, answers, requested, still, free):
    assert sent(answers) == [Attached(kernel_id="k1", notebook_path=None)]
    answers.after_cell(failure(requested))
    (told,) = sent(answers)
    assert told.device_uuid == "GPU-aaaa-1"
    assert told.failure.requested_bytes == requested
    assert len(told.failure.code) == len(told.failure.largest[0].name) == LONGEST_NAME + 1
    gpu.allocated[1] = still
    answers.after_cell(None)
    assert sent(answers) == []
    gpu.allocated[1] = free
    answers.after_cell(None)
    assert sent(answers) == [MemoryFailure(device_uuid=None, failure=None)]
    answers.after_cell(None)
    assert sent(answers) == []


def test_whatever_goes_wrong_the_server_gets_an_answer(answers, monkeypatch):
    def fails(*_):
        raise RuntimeError("torch is odd today")

    monkeypatch.setattr("jupyter_gpuperf.device_memory.report.memory_report", fails)
    sent(answers)
    answers._link.received = [MemoryRequest(number=7, action="owners")]
    (answer,) = sent(answers)
    assert (answer.number, answer.error.code) == (7, "search_failed")
    assert "torch is odd today" in answer.error.message
