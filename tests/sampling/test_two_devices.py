"""A recording of two devices: each is read and judged for itself, with the other as its peer."""

from __future__ import annotations

import pytest
from recorded_ranks import BEGAN, EVERY_SECONDS, LATE, PIDS, WAITING, moments, training, with_ranks

from jupyter_gpuperf.diagnose import RULES, diagnose
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sampling.diagnosis_watch import DiagnosisWatch
from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.sampling.watched_steps import for_diagnosis
from jupyter_gpuperf.sampling.windows import listings_of, window_of_recording
from jupyter_gpuperf.schemas import Frame
from jupyter_gpuperf.sources.own_recording import _training
from jupyter_gpuperf.sources.replay import load_recording

NAMES = [metric.name for metric in METRICS]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return load_recording(with_ranks(tmp_path_factory.mktemp("two") / "two.jsonl.gz"), METRICS)


def loud(findings):
    return {(each.code, each.device) for each in findings if each.severity != "info"}


def test_both_have_their_own_readings_and_processes(recording):
    readings = recording.read(5.0)
    assert set(readings) == {WAITING, LATE}
    assert readings[WAITING]["utilization_percent"] > 80 > readings[LATE]["utilization_percent"]
    assert [(each.uuid, each.index) for each in recording.devices(5.0)] == [(WAITING, 0), (LATE, 1)]
    listed = recording.read_processes(5.0)
    assert {uuid: [each.pid for each in found] for uuid, found in listed.items()} == {
        uuid: [pid] for uuid, pid in PIDS.items()
    }


def test_the_late_device_alone_is_found_and_the_other_is_who_waits_for_it(recording):
    found = diagnose(window_of_recording(recording, NAMES), RULES)
    assert loud(found) == {("communication-bound", LATE), ("input-bound", LATE)}
    (late,) = [each for each in found if each.code == "communication-bound"]
    assert late.pid == PIDS[LATE]
    assert "GPU 1 (process 4711)" in late.summary
    assert late.evidence["waiting_device_indexes"] == "0"


class Live:
    """The recording played to a watch, with whatever the ranks tell."""

    def __init__(self, recording):
        changing = [metric for metric in METRICS if metric.kind != "limit"]
        history = HistoryStore(
            seconds=120,
            shortest_interval_seconds=0.1,
            device_metrics=[each.name for each in changing if each.scope == "device"],
            host_metrics=[each.name for each in changing if each.scope == "host"],
        )
        self.history, self.recording, self.now = history, recording, BEGAN
        self.told = []
        self.watch = DiagnosisWatch(RULES, history, lambda _seconds: self.told)

    def play(self, seconds, *, late):
        """Play on; return when what is told changed: (after how many seconds, what)."""
        self.told = for_diagnosis(
            each
            for notebook in _training(training(self.now, late=late)).notebooks
            for each in notebook.loaders
        )
        began, changes = self.now, []
        while self.now < began + seconds:
            at = (self.now - BEGAN) % moments()[-1]
            readings = self.recording.read(at)
            if not late:  # both at work, and neither waits
                work = {"sm_active_percent": 90.0, "tensor_active_percent": 40.0}
                readings = dict.fromkeys(readings, readings[WAITING] | work)
            frame = Frame(
                time_seconds=self.now,
                devices=readings,
                host=self.recording.read_host(at),
                host_cores_percent=[],
            )
            self.history.append(frame)
            if round((self.now - began) / EVERY_SECONDS) % 8 == 7:
                listed = listings_of(self.recording.read_processes(at), self.now)
                self.watch.look(frame, self.recording.devices(at), listed)
                said = loud(self.watch.told.findings)
                if not changes or said != changes[-1][1]:
                    changes.append((self.now - began, said))
            self.now += EVERY_SECONDS
        return changes


def test_live_it_is_told_within_15_s_and_taken_back_when_both_work(recording):
    live = Live(recording)
    assert live.play(30, late=False)[-1][1] == set()
    after, said = live.play(30, late=True)[-1]
    assert said == {("communication-bound", LATE), ("input-bound", LATE)}
    assert after <= 15
    after, said = live.play(40, late=False)[-1]
    assert said == set()
