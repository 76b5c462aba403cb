from __future__ import annotations

import queue
import time
import weakref

import msgspec
import pytest

from jupyter_gpuperf.sampling import HistoryStore, Sampler, Subscribers
from jupyter_gpuperf.sampling import sampler as sampler_module
from jupyter_gpuperf.schemas import (
    AlertsChanged,
    DeviceInfo,
    Devices,
    DevicesChanged,
    Frame,
)
from jupyter_gpuperf.sources import Sample


class StubSource:
    """A source at the hardware's edge, whose devices and failures the test chooses."""

    kind = "nvml"

    def __init__(self) -> None:
        self.uuids = ["GPU-0000"]
        self.failures = 0
        self.opened = self.closed = 0

    def open(self):
        self.opened += 1

    def close(self):
        self.closed += 1

    def devices(self):
        return Devices(devices=[device(uuid) for uuid in self.uuids], reason=None)

    def read_processes(self):
        return {uuid: [] for uuid in self.uuids}

    def read(self):
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the driver fell over")
        devices = {uuid: {"power_watts": 300.0} for uuid in self.uuids}
        return [Sample(devices=devices, machine={"host_cpu_percent": 5.0}, cores_percent=[5.0])]


def device(uuid: str) -> DeviceInfo:
    return DeviceInfo(
        uuid=uuid,
        index=0,
        name="GPU",
        state="ok",
        pci_bus_id=None,
        compute_capability=None,
        parent_uuid=None,
        unified_memory=False,
        driver_version=None,
        memory_total_bytes=1.0,
        power_limit_watts="not_supported",
        clock_sm_max_mhz=1.0,
        clock_memory_max_mhz=1.0,
        replayed=False,
    )


@pytest.fixture
def sampled():
    source, subscribers = StubSource(), Subscribers()
    history = HistoryStore(
        seconds=60,
        shortest_interval_seconds=0.1,
        device_metrics=["power_watts"],
        host_metrics=["host_cpu_percent"],
    )
    sampler = Sampler(
        source,
        history=history,
        subscribers=subscribers,
        idle_interval_ms=60_000,
    )
    yield source, subscribers, history, sampler
    sampler.stop()


def messages(subscribers: Subscribers) -> queue.Queue:
    inbox: queue.Queue = queue.Queue()
    subscribers.add(
        lambda message, _topic: inbox.put(
            msgspec.json.decode(message, type=Frame | DevicesChanged)
        ),
        100,
    )
    return inbox


def test_before_the_first_tick_it_says_that_it_starts(sampled):
    *_, sampler = sampled
    assert sampler.latest is None
    assert sampler.devices.reason.code == "starting"
    assert sampler.version.source == "starting"


def test_a_tick_reaches_latest_history_and_listeners(sampled):
    _, subscribers, history, sampler = sampled
    inbox = messages(subscribers)
    sampler.start()
    assert sampler.wait_for_tick(5)
    frame = next(m for m in iter(lambda: inbox.get(timeout=5), None) if isinstance(m, Frame))
    assert frame.devices == {"GPU-0000": {"power_watts": 300.0}}
    assert frame.host == {"host_cpu_percent": 5.0}
    assert sampler.version.source == "nvml"
    answer = history.query(seconds=60, step_seconds=1)
    assert answer.devices["GPU-0000"].metrics["power_watts"].mean[0] == 300.0


def test_a_listener_that_comes_wakes_an_idle_sampler(sampled):
    *_, subscribers, _, sampler = sampled
    sampler.start()
    assert sampler.wait_for_tick(5)  # the next tick would come in a minute
    inbox = messages(subscribers)
    assert inbox.get(timeout=5).devices


def test_a_device_that_comes_or_goes_is_announced(sampled):
    source, subscribers, _, sampler = sampled
    sampler.start()
    assert sampler.wait_for_tick(5)
    inbox = messages(subscribers)
    source.uuids = ["GPU-0000", "GPU-0001"]
    while not isinstance(message := inbox.get(timeout=5), DevicesChanged):
        pass
    assert [each.uuid for each in message.devices.devices] == source.uuids


def test_an_error_that_no_source_should_raise_does_not_end_sampling(sampled, monkeypatch, caplog):
    source, subscribers, _, sampler = sampled
    monkeypatch.setattr("jupyter_gpuperf.sampling.sampler.RETRY_SECONDS", 0.0)
    source.failures = 2
    inbox = messages(subscribers)
    sampler.start()
    assert inbox.get(timeout=10)
    assert "Sampling failed" in caplog.text


def test_a_source_that_fails_from_the_start_is_the_reason_until_it_reads(sampled, monkeypatch):
    source, subscribers, _, sampler = sampled
    monkeypatch.setattr("jupyter_gpuperf.sampling.sampler.RETRY_SECONDS", 0.0)
    source.failures = 1
    told: queue.Queue = queue.Queue()
    subscribers.add(lambda message, topic: topic == "devices" and told.put(message), 100)
    sampler.start()
    first, second = (msgspec.json.decode(told.get(timeout=10), type=DevicesChanged) for _ in "12")
    assert first.devices.reason.code == "source_failed"
    assert [each.uuid for each in second.devices.devices] == ["GPU-0000"]


def test_who_asks_once_gets_a_reading_of_now(sampled):
    source, _, _, sampler = sampled
    sampler.start()
    assert sampler.wait_for_tick(5)
    before = sampler.latest
    assert not sampler.is_fresh(0.0)
    source.uuids = ["GPU-0001"]
    assert sampler.wait_for_tick(5)  # the next tick by itself would come in a minute
    assert sampler.latest.time_seconds > before.time_seconds
    assert list(sampler.latest.devices) == ["GPU-0001"]
    assert sampler.is_fresh(60.0)


def test_a_driver_that_does_not_answer_is_not_waited_for_without_end(sampled):
    *_, sampler = sampled
    assert not sampler.wait_for_tick(0.01)  # not started: no tick will come


def test_who_gave_up_waiting_neither_ends_sampling_nor_stays_in_memory(sampled):
    """While a driver hangs, pages ask again and again, and each gives up."""
    *_, sampler = sampled
    given_up = []
    for request in 500 * (sampler.request_processes, sampler.request_tick):
        asked = request()
        asked.cancel()
        given_up.append(weakref.ref(asked))
    del asked
    late = sampler.request_processes(), sampler.request_tick()
    assert not any(each() for each in given_up)
    sampler.start()
    assert sampler.wait_for_tick(5)
    assert [each.result(5) for each in late] == [{"GPU-0000": []}, None]
    assert sampler.request_processes().result(5)
    assert sampler.wait_for_tick(5)


def test_stopping_closes_the_source(sampled):
    source, *_, sampler = sampled
    sampler.start()
    assert sampler.wait_for_tick(5)
    sampler.stop()
    assert (source.opened, source.closed) == (1, 1)


def test_without_idle_ticks_nothing_is_read_and_the_source_is_closed(monkeypatch):
    monkeypatch.setattr(sampler_module, "CLOSE_AFTER_SECONDS", 0.05)
    source, subscribers = StubSource(), Subscribers()
    history = HistoryStore(
        seconds=60, shortest_interval_seconds=0.1, device_metrics=["power_watts"], host_metrics=[]
    )
    sampler = Sampler(
        source,
        history=history,
        subscribers=subscribers,
        idle_interval_ms=None,
    )
    sampler.start()
    assert sampler.wait_for_tick(5)
    while source.closed == 0:
        time.sleep(0.005)
    of_before = sampler.latest.time_seconds
    received = queue.SimpleQueue()
    subscribers.add(lambda message, _topic: received.put(message), interval_ms=100)
    message = received.get(timeout=5)
    assert source.opened == 2
    assert msgspec.json.decode(message, type=DevicesChanged | Frame)
    assert sampler.latest.time_seconds > of_before
    sampler.stop()


def test_what_an_observer_returns_is_told_and_one_that_fails_holds_up_nothing(caplog):
    def fails(frame):
        raise ValueError("of its own making")

    news = AlertsChanged(alerts=[])
    subscribers = Subscribers()
    sampler = Sampler(
        StubSource(),
        history=HistoryStore(
            seconds=60, shortest_interval_seconds=0.1, device_metrics=[], host_metrics=[]
        ),
        subscribers=subscribers,
        idle_interval_ms=60_000,
        observers={"failing": fails, "training": lambda frame: news},
    )
    told: queue.Queue = queue.Queue()
    subscribers.add(lambda message, topic: told.put(topic), 100)
    sampler.start()
    try:
        topics = [told.get(timeout=10) for _ in range(6)]
    finally:
        sampler.stop()
    assert topics.count("training") >= 2  # ticks go on
    assert "of its own making" in caplog.text
