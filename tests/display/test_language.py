"""Everything that is displayed appears in the reader's language, here Chinese."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import msgspec
import pytest
from found_speedup import found_speedup, nothing_taken
from made import steps
from measured import measured, suite
from simulated import BUDGET, PROBE

from jupyter_gpuperf import recordings
from jupyter_gpuperf.ab_tests.ab_test import ABTestResult
from jupyter_gpuperf.checks import CHECKS, subject_of
from jupyter_gpuperf.client import watch_session
from jupyter_gpuperf.client.diagnosis import diagnosis_of
from jupyter_gpuperf.client.failures import BenchmarkError
from jupyter_gpuperf.client.speedup_as_result import speedup_as_result
from jupyter_gpuperf.client.terminal_recording import summary_sentence
from jupyter_gpuperf.client.watch_session import WatchSession
from jupyter_gpuperf.display.cell_speedup import CellSpeedup
from jupyter_gpuperf.display.comparison_view import ComparisonView, comparison_lines
from jupyter_gpuperf.display.doctor_report import DoctorComparisonView, DoctorReportView
from jupyter_gpuperf.display.document import Sentence
from jupyter_gpuperf.display.history_view import HistoryView
from jupyter_gpuperf.display.numbers import format_parameter, split_name
from jupyter_gpuperf.display.precision_result import AmpProfile
from jupyter_gpuperf.display.profile_view import ProfileView
from jupyter_gpuperf.display.progress import format_status
from jupyter_gpuperf.display.result import Result
from jupyter_gpuperf.display.speedup_view import SpeedupView
from jupyter_gpuperf.display.suite_view import SuiteView
from jupyter_gpuperf.display.tuning_view import TuningView
from jupyter_gpuperf.display.watch_report import WatchedCell, WatchReport
from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.jobs.job import new_record
from jupyter_gpuperf.levers.options import SpeedupOptions
from jupyter_gpuperf.loaders.setting import Setting, common_recipe
from jupyter_gpuperf.loops.step_profile import ProfileEntry, StepProfile
from jupyter_gpuperf.messages import Message, with_messages, without_messages
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.results.comparison import compare, compare_results
from jupyter_gpuperf.schemas import (
    CheckFinding,
    DoctorChange,
    DoctorComparison,
    DoctorReport,
    ErrorInfo,
    KeptResult,
    SuiteFailure,
)
from jupyter_gpuperf.tuning.space import SearchResult, Space
from jupyter_gpuperf.tuning.trial import Trial
from jupyter_gpuperf.tuning.verdict import (
    data_source_summary,
    describe_bottleneck,
    doubts,
    summary_of,
)

WORDS = re.compile(r"\b[A-Za-z']{2,}(?: [A-Za-z']{2,})+\b")
NAMES = frozenset(
    {"gpus all", "import torch", "gpuwatch on", "torch DataLoader", "ms CPU", "NVIDIA GPU"}
)
"""Names, commands and units that stay English."""
FAILURE = ErrorInfo(
    code="package_missing", message="Nothing is being recorded.", hint="Add --tune."
)


@pytest.fixture(autouse=True)
def _chinese(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")


def english(text):
    """Return the runs of English words that are no names."""
    return [each for each in WORDS.findall(text) if each not in NAMES]


def doctor():
    statuses = ("fail", "warn", "ok", "unknown")
    checks = [
        CheckFinding(
            id=check.name,
            subject=subject_of(check),
            label=check.label,
            status=statuses[number % len(statuses)],
            found="…",
            expected=check.expected,
            why=check.why,
            fix="pip",
            then="",
            link=check.link,
            seconds=0.1,
        )
        for number, check in enumerate(CHECKS)
    ]
    report = DoctorReport(
        checks=checks,
        kernel_name=None,
        interpreter="python",
        environment={},
        packages={},
        taken_seconds=1.0,
        duration_seconds=1.0,
    )
    return DoctorReportView(report, shows_all=True)


def doctor_comparison():
    kinds = ("check", "environment", "package")
    changes = [DoctorChange(kind=kind, name="torch", before=None, after="2.11") for kind in kinds]
    return DoctorComparisonView(DoctorComparison(changes=changes), before="old", after="now")


class Subject:
    is_stream, batches_drawn, batches_per_epoch = False, 300, 100


def tuning():
    """Return a tuning as it is shown after it was stored and read again."""
    best, recipe = Setting.of(num_workers=4, pin_memory=True), common_recipe(8)
    trials = [
        Trial(setting=best, blocks=[0.01] * 5, roles={"recommended", "kept"}, cpu_cores=3.9),
        Trial(setting=Setting.of(num_workers=0), blocks=[0.1] * 5, roles={"present"}, aborted=True),
        Trial(setting=recipe, roles={"golden"}, error=Message("no batch came in time")),
        Trial(setting=Setting.of(num_workers=2, in_order=False), blocks=[0.02] * 5),
    ]
    found = SearchResult(trials=trials, best=trials[0], enough=False, cut_short=True)
    named = {"present": trials[1].setting, "golden": recipe}
    space = Space(named=named, base=best, most_workers=8, cpus=4.0)
    probe = dataclasses.replace(PROBE, cv_threads=4, uses_cuda=True, read_bytes=1000)
    budget = dataclasses.replace(BUDGET, quota_cpus=2.0, local_ranks=2)
    data = {
        "loader": "train_loader",
        "trials": [each.to_dict(100) for each in trials],
        "recommended": best.to_dict(),
        "code": "",
        "summary": summary_of(trials[0], found, space),
        **describe_bottleneck(trials[0], found, probe, budget),
        "warnings": doubts(probe, budget, trials[0]),
        "regime_summary": data_source_summary("warm", Subject(), copies=True),
        "batch_size": 32,
        "budget": dataclasses.asdict(budget),
        "environment": {"device": "cpu", "data_set": "torchvision.ImageFolder", "torch": "2.11"},
        "seconds": 60.0,
    }
    return TuningView(without_messages(json.loads(json.dumps(with_messages(data)))))


def result():
    data = msgspec.structs.replace(measured(), limits={"pass_seconds": 0.5, "copy_seconds": 0.1})
    earlier = [
        KeptResult(id=1, created_seconds=0.0, baseline=each, result=measured(2.0))
        for each in (True, False)
    ]
    lines = [
        line
        for each in earlier
        for line in comparison_lines(each, compare_results(each.result, data))
    ]
    return Result(data, best={"images_per_second": 80.0}, comparison=lines)


def history():
    return HistoryView([KeptResult(id=1, created_seconds=0.0, baseline=True, result=measured())])


def a_suite():
    failure = SuiteFailure(benchmark="train", error=FAILURE)
    return SuiteView(msgspec.structs.replace(suite(measured()), failures=[failure]), None)


def comparison():
    before = suite(measured(), measured(benchmark="train"), rounds=1)
    after = suite(measured(2.0, environment={"torch": "2.13"}), rounds=1)
    return ComparisonView(compare(before, after), "old", "new")


def watched():
    cell = WatchedCell(1, 0.0, 2.0, 2.0**30, busy_ratio=0.5, energy_joules=100.0)
    loops = [steps(), steps(is_training=False, num_workers=0)]
    return [WatchReport(watch_session._heading(WatchSession()), loops, [cell], []), cell.line()]


def headroom():
    interval = {"value": 1.2, "low": 1.1, "high": 1.3}
    return SpeedupView(
        ABTestResult(
            what=Message("no data loading"),
            before=interval,
            after=interval,
            speedup=interval,
            samples={"before": [1.0], "after": [1.0]},
            steps_per_block={"before": 2, "after": 2},
            restored=["Adam"],
            doubt=None,
            cost_seconds=3.0,
        )
    )


def profile():
    shares = [ProfileEntry("name", 2.0, 0.01)]
    seconds = (
        "step_seconds",
        "plain_step_seconds",
        "wait_seconds",
        "busy_seconds",
        "kernel_seconds",
    )
    rates = ("idle_in_next_seconds", "idle_elsewhere_seconds", "cost_seconds", "kernels_per_step")
    figures = dict.fromkeys((*seconds, *rates, "gaps_per_step"), 1.0)
    lists = dict.fromkeys(("copies", "syncs", "kernels", "operations"), shares)
    return ProfileView(StepProfile(steps=5, **figures, **lists))


def amp_profile():
    interval = {"value": 0.1, "low": 0.1, "high": 0.1}
    modes = [
        ModeOutcome(mode="fp32", step_seconds=interval, numerics={"verdict": "reference"}),
        ModeOutcome(mode="bf16", step_seconds=interval, steps_skipped=2, energy_joules=interval),
        ModeOutcome(mode="fp16"),
    ]
    return AmpProfile(Profile(modes=modes, now=None, same_as_now="fp32", steps_per_run=2))


def cell_speedup():
    answers = (found_speedup(), nothing_taken())
    return [CellSpeedup(each, speedup_as_result(each, SpeedupOptions(), "x")) for each in answers]


def diagnosis():
    path = Path(recordings.__file__).parent / "h100_input_bound_jpeg_1worker.jsonl.gz"
    return dataclasses.replace(diagnosis_of(path), findings=[])


EXAMPLES = (
    *(doctor, doctor_comparison, tuning, result, history, a_suite, comparison, watched, headroom),
    *(profile, amp_profile, cell_speedup, diagnosis),
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_what_is_displayed_is_in_chinese(example):
    views = example()
    for view in views if isinstance(views, list) else [views]:
        assert english(repr(view)) == []
        if hasattr(view, "_repr_html_"):
            assert english(re.sub(r"<[^>]*>", "\n", view._repr_html_())) == []


@pytest.mark.parametrize("state", ["queued", "running", "done", "failed", "cancelled"])
def test_progress_is_in_chinese(state):
    times = {"created_seconds": 0.0, "started_seconds": 0.0, "ended_seconds": 5.0}
    job = new_record("compute", {}, state=state, remaining_seconds=9.0, **times)
    assert english(format_status(job, 7.0)) == []
    assert re.search(r"[\u4e00-\u9fff]", format_status(job, 7.0))


def test_an_error_is_shown_in_chinese_and_stays_english_for_programs():
    error = NotFound(
        "unknown_name", "{name} is not defined in this notebook.", "Add --tune.", name="x"
    )
    shown = BenchmarkError.of(error)
    assert shown.lines() == ["此笔记本中未定义 x。", "请加上 --tune。"]
    assert str(shown) == "x is not defined in this notebook.\nAdd --tune."
    assert shown.to_dict()["message"] == "x is not defined in this notebook."


def test_a_recording_is_summed_up_in_chinese():
    figures = {"frames_count": 3, "duration_seconds": 1.0, "size_bytes": 5000, "dropped_count": 1}
    assert english(summary_sentence({"file": "run.jsonl.gz", "error": None, **figures})) == []


def test_a_user_s_name_stays_as_it_is_even_if_the_catalogue_has_the_word():
    assert format_parameter("loader", "loader") == "加载器 loader"
    assert repr(Sentence("loader")) == "loader"


def test_figures_by_threads_and_workers_are_in_chinese():
    label, unit = split_name("float32_2_threads_flops_per_second")
    assert (translated(label), unit) == ("float32 · 2 个线程", "flops_per_second")
