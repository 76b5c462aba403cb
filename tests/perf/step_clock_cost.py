"""Measure the time that the step clock adds to a batch, and to a loop of 10 ms steps end to end.

python tests/perf/step_clock_cost.py [--batches 20000] [--rounds 20] [--server none|dead|stopped] [--json]

Per batch: ``next()`` of an iterator that returns immediately, with and without the clock (ABBA); the result is the
difference of the minima of many short blocks. With a GPU, it is also measured with CUDA events. End to end: steps of
10 ms (queued matrix products on a GPU, else a busy wait on the CPU), ABBA, median of the rounds' ratios.
The readings of GPU memory are measured apart: what they add to each step that is not read, what one reading takes, and
what both add to a step of 10 ms. Without a GPU, the counters are a stand-in, and one reading is not measured.
``--server`` selects the server that the telemetry thread connects to during the loop; the longest delay of a batch is
measured, too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.loops import LoopWatch, TelemetryThread
from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import IteratorClock, LoopClock
from jupyter_gpuperf.loops.memory_reader import READ_SECONDS, MemoryReader
from jupyter_gpuperf.loops.tallies import tally_of
from jupyter_gpuperf.schemas.training import WatchedLoop

BLOCK = 200
HOLD_UP_ROUNDS = 5
HOLD_UP_SECONDS = 1.5
"""Long enough for the thread to look for its server twice."""


class Ready(torch.utils.data.dataloader._BaseDataLoaderIter):
    """An iterator whose batch is always ready."""

    def __init__(self, loader):
        super().__init__(loader)
        self._batch = torch.zeros(4)

    def _next_data(self):
        return self._batch


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batches", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--server", choices=("none", "dead", "stopped"), default="none")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.batches, options.rounds, options.server)
    print(json.dumps(figures) if options.json else figures)


def measure(batches: int, rounds: int, server: str = "none") -> dict[str, float]:
    """Return all figures; their units are in their names."""
    loader = torch.utils.data.DataLoader(list(range(2**30, 2**30 + 4)), batch_size=4)
    figures = {"host_only_added_us": added_us(loader, batches, events=False)}
    if torch.cuda.is_available():
        held = torch.zeros(1 << 20, device="cuda")  # so that a device is in use
        figures["with_events_added_us"] = added_us(loader, batches, events=True)
        del held
    figures |= memory_us(batches)
    figures |= end_to_end(loader, rounds, server)
    return figures


def added_us(loader, batches: int, *, events: bool) -> float:
    """Return the microseconds that the clock adds to a batch."""
    watching = LoopWatch(torch=lambda: torch if events else None)
    watching.find_device()

    def block(watched: bool) -> float:
        if watched:
            watching.watch_everything()
        iterator = Ready(loader)
        next(iterator)
        began = time.perf_counter()
        for _ in range(BLOCK):
            next(iterator)
        took = time.perf_counter() - began
        watching.stop()
        if events:
            torch.cuda.synchronize()
        for clock in watching.clocks:
            tally_of(clock, 0.0)
        return took / BLOCK

    found: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(max(4, batches // BLOCK // 4)):
        for watched in (False, True, True, False):
            found[watched].append(block(watched))
    # The minimum, because on a shared machine everything above it is caused by other processes.
    return round(1e6 * (min(found[True]) - min(found[False])), 3)


def memory_us(batches: int) -> dict[str, float]:
    """Return what reading the memory adds to a step, in microseconds."""
    has_gpu = torch.cuda.is_available()
    reader = MemoryReader(torch if has_gpu else StandIn, 0)
    clock = LoopClock(WatchedLoop(id=1, name="loader", batch_size=4), BatchCounter())
    times = {}
    for _ in range(max(4, batches // BLOCK)):
        for each in (None, reader):
            clock.memory_reader = each
            iterator = IteratorClock(clock, torch.is_grad_enabled)
            began = time.perf_counter()
            for _ in range(BLOCK):
                iterator.batch_requested(time.perf_counter())
                iterator.batch_received(time.perf_counter(), None)
            took = (time.perf_counter() - began) / BLOCK
            times[each] = min(times.get(each, took), took)
            clock.steps.clear()
    unread = 1e6 * (times[reader] - times[None])
    figures = {"memory_added_to_unread_step_us": round(unread, 3)}
    if has_gpu:
        readings = []
        for _ in range(500):
            reader.read(0.0)
            readings.append(1e6 * reader.took_seconds)
        median = statistics.median(readings)
        figures["memory_reading_us"] = round(median, 1)
        figures["memory_added_to_10_ms_step_us"] = round(unread + median * 0.01 / READ_SECONDS, 3)
    return figures


class StandIn:
    """Torch with counters of memory that never change."""

    class cuda:  # noqa: N801
        @staticmethod
        def get_device_properties(index):
            return None

        @staticmethod
        def memory_stats_as_nested_dict(index):
            counter = {"all": {"current": 0, "peak": 0}}
            return {"allocated_bytes": counter, "reserved_bytes": counter}


def end_to_end(loader, rounds: int, server: str) -> dict[str, float]:
    """Return the time that the clock and its thread add to a loop, in percent, and the longest delay of a batch."""
    watching = LoopWatch()
    step = step_of_10_ms()
    with (
        tempfile.TemporaryDirectory() as folder,
        listening(Path(folder) / "s", server) as address,
    ):

        def loop(watched: bool) -> float:
            teller = TelemetryThread(watching, ServerLink(lambda: address))
            if watched:
                watching.watch_everything()
                teller.start()
            iterator = Ready(loader)
            next(iterator)
            began = time.perf_counter()
            for _ in range(50):
                next(iterator)
                step()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            took = time.perf_counter() - began
            watching.stop()
            if watched:
                teller.stop()
            return took

        loop(False)
        pairs = []
        for _ in range(max(2, rounds)):
            first, second, third, fourth = (loop(each) for each in (False, True, True, False))
            pairs.append((second + third) / (first + fourth) - 1)
        return {
            "end_to_end_added_percent": round(100 * statistics.median(pairs), 4),
            "end_to_end_quartiles_percent": [
                round(100 * each, 3) for each in statistics.quantiles(pairs, n=4)[::2]
            ],
            **hold_ups_ms(loader, watching, address),
        }


def hold_ups_ms(loader, watching, address) -> dict[str, float]:
    """Return how much slower the slowest of many batches is with the clock than without: median and maximum.

    Other processes delay batches only now and then, in either state; the clock's thread would delay one in every round.
    """
    slower = []
    for _ in range(HOLD_UP_ROUNDS):
        slowest = [slowest_batch(loader, watching, address, each) for each in (False, True)]
        slower.append(1000 * (slowest[1] - slowest[0]))
    return {
        "longest_hold_up_ms": round(max(0.0, statistics.median(slower)), 3),
        "longest_hold_up_at_worst_ms": round(max(0.0, *slower), 3),
    }


def slowest_batch(loader, watching, address, watched: bool) -> float:
    """Return the slowest batch's time in seconds."""
    teller = TelemetryThread(watching, ServerLink(lambda: address))
    if watched:
        watching.watch_everything()
        teller.start()
    iterator = Ready(loader)
    slowest, until = 0.0, time.perf_counter() + HOLD_UP_SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        next(iterator)
        slowest = max(slowest, time.perf_counter() - began)
        time.sleep(0.0005)  # a real loop also releases the GIL in its kernels
    watching.stop()
    if watched:
        teller.stop()
    return slowest


@contextlib.contextmanager
def listening(path: Path, server: str) -> Iterator[Path | None]:
    """Yield the address of a stopped server, which accepts connections but never reads, of a dead one, or ``None``."""
    if server == "none":
        yield None
        return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        if server == "stopped":
            listener.listen(64)
        yield path


def step_of_10_ms():
    """Return a function that takes about 10 ms, on the GPU if there is one."""
    if not torch.cuda.is_available():

        def wait() -> None:
            until = time.perf_counter() + 0.01
            while time.perf_counter() < until:
                pass

        return wait
    one = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
    one @ one
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(20):
        one @ one
    torch.cuda.synchronize()
    count = max(1, round(0.01 / ((time.perf_counter() - began) / 20)))

    def multiply() -> None:
        for _ in range(count):
            one @ one
        torch.cuda.synchronize()

    return multiply


if __name__ == "__main__":
    main()
