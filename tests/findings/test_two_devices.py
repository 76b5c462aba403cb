"""A recording of two devices, played: each has its own readings, and who is late is told while it is."""

from __future__ import annotations

import pytest
from recorded_pairs import PHASES, PIDS, RANKS, recorded

from jupyter_gpuperf.findings.build_rule_input import listings_of
from jupyter_gpuperf.findings.diagnosis_watch import DiagnosisWatch
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.rules import RULES
from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.schemas import Frame

BEGAN = 1_700_000_000.0
POLL_SECONDS = 2.0
PUBLISH_SECONDS = 15.0
LATE = {("communication-bound", 1), ("input-bound", 1)}


@pytest.fixture(scope="module")
def recording():
    return recorded(RANKS)


def test_both_have_their_own_readings_and_processes(recording):
    at = PHASES["late by its loader"][1] - 1
    waiting, late = (each.uuid for each in recording.devices(at))
    assert [each.index for each in recording.devices(at)] == [0, 1]
    readings = recording.read(at)
    assert set(readings) == {waiting, late}
    assert readings[waiting]["pcie_receive_bytes_per_second"] > 0
    assert readings[waiting]["energy_joules"] != readings[late]["energy_joules"]
    listed = recording.read_processes(at)
    assert {uuid: [each.pid for each in found] for uuid, found in listed.items()} == {
        waiting: [PIDS[0]],
        late: [PIDS[1]],
    }


class Played:
    """The recording, played to a watch without waiting, with what its ranks told."""

    def __init__(self, recording):
        changing = [metric for metric in METRICS if metric.kind != "limit"]
        history = HistoryStore(
            seconds=120,
            shortest_interval_seconds=0.1,
            device_metrics=[each.name for each in changing if each.scope == "device"],
            host_metrics=[each.name for each in changing if each.scope == "host"],
        )
        self._history, self._recording, self._now = history, recording, 0.0
        self._watch = DiagnosisWatch(RULES, history, lambda _seconds: self._steps())

    def _steps(self):
        reported = self._recording.read_training(self._now)
        notebooks = reported.notebooks if reported else ()
        return [each for notebook in notebooks for each in notebook.loaders]

    def reported(self, from_seconds, until_seconds):
        """Return what was loud, by when, after each look."""
        said, look_at = {}, from_seconds + POLL_SECONDS
        for seconds in self._recording.seconds:
            if not from_seconds <= seconds <= until_seconds:
                continue
            self._now = seconds
            frame = Frame(
                time_seconds=BEGAN + seconds,
                devices=self._recording.read(seconds),
                host=self._recording.read_host(seconds),
                host_cores_percent=[],
            )
            self._history.append(frame)
            if seconds < look_at:
                continue
            look_at = seconds + POLL_SECONDS
            infos = self._recording.devices(seconds)
            listed = listings_of(self._recording.read_processes(seconds), frame.time_seconds)
            self._watch.check(frame, infos, listed)
            indexes = {each.uuid: each.index for each in infos}
            said[seconds] = {
                (each.code, indexes[each.device])
                for each in self._watch.current.findings
                if each.severity != "info"
            }
        return said


def test_live_it_is_told_within_15_s_and_taken_back_when_both_work(recording):
    loader, host = PHASES["late by its loader"][0], PHASES["late by its host"][0]
    # Ten seconds after the training's start: what the ranks told earlier covers what came before it.
    reported = Played(recording).reported(10.0, PHASES["late by its host"][1])
    assert {code for at, said in reported.items() if at < loader for code in said} == set()
    assert any(
        said == LATE for at, said in reported.items() if loader < at <= loader + PUBLISH_SECONDS
    )
    assert reported[max(at for at in reported if at < host)] == set()  # taken back
    after = [said for at, said in reported.items() if host < at <= host + PUBLISH_SECONDS]
    assert any(("communication-bound", 1) in said for said in after)
    assert not any(("input-bound", 1) in said for said in after)
    # Of the device that waits nothing at any time.
    assert {device for said in reported.values() for _, device in said} == {1}
