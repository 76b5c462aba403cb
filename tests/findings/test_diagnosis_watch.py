"""The live diagnosis on recordings that play: when something is told, and when it is taken back."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace
from perturbing import GPM, PCIE

from jupyter_gpuperf.findings.alert_watch import AlertWatch
from jupyter_gpuperf.findings.build_rule_input import listings_of
from jupyter_gpuperf.findings.diagnosis_watch import DiagnosisWatch
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording
from jupyter_gpuperf.rules import RULES, Process, ProcessListing
from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.schemas import Alert, AlertsChanged, Frame
from jupyter_gpuperf.sources.replay import ReplaySource

RECORDINGS = Path(__file__).parents[1] / "recordings"
POLL_SECONDS = 2.0
BEGAN = 1_700_000_000.0


@lru_cache
def frames_of(name: str) -> list[tuple]:
    path = RECORDINGS / "labelled" / f"{name}.jsonl.gz"
    if not path.exists():
        path = RECORDINGS / f"h100_{name}.jsonl.gz"  # or the package's own
    recording = load_recording(path, METRICS)
    return [
        (
            seconds,
            next(iter(recording.read(seconds).values())),
            recording.read_host(seconds),
            next(iter(recording.read_processes(seconds).values())),
            [replace(info, uuid="GPU") for info in recording.devices(seconds)],
        )
        for seconds in recording.seconds
    ]


class Played:
    """A recording played to a watch, without waiting."""

    def __init__(self, interval_seconds: float = 0.1, missing: Collection[str] = ()) -> None:
        changing = [metric for metric in METRICS if metric.kind != "limit"]
        self.history = HistoryStore(
            seconds=120,
            shortest_interval_seconds=0.1,
            device_metrics=[each.name for each in changing if each.scope == "device"],
            host_metrics=[each.name for each in changing if each.scope == "host"],
        )
        self.watch = DiagnosisWatch(RULES, self.history)
        self.interval_seconds, self.missing = interval_seconds, missing
        self.now = BEGAN
        self.reported: list[tuple[float, dict[str, str]]] = []
        self._looked = self.now

    def play(self, name: str, from_seconds: float = 0.0, until_seconds: float = 1000.0) -> Played:
        began, due = self.now - from_seconds, self.now
        for seconds, readings, host, listed, infos in frames_of(name):
            if not from_seconds <= seconds <= until_seconds or began + seconds < due - 0.01:
                continue
            due = max(due + self.interval_seconds, began + seconds)
            frame = Frame(
                time_seconds=began + seconds,
                devices={"GPU": readings | dict.fromkeys(self.missing, "not_supported")},
                host=host,
                host_cores_percent=[],
            )
            self.history.append(frame)
            self.now = frame.time_seconds + 0.1
            if frame.time_seconds - self._looked >= POLL_SECONDS:
                self._looked = frame.time_seconds
                self.watch.check(frame, infos, listings_of({"GPU": listed}, frame.time_seconds))
                now = {each.code: each.severity for each in self.watch.current.findings}
                self.reported.append((frame.time_seconds, now))
        return self

    def first_told(self, code: str) -> float:
        return next(time for time, codes in self.reported if code in codes)

    def loud(self) -> set[str]:
        return {
            code
            for _, codes in self.reported
            for code, severity in codes.items()
            if severity != "info"
        }


@pytest.mark.parametrize(
    ("name", "code", "began_seconds"),
    [
        ("input_bound_jpeg_1worker", "input-bound", 10.9),
        ("launch_bound_small_mlp", "launch-bound", 12.5),
        ("h2d_bound_pageable", "transfer-bound", 12.3),
        ("amp_off_gpt_fp32", "tensor-cores-idle", 13.6),
        ("near_oom_gpt_bf16", "memory-nearly-full", 11.0),
        ("power_capped_matmul", "power-capped", 9.9),
        ("checkpoint_stalls", "periodic-stall", 8.1),
    ],
)
def test_a_cause_is_told_within_15_seconds(name, code, began_seconds):
    played = Played().play(name)
    assert played.first_told(code) - BEGAN <= began_seconds + 15.0


@pytest.mark.parametrize("interval_seconds", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", ["healthy_gpt_bf16", "healthy_resnet50_bf16", "idle"])
def test_healthy_work_is_left_in_peace_from_its_start_to_its_end(name, interval_seconds):
    assert Played(interval_seconds).play(name).loud() == set()


@pytest.mark.parametrize(
    ("name", "loud"),
    [("healthy_gpt_bf16", set()), ("checkpoint_stalls", {"periodic-stall"})],
)
def test_that_a_replay_begins_again_is_no_event_of_the_work(name, loud):
    played, seconds = Played(), [0.0]
    path = RECORDINGS / f"h100_{name}.jsonl.gz"
    source = ReplaySource([path], METRICS, lambda: seconds[0])
    source.open()
    while seconds[0] < 120:  # four passes
        seconds[0] += 0.5
        (sample,) = source.read()
        now = BEGAN + seconds[0]
        frame = Frame(
            time_seconds=now, devices=sample.devices, host=sample.machine, host_cores_percent=[]
        )
        played.history.append(frame)
        if seconds[0] % POLL_SECONDS == 0:
            played.watch.check(frame, source.devices().devices, {}, sample.played_seconds)
            now_found = {each.code: each.severity for each in played.watch.current.findings}
            played.reported.append((now, now_found))
    assert played.loud() == loud
    first = next((at for at, codes in played.reported if loud <= codes.keys()), 0.0)
    later = [codes.keys() for at, codes in played.reported if at >= first]
    assert all(loud <= each for each in later)  # it does not come and go with each pass


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("healthy_gpt_bf16", set()),
        ("idle", set()),
        ("vit_bf16_compiled", set()),
        ("interactive_user", set()),
        ("slow_transform", {"input-bound"}),
        ("checkpoint_writer", {"periodic-stall"}),
    ],
)
def test_once_a_second_without_gpm_nothing_false_is_told(name, expected):
    played = Played(1.0, missing=(*GPM, *PCIE)).play(name)
    assert played.loud() <= expected
    assert expected <= {code for _, codes in played.reported for code in codes}
    (undecided,) = played.watch.current.undecided
    assert "tensor-cores-idle" in undecided.codes


def test_a_cause_that_comes_in_the_middle_of_good_work_is_told_within_15_seconds():
    played = Played().play("healthy_gpt_bf16")
    assert played.loud() == set()
    changed = played.now + 12.5  # when its kernels begin
    played.play("launch_bound_small_mlp")
    assert played.first_told("launch-bound") - changed <= 15.0


def test_what_is_over_is_taken_back_and_nothing_flickers():
    played = Played().play("power_capped_matmul").play("idle").play("idle")
    states = ["power-capped" in codes for _, codes in played.reported]
    assert states[0] is False
    assert states[-1] is False
    changes = sum(before != after for before, after in pairwise(states))
    assert changes == 2  # it came once, and went once


def test_a_clock_that_is_set_back_ends_nothing_and_raises_nothing():
    played = Played().play("input_bound_jpeg_1worker")
    played.now -= 3600
    played._looked = played.now
    played.play("input_bound_jpeg_1worker")
    assert "input-bound" in played.reported[-1][1] or played.reported[-1][1] == {}


def test_since_when_a_finding_holds_does_not_move():
    played = Played().play("launch_bound_small_mlp")
    (finding,) = played.watch.current.findings
    assert BEGAN + 12.5 <= finding.since_seconds <= BEGAN + 23.0
    assert finding.cost is None  # the summary has it
    assert f"{100 - 100 * finding.lost_ratio:.0f} %" in finding.summary


def test_what_an_alert_says_already_is_marked_while_it_does():
    played = Played()
    alerts = AlertWatch(RULES)
    played.watch = DiagnosisWatch(RULES, played.history, alerts=lambda: alerts.current)
    marks, reported = [], []
    append = played.history.append

    def tick(frame):
        append(frame)
        alerts.message_after(frame)
        reported.append(played.watch.message_after(frame))
        marks.append(
            {
                each.alert
                for each in played.watch.current.findings
                if each.code == "memory-nearly-full"
            }
        )
        holds = {each.code for each in alerts.current.alerts}
        assert marks[-1] <= ({"memory_nearly_full"} if holds else {None})

    played.history.append = tick
    played.play("near_oom_gpt_bf16").play("idle")
    assert {"memory_nearly_full"} in marks
    assert {None} in marks  # the finding looks back at a minute, and outlives the alert
    assert any(reported)  # pages hear of it by the tick that saw it


def test_an_alert_of_another_device_or_of_something_else_marks_nothing():
    played = Played()
    alerts = AlertsChanged(
        alerts=[
            Alert(
                code=code,
                severity="warning",
                device=device,
                since_seconds=0.0,
                summary="",
                advice="",
                evidence={},
            )
            for code, device in (("memory_nearly_full", "OTHER"), ("throttled", "GPU"))
        ]
    )
    played.watch = DiagnosisWatch(RULES, played.history, alerts=lambda: alerts)
    played.play("near_oom_gpt_bf16")
    marks = {each.code: each.alert for each in played.watch.current.findings}
    assert marks["memory-nearly-full"] is None


def test_work_that_goes_well_takes_back_what_was_wrong_before_it():
    played = Played().play("input_bound_jpeg_1worker")
    assert "input-bound" in played.reported[-1][1]
    changed = played.now
    for _ in range(2):  # while it is busy
        played.play("healthy_gpt_bf16", from_seconds=12.0, until_seconds=22.0)
    taken_back = next(
        time for time, codes in played.reported if time > changed and "input-bound" not in codes
    )
    assert taken_back - changed <= 12.0


def test_a_holder_that_has_gone_is_taken_back_although_its_device_is_listed_no_more():
    played = Played(interval_seconds=1.0)
    _, readings, host, _, infos = frames_of("healthy_resnet50_bf16")[-1]
    held = readings | {"utilization_percent": 0.0, "memory_used_bytes": 20.0 * 2**30}
    old = Process(
        pid=1, notebook="old.ipynb", memory_used_bytes=20 * 2**30, sm_utilization_percent=0.0
    )

    def look(second: int, listed: dict[str, ProcessListing]) -> list[str]:
        frame = Frame(
            time_seconds=BEGAN + second, devices={"GPU": held}, host=host, host_cores_percent=[]
        )
        played.history.append(frame)
        played.watch.check(frame, infos, listed)
        return [each.code for each in played.watch.current.findings]

    for second in range(60):
        codes = look(second, {"GPU": ProcessListing(time_seconds=BEGAN + second, processes=(old,))})
    assert codes == ["idle-memory-holder"]
    held["memory_used_bytes"] = (
        0.5 * 2**30
    )  # it was shut down: nothing is in use, nothing is listed
    for second in range(60, 150):
        codes = look(second, {})
    assert codes == []
