"""What surrounds a run: readings while it runs, disturbances said, the result kept."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from job_tools import device, follow, request
from measured import measured

from jupyter_gpuperf.jobs.disturbances import DisturbanceWatcher
from jupyter_gpuperf.jobs.run_hooks import RunHooks
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.sampling import Subscribers
from jupyter_gpuperf.schemas import Frame, ListedProcess

GPU = "GPU-A"


def frame(host_cpu_percent=1.0, throttled=0.0, **readings):
    device_readings = {
        "utilization_percent": 99.0,
        "clock_sm_mhz": 1980.0,
        "power_watts": 500.0,
        "temperature_celsius": 60.0,
        "clock_lost_power_cap_ratio": 0.0,
        **readings,
    }
    return Frame(
        time_seconds=0.0,
        devices={GPU: device_readings},
        host={"host_cpu_percent": host_cpu_percent, "host_cpu_throttled_ratio": throttled},
        host_cores_percent=[],
    )


class Sampler:
    """A sampler whose ticks the test makes."""

    def __init__(self, subscribers, processes=()):
        self.latest = None
        self.played_seconds = {}
        self._subscribers = subscribers
        self._processes = list(processes)
        self._now = 0.0

    def is_fresh(self, _oldest_seconds):
        return self.latest is not None

    def request_processes(self):
        asked = Future()
        asked.set_result({GPU: self._processes})
        return asked

    def tick(self, frame):
        self.latest = frame
        self._now += 10.0
        self._subscribers.publish(lambda: b"", self._now)


@pytest.fixture
def seen():
    """Run with these frames; return the result as it is told."""

    def run(*frames, before=None, processes=(), on=GPU):
        subscribers = Subscribers()
        sampler = Sampler(subscribers, processes)
        sampler.latest = before
        with DisturbanceWatcher(sampler, subscribers).watch(on) as finish:
            for each in frames:
                sampler.tick(each)
            result = finish(measured())
        assert subscribers.shortest_interval_ms() is None  # it listens no longer
        return result

    return run


def test_the_clock_is_that_of_the_device_at_work(seen):
    idle = frame(utilization_percent=0.0, clock_sm_mhz=345.0)
    result = seen(idle, frame(clock_sm_mhz=1900.0), frame(clock_sm_mhz=1800.0), idle)
    assert result.environment["clock_sm_mean_mhz"] == 1850.0
    assert result.environment["power_mean_watts"] == 500.0
    assert result.environment["temperature_max_celsius"] == 60.0
    assert result.warnings == []


def test_the_readings_of_a_recording_say_nothing_about_a_run_beside_it():
    subscribers = Subscribers()
    sampler = Sampler(subscribers)
    sampler.latest = busy = frame(host_cpu_percent=90.0, throttled=0.5)
    sampler.played_seconds = {GPU: 3.0}
    with DisturbanceWatcher(sampler, subscribers).watch(None) as finish:
        sampler.tick(busy)
        assert finish(measured()) == measured()


def test_without_readings_nothing_is_claimed(seen):
    assert seen().environment == measured().environment
    missing = frame(utilization_percent="not_supported", clock_sm_mhz="not_supported")
    assert seen(missing).environment == measured().environment


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        (
            {"clock_lost_thermal_hardware_ratio": 0.5},
            "Throttled by heat (hardware slowdown) for 50",
        ),
        ({"clock_lost_thermal_software_ratio": 0.1}, "Throttled by heat for 10 % of the time."),
        ({"clock_lost_power_brake_ratio": 0.1}, "power brake"),
        ({"throttled": 0.3}, "CPU quota paused its processes for 30"),
    ],
)
def test_what_held_it_back_is_said(seen, readings, words):
    (warning,) = seen(frame(**readings)).warnings
    assert words in warning


def test_the_power_limit_alone_is_no_disturbance_but_noted(seen):
    result = seen(frame(clock_lost_power_cap_ratio=0.9))
    assert result.warnings == []
    assert result.environment["clock_lost_power_cap_ratio"] == 0.9


def test_whoever_computes_beside_it_is_named_and_who_only_holds_memory_is_not(seen):
    processes = [
        ListedProcess(
            pid=pid, kinds=("compute",), memory_used_bytes=1e9, sm_utilization_percent=share
        )
        for pid, share in ((7, 40.0), (8, 0.0), (9, "not_supported"))
    ]
    (warning,) = seen(frame(), processes=processes).warnings
    assert warning.startswith("Process 7 also used this GPU: SM utilization 40 %")


def test_a_busy_machine_is_said(seen):
    (warning,) = seen(before=frame(host_cpu_percent=80.0)).warnings
    assert "80 % of the CPU" in warning


def test_a_job_is_kept_with_its_number(make_manager, tmp_path):
    store = ResultStore(tmp_path / "results")
    manager = make_manager(run_hooks=RunHooks(store=store))
    last = follow(manager, manager.submit(request()).id)[-1]
    assert last.state == "done"
    assert store.get(last.result_id).result == last.result


def test_a_result_that_cannot_be_kept_is_told_all_the_same(make_manager, tmp_path):
    (tmp_path / "file").write_text("")
    manager = make_manager(run_hooks=RunHooks(store=ResultStore(tmp_path / "file" / "results")))
    last = follow(manager, manager.submit(request()).id)[-1]
    assert last.state == "done"
    assert last.result_id is None
    assert any("The result was not saved" in warning for warning in last.result.warnings)


def test_a_failed_job_keeps_nothing_and_stops_watching(make_manager, tmp_path):
    subscribers = Subscribers()
    watcher = DisturbanceWatcher(Sampler(subscribers), subscribers)
    store = ResultStore(tmp_path / "results")
    manager = make_manager(
        run_hooks=RunHooks(store=store, watcher=watcher), devices=lambda: [device(GPU)]
    )
    assert follow(manager, manager.submit(request("exits")).id)[-1].state == "failed"
    assert store.latest() == []
    assert subscribers.shortest_interval_ms() is None
