"""What a server keeps stops growing: a day of readings and reports is all that it ever holds.

``tests/perf/idle_memory.py`` measures the memory of a real server over the same time.
"""

from __future__ import annotations

import gc

import pytest
from msgspec import msgpack

from jupyter_gpuperf.findings.alert_watch import AlertWatch
from jupyter_gpuperf.findings.diagnosis_watch import DiagnosisWatch
from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.notebook_sessions import MOST_NOTEBOOKS
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.rules import ProcessListing, all_rules
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.schemas import Frame
from jupyter_gpuperf.schemas.cells import CellRan
from jupyter_gpuperf.schemas.training import Steps, StepTally, WatchedLoop

HOUR_SECONDS = 3600
TICK_SECONDS = 60
HOURS = 25
DEVICE_METRICS = ("power_watts", "utilization_percent", "memory_used_bytes")


class Kept:
    """What a server keeps, and a clock that jumps from tick to tick."""

    def __init__(self) -> None:
        self.now = 1e9
        self.history = HistoryStore(
            seconds=60,
            shortest_interval_seconds=1,
            device_metrics=DEVICE_METRICS,
            host_metrics=["host_cpu_percent"],
        )
        usage = DeviceUsage(self.history, now=lambda: self.now)
        self.training = TrainingStore(usage, now=lambda: self.now)
        rules = all_rules()
        self.alerts = AlertWatch(rules)
        self.findings = DiagnosisWatch(
            rules,
            self.history,
            steps=self.training.steps_over,
            alerts=lambda: self.alerts.current,
        )

    def tick(self, uuid: str = "GPU-0", notebook: str = "a") -> None:
        self.now += TICK_SECONDS
        value = self.now % 97
        readings = dict.fromkeys(DEVICE_METRICS, value)
        frame = Frame(
            time_seconds=self.now,
            devices={uuid: readings},
            host={"host_cpu_percent": value},
            host_cores_percent=[],
        )
        self.history.append(frame)
        self._report(notebook)
        listing = ProcessListing(time_seconds=self.now, processes=())
        self.findings._keep({uuid: listing}, self.now)  # the rules themselves keep nothing
        for observer in (self.alerts, self.findings, self.training):
            observer.message_after(frame)

    def _report(self, notebook: str) -> None:
        names = {"kernel_id": notebook, "notebook_path": None}
        tally = StepTally(
            **dict.fromkeys(("loader", "count", "training_count", "epoch_batches"), 1),
            **dict.fromkeys(("samples_count", "step_seconds", "wait_seconds"), 1.0),
            **dict.fromkeys(("event_step_seconds", "event_idle_seconds"), 0.0),
            interrupted_count=0,
            bins={3: 1},
            began_seconds=self.now - 1,
            ended_seconds=self.now,
        )
        loaders = [WatchedLoop(id=1, name="loader")]
        self.training.store_steps(notebook, 1, Steps(**names, loaders=loaders, tallies=[tally]))
        span = {"began_seconds": self.now - 1, "ended_seconds": self.now}
        self.training.cell_ran(notebook, CellRan(**names, **span, number=1, device_uuids=[]))

    def sizes(self) -> tuple[int, int, int]:
        """Return the bytes of both stores, and the number of all objects."""
        gc.collect()
        stores = (self.history.dump(full=True), self.training.dump(full=True))
        bytes_kept = [len(msgpack.encode(each)) for each in stores]
        return bytes_kept[0], bytes_kept[1], len(gc.get_objects())

    def hours(self, hours: float, **names: str) -> None:
        for _ in range(int(hours * HOUR_SECONDS / TICK_SECONDS)):
            self.tick(**names)


@pytest.fixture
def kept():
    return Kept()


def test_after_a_day_nothing_grows_any_more(kept):
    kept.hours(HOURS)
    history, training, objects = kept.sizes()
    kept.hours(HOURS)
    later = kept.sizes()
    assert later[:2] == (history, training)
    assert abs(later[2] - objects) < 200  # of ten thousands: caches of the interpreter


def test_devices_and_notebooks_that_come_and_go_are_forgotten(kept):
    for number in range(60):
        kept.hours(1, uuid=f"GPU-{number}", notebook=f"notebook-{number}")
    assert len(kept.history.dump(full=False).devices) <= HOURS + 1
    assert len(kept.training.dump(full=False).notebooks) <= MOST_NOTEBOOKS
    assert len(kept.findings._listings) == 1
    assert set(kept.alerts._kept) == {"", "GPU-59"}
    day = kept.history.query(seconds=86_400, step_seconds=60)
    assert "GPU-59" in day.devices
    assert "GPU-40" in day.devices  # still within a day
