"""How the server asks kernels for their memory: one question at a time, shared, and never for ever."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.kernel_link.router import KernelSession
from jupyter_gpuperf.schemas import ErrorInfo, MemoryReport, OutOfMemory
from jupyter_gpuperf.schemas.kernel_link import Attached, MemoryAnswer, MemoryFailure
from jupyter_gpuperf.server.kernel_memory import (
    FAILURE_SECONDS,
    KEPT_SECONDS,
    LOST_SECONDS,
    KernelMemoryReader,
)

REPORT = MemoryReport(
    device="cpu",
    allocated_bytes=8.0,
    reserved_bytes=None,
    free_bytes=None,
    total_bytes=None,
    attributed_ratio=None,
    owners=[],
)
FAILURE = OutOfMemory(
    device="cuda:0",
    requested_bytes=1.0,
    free_bytes=None,
    unused_bytes=None,
    place="",
    code="",
    held_by_exception_bytes=0.0,
    largest=[],
    remedies=[],
)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Kernel(KernelSession):
    """A kernel that answers when the test says so."""

    def __init__(self, reader, pid=1):
        super().__init__({}, pid, wake=lambda: None)
        self.asked = []
        self._reader = reader
        reader.attach(self, Attached(kernel_id="k1", notebook_path="a.ipynb"))

    def send(self, message, topic=None):
        self.asked.append(message)

    def answer(self, **content):
        self._reader.take(self, MemoryAnswer(number=self.asked[-1].number, **content))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def reader(clock):
    return KernelMemoryReader(clock, answer_seconds=0.05)


@pytest.fixture
def kernel(reader):
    return Kernel(reader)


async def code_of(awaitable):
    with pytest.raises(GpuPerfError) as error:
        await awaitable
    return error.value.code


async def test_readers_share_one_question(reader, kernel):
    reading = [asyncio.ensure_future(reader.owners("k1")) for _ in range(20)]
    await asyncio.sleep(0)
    assert [each.action for each in kernel.asked] == ["owners"]
    kernel.answer(owners=REPORT)
    assert {each.allocated_bytes for each in await asyncio.gather(*reading)} == {8.0}
    await reader.owners("k1")
    assert len(kernel.asked) == 1  # the answer is fresh


async def test_a_kernel_that_can_t_answer_is_not_asked_again_and_again(reader, kernel, clock):
    for _ in range(3):
        assert await code_of(reader.owners("k1")) == "kernel_not_answering"
    assert len(kernel.asked) == 1
    clock.now += LOST_SECONDS + 1
    assert await code_of(reader.owners("k1")) == "kernel_not_answering"
    assert len(kernel.asked) == 2


async def test_an_earlier_answer_says_how_old_it_is(reader, kernel, clock):
    first = asyncio.ensure_future(reader.owners("k1"))
    await asyncio.sleep(0)
    kernel.answer(owners=REPORT)
    assert (await first).age_seconds == 0
    clock.now += KEPT_SECONDS + 29
    assert (await reader.owners("k1")).age_seconds == 30
    kernel.answer(owners=REPORT)  # later than the reader waited
    assert (await reader.owners("k1")).age_seconds == 0


async def test_a_kernel_s_refusal_reaches_the_user(reader, kernel):
    freeing = asyncio.ensure_future(reader.free("k1"))
    await asyncio.sleep(0)
    kernel.answer(error=ErrorInfo(code="kernel_busy", message="A cell is running.", hint=""))
    assert await code_of(freeing) == "kernel_busy"


async def test_a_restart_ends_what_was_asked_and_replaces_the_kernel(reader, kernel):
    reading = asyncio.ensure_future(reader.owners("k1"))
    await asyncio.sleep(0)
    reader.take_failure(kernel, MemoryFailure(device_uuid="GPU-1", failure=FAILURE))
    assert [each.notebook for each in reader.failures()] == ["a.ipynb"]
    after = Kernel(reader, pid=2)
    assert after.asked == []
    kernel.close()
    assert await code_of(reading) == "kernel_gone"
    assert reader.failures() == ()
    again = asyncio.ensure_future(reader.owners("k1"))
    await asyncio.sleep(0)
    after.answer(owners=REPORT)
    assert (await again).allocated_bytes == 8
    after.close()
    assert await code_of(reader.owners("k1")) == "kernel_not_attached"


async def test_a_failure_ends_when_the_memory_came_free_or_after_a_while(reader, kernel, clock):
    failed = MemoryFailure(device_uuid="GPU-1", failure=FAILURE)
    reader.take_failure(kernel, failed)
    reader.take_failure(kernel, MemoryFailure(device_uuid=None, failure=None))
    assert reader.failures() == ()
    reader.take_failure(kernel, failed)
    clock.now += FAILURE_SECONDS + 1
    assert reader.failures() == ()
