"""What keeps a trial from harming the notebook."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import time

import pytest
from data_sets import Items
from simulated import BUDGET, GIB, PROBE
from torch.utils.data import DataLoader

from jupyter_gpuperf.errors import BadRequest, Unavailable
from jupyter_gpuperf.loaders import cloudpickling as by_value_module
from jupyter_gpuperf.loaders.cloudpickling import cloudpickled, pickled_size
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.tuning.budget import current_budget
from jupyter_gpuperf.tuning.feasibility import infeasible_reason
from jupyter_gpuperf.tuning.safety import Watchdog, close, describe_failure
from jupyter_gpuperf.tuning.time_limit import Alarm, TimeIsUp

EIGHT = Setting.of(num_workers=8)


def test_what_fits_is_tried():
    assert infeasible_reason(EIGHT, probe=PROBE, budget=BUDGET) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shared_memory_bytes": 2**24}, "shared memory"),
        ({"memory_bytes": 2**26, "shared_memory_bytes": None}, "batches in flight"),
        ({"memory_bytes": 2**29, "shared_memory_bytes": None}, "8 workers"),
        ({"open_files": 128}, "files"),
    ],
)
def test_what_does_not_fit_is_not_tried_and_says_why(changes, words):
    reason = infeasible_reason(EIGHT, probe=PROBE, budget=dataclasses.replace(BUDGET, **changes))
    assert reason.startswith("not tried")
    assert words in reason
    assert infeasible_reason(Setting.of(num_workers=0), probe=PROBE, budget=BUDGET) is None


class Process:
    """A process as multiprocessing has it."""

    def __init__(self):
        self.popen = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self.pid = self.popen.pid

    @property
    def exitcode(self):
        return self.popen.poll()


def test_the_watchdog_ends_its_own_workers_and_nobody_elses(monkeypatch):
    own, other = Process(), Process()
    free = {"bytes": GIB}
    monkeypatch.setattr(resources, "available_memory_bytes", lambda: free["bytes"])
    monkeypatch.setattr(resources, "shared_memory_free_bytes", lambda: None)
    watchdog = Watchdog([own], dataclasses.replace(BUDGET, shared_memory_bytes=None))
    try:
        free["bytes"] = 10 * GIB
        watchdog.check()
        assert watchdog.reason is None
        free["bytes"] = GIB
        watchdog.check()
        assert "1.00 GiB of memory" in watchdog.reason
        assert own.popen.wait(30) == -signal.SIGKILL
        assert other.exitcode is None
    finally:
        for each in (own, other):
            each.popen.kill()
            each.popen.wait()


class Ended:
    def __init__(self, exitcode):
        self.exitcode = exitcode


@pytest.mark.parametrize(
    ("text", "exitcode", "words"),
    [
        ("DataLoader worker (pid 7) is killed by signal", -signal.SIGBUS, "/dev/shm"),
        ("DataLoader worker (pid 7) is killed by signal", -signal.SIGKILL, "memory ran out"),
        ("DataLoader timed out after 5 seconds", None, "no batch came in time"),
        (
            "Caught OSError in DataLoader worker process 0.\nTrace\nOSError: disk",
            1,
            "OSError: disk",
        ),
        ("DataLoader worker (pid(s) 7) exited unexpectedly", 1, "exited by itself"),
    ],
)
def test_how_a_trial_failed_is_told_in_a_line(text, exitcode, words):
    told = describe_failure(RuntimeError(text), [Ended(exitcode)])
    assert words in told
    assert "\n" not in told


def test_the_alarm_ends_what_hangs_and_leaves_the_users_own_handler():
    before, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    looked = []
    with Alarm(lambda: looked.append(True)) as alarm:
        with pytest.raises(TimeIsUp), alarm.within(60), alarm.within(0.4):
            time.sleep(60)
        with alarm.within(60):
            pass
    assert looked
    assert signal.getsignal(signal.SIGALRM) is before
    # Pytest may have one of its own, which ends a test that hangs.
    assert signal.getitimer(signal.ITIMER_REAL) == pytest.approx(timer, abs=5)


def test_a_timer_of_the_users_goes_on_beside_the_alarm():
    pytests = signal.setitimer(signal.ITIMER_REAL, 60.0)
    try:
        with Alarm() as alarm, pytest.raises(TimeIsUp), alarm.within(0.4):
            time.sleep(60)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 59.6
    finally:
        signal.setitimer(signal.ITIMER_REAL, *pytests)


def test_the_alarm_is_silent_while_it_is_held():
    with Alarm() as alarm, alarm.within(0.0), alarm.suspended():
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            pass


def test_a_quota_and_other_ranks_count(tmp_path):
    (tmp_path / "cpu.max").write_text("150000 100000")
    (tmp_path / "memory.max").write_text(str(GIB))
    (tmp_path / "memory.current").write_text("0")
    found = current_budget({"LOCAL_WORLD_SIZE": "2"}, tmp_path, tmp_path)
    assert found.quota_cpus == 1.5
    assert found.cpus <= 0.75
    assert found.memory_limit_bytes == GIB
    old = tmp_path / "v1"
    (old / "cpu").mkdir(parents=True)
    (old / "cpu" / "cpu.cfs_quota_us").write_text("50000")
    (old / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert current_budget({}, old, tmp_path).quota_cpus == 0.5


def test_a_class_of_a_notebook_reaches_a_fresh_process_by_value():
    pytest.importorskip("cloudpickle")
    names = {"__name__": "__main__"}
    exec("class Twice:\n    def __call__(self, x):\n        return 2 * x", names)
    made, arguments = cloudpickled(names["Twice"](), "collate function").__reduce__()
    assert made(*arguments)(4) == 8


def test_without_cloudpickle_a_class_of_a_notebook_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    names = {"__name__": "__main__"}
    exec("class Mine:\n    pass", names)
    with pytest.raises(Unavailable) as refusal:
        cloudpickled(names["Mine"](), "data set")
    assert refusal.value.code == "cloudpickle_missing"


def test_what_is_too_large_or_can_not_be_sent_is_refused(monkeypatch):
    monkeypatch.setattr(by_value_module, "MOST_BYTES", 1000)
    with pytest.raises(BadRequest) as refusal:
        cloudpickled(bytes(2000), "data set")
    assert refusal.value.code == "too_large_to_send"
    assert pickled_size(bytes(2000)) == 1001
    with pytest.raises(BadRequest) as refusal:
        cloudpickled((each for each in ()), "data set")
    assert refusal.value.code == "can_not_be_pickled"


def test_a_worker_killed_with_a_lock_in_its_hand_holds_up_nobody():
    iterator = iter(DataLoader(Items(), batch_size=8, num_workers=2))
    next(iterator)
    workers = list(iterator._workers)
    # What a worker takes when it looks whether it is to end; killed there, it never gives it back.
    iterator._workers_done_event._cond.acquire()
    began = time.perf_counter()
    close(iterator, workers, at_once=True)
    assert time.perf_counter() - began < 60  # else it would be for ever
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL] * 2
