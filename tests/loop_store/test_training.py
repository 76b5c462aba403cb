"""What the server makes of what kernels tell, beside a device's readings."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.notebook_sessions import KEPT_TALLIES, MOST_LOADERS, MOST_NOTEBOOKS
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.recordings.anonymized import anonymized_training
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.schemas import Frame, encode
from jupyter_gpuperf.schemas.cells import CellRan
from jupyter_gpuperf.schemas.training import (
    ExplainNow,
    MemoryGrowth,
    Steps,
    StepTally,
    WatchedLoop,
)

GPU = "GPU-1"
NOW = 1_000_000.0


class Server:
    """A store on a clock that the test turns, with a device whose readings it gives."""

    def __init__(self):
        self.time = NOW
        self.active = []
        self.said = []
        self.replayed_training = None
        self.history = HistoryStore(
            seconds=600,
            shortest_interval_seconds=0.1,
            device_metrics=["graphics_active_percent", "utilization_percent", "power_watts"],
            host_metrics=[],
        )
        self.store = TrainingStore(
            DeviceUsage(self.history, now=lambda: self.time),
            replayed_training=lambda: self.replayed_training,
            on_active=self.active.append,
            now=lambda: self.time,
            device_of={8: GPU}.get,
        )

    def tick(self, seconds=1.0, **readings):
        self.time += seconds
        frame = Frame(
            time_seconds=self.time, devices={GPU: readings}, host={}, host_cores_percent=[]
        )
        self.history.append(frame)
        return self.store.message_after(frame)

    def come(self, key="k1", pid=7):
        def send(message):
            self.said.append(message)

        self.store.add_connection(key, pid, send)
        return send

    def tell(self, key="k1", pid=7, loader=None, **changes):
        loader = loader or WatchedLoop(
            id=1,
            name="train_loader",
            device_uuid=GPU,
            batch_size=32,
            batches_per_epoch=1000,
            num_workers=4,
        )
        fields = {
            "began_seconds": self.time - 0.5,
            "ended_seconds": self.time,
            "count": 10,
            "training_count": 10,
            "interrupted_count": 0,
            "samples_count": 320.0,
            "step_seconds": 0.5,
            "wait_seconds": 0.2,
            "event_step_seconds": 0.5,
            "event_idle_seconds": 0.15,
            "epoch_batches": 400,
            "bins": {62: 10},
        } | changes
        tally = StepTally(loader=loader.id, **fields)
        steps = Steps(
            kernel_id=key, notebook_path="a/train.ipynb", loaders=[loader], tallies=[tally]
        )
        self.store.store_steps(key, pid, steps)


@pytest.fixture
def server():
    return Server()


def test_a_step_is_split_into_busy_idle_for_data_and_idle_for_the_host(server):
    server.come()
    for index in range(24):
        read = (index + 5) // 10  # every five seconds, and repeated
        server.tick(0.5, graphics_active_percent=50.0 + 0.001 * read, utilization_percent=90.0)
        server.tell()
    (steps,) = server.store.steps_over(10)
    assert steps.count == 210
    assert steps.samples_per_second == pytest.approx(640)
    assert steps.wait_ratio == pytest.approx(0.4)
    assert steps.busy_metric == "graphics_active_percent"
    assert steps.busy_ratio == pytest.approx(0.5, abs=0.001)
    assert steps.idle_for_data_ratio == pytest.approx(0.3)
    assert steps.idle_for_host_ratio == pytest.approx(0.2, abs=0.001)
    assert steps.epoch_left_seconds == pytest.approx(600 * 0.05)
    assert (steps.pid, steps.notebook, steps.loader) == (7, "a/train.ipynb", "train_loader")
    assert steps.bins[0].low_seconds <= 0.05 < steps.bins[0].high_seconds


def test_without_gpm_the_drivers_utilisation_counts_and_without_readings_nothing_does(server):
    server.come()
    server.tick(utilization_percent=70.0)
    server.tell()
    (steps,) = server.store.steps_over(10)
    assert (steps.busy_metric, steps.busy_ratio) == ("utilization_percent", pytest.approx(0.7))
    elsewhere = WatchedLoop(id=2, name="other", device_uuid="GPU-9")
    server.tell(loader=elsewhere)
    (other,) = [each for each in server.store.steps_over(10) if each.loader == "other"]
    assert (other.busy_ratio, other.idle_for_host_ratio) == (None, None)
    assert other.idle_for_data_ratio == pytest.approx(0.3)


def test_without_events_the_gpus_idle_time_is_not_known(server):
    server.come()
    server.tell(event_step_seconds=0.0, event_idle_seconds=0.0)
    (steps,) = server.store.steps_over(10)
    assert (steps.idle_for_data_ratio, steps.idle_for_host_ratio) == (None, None)
    assert steps.wait_ratio == pytest.approx(0.4)


def test_a_loop_of_another_framework_is_on_the_device_that_its_process_uses(server):
    watched = WatchedLoop(id=1, name="batches")
    nothing = dict.fromkeys(("event_step_seconds", "event_idle_seconds"), 0.0)
    for pid in (7, 8):  # only the second is known to use a device
        server.come(f"k{pid}", pid)
        server.tick(utilization_percent=30.0)
        server.tell(f"k{pid}", pid, loader=watched, **nothing)
    server.tick(utilization_percent=30.0)
    unknown, known = server.store.steps_over(10)
    assert (unknown.device_uuid, unknown.busy_ratio) == (None, None)
    assert (known.device_uuid, known.busy_ratio) == (GPU, pytest.approx(0.3))
    assert known.wait_ratio == pytest.approx(0.4)


@pytest.mark.parametrize("bounded_by", ["optimizer", "module"])
def test_what_a_loop_without_a_loader_waits_for_is_unknown_and_not_zero(server, bounded_by):
    server.come()
    server.tick(utilization_percent=30.0)
    loop = WatchedLoop(id=1, name="optimizer", bounded_by=bounded_by, device_uuid=GPU)
    nothing = dict.fromkeys(
        ("wait_seconds", "event_step_seconds", "event_idle_seconds", "samples_count"), 0.0
    )
    server.tell(loader=loop, **nothing)
    server.tick(utilization_percent=30.0)
    (steps,) = server.store.steps_over(10)
    assert (steps.bounded_by, steps.loader) == (bounded_by, "optimizer")
    assert (steps.wait_ratio, steps.idle_for_data_ratio, steps.idle_for_host_ratio) == (None,) * 3
    assert (steps.samples_per_second, steps.batches_per_epoch) == (None, None)
    assert (steps.busy_ratio, steps.step_seconds) == (pytest.approx(0.3), pytest.approx(0.05))
    history = server.store.training(seconds=60, step_seconds=1.0).history["k1"]
    assert "wait_ratio" not in history.metrics or set(history.metrics["wait_ratio"].mean) == {None}


def test_only_steps_of_the_seconds_asked_for_count(server):
    server.come()
    server.tell(step_seconds=5.0)
    server.tick(30)
    server.tell()
    (steps,) = server.store.steps_over(10)
    assert steps.step_seconds == pytest.approx(0.05)
    server.tick(30)
    assert server.store.steps_over(10) == []


def test_pages_are_told_once_a_second_while_something_is_told(server):
    server.come()
    server.tell()
    told = [server.tick(0.25) is not None for _ in range(8)]
    assert sum(told) == 1
    server.tell()
    server.tick(1)
    (notebook,) = server.store.latest.notebooks
    assert (notebook.key, notebook.connected) == ("k1", True)


def test_the_history_has_a_gap_where_the_loop_stood(server):
    server.come()
    for _ in range(3):
        server.tell()
        server.tick(1)
    for _ in range(20):
        server.tick(1)
    server.tell()
    server.tick(1)
    history = server.store.training(seconds=60, step_seconds=1).history["k1"]
    assert len(history.times_seconds) == 4
    assert history.metrics["samples_per_second"].mean == [pytest.approx(640)] * 4


def test_the_training_loop_comes_before_the_evaluation(server):
    server.come()
    server.tell(loader=WatchedLoop(id=2, name="held_out"), training_count=0)
    server.tell()
    server.tick(1)
    (notebook,) = server.store.latest.notebooks
    assert [each.loader for each in notebook.loaders] == ["train_loader", "held_out"]


def test_devices_are_read_often_while_anybody_watches(server):
    first, second = server.come(), server.come("k2", 8)
    server.store.remove_connection("k1", first)
    assert server.active == [True]
    server.store.remove_connection("k2", second)
    assert server.active == [True, False]


def test_a_restarted_kernel_begins_anew_under_its_notebook(server):
    send = server.come()
    server.tell()
    server.store.remove_connection("k1", send)
    server.come(pid=99)
    server.tell(pid=99, loader=WatchedLoop(id=1, name="anew"))
    assert [each.loader for each in server.store.steps_over(10)] == ["anew"]


def shown_loops(server):
    return [each.loader for notebook in server.store.latest.notebooks for each in notebook.loaders]


def test_a_notebook_that_hung_up_leaves_the_list_and_stays_in_the_history(server):
    send = server.come()
    server.tell()
    server.store.remove_connection("k1", send)
    server.tick(1)
    assert [each.connected for each in server.store.latest.notebooks] == [False]
    assert shown_loops(server) == ["train_loader"]  # it may connect again at once
    assert server.tick(10).notebooks == []
    assert list(server.store.training(seconds=60, step_seconds=1).history) == ["k1"]


def test_a_loop_that_ended_leaves_the_list_without_a_word_of_its_kernel(server):
    server.come()
    server.tell()
    server.tick(1)
    assert shown_loops(server) == ["train_loader"]
    for _ in range(57):
        assert server.tick(1) is None
    server.tick(3)
    (notebook,) = server.store.latest.notebooks
    assert (notebook.connected, notebook.loaders) == (True, [])
    assert server.tick(1) is None


def test_long_steps_are_no_end(server):
    server.come()
    server.tell(count=1, step_seconds=30.0)
    server.tick(200)
    assert shown_loops(server) == ["train_loader"]
    server.tick(150)
    assert shown_loops(server) == []


def test_the_loops_of_a_rank_that_ended_leave_the_list(server):
    server.come()
    send = server.come(pid=8)
    server.tell()
    server.tell(pid=8, loader=WatchedLoop(id=1, name="of_rank_1"))
    server.store.remove_connection("k1", send)
    server.tick(12)
    assert shown_loops(server) == ["train_loader"]


def test_a_cells_footprint_is_of_its_own_time_and_missing_is_not_zero(server):
    for number in range(10):
        server.tick(1, utilization_percent=80.0 if number < 5 else 0.0, power_watts=500.0)
    cell = CellRan(
        kernel_id="k1",
        notebook_path=None,
        number=3,
        began_seconds=NOW + 0.5,
        ended_seconds=NOW + 5.4,
        device_uuids=[GPU],
    )
    found = server.store.footprint(cell)
    assert found.busy_percent == pytest.approx(80)
    assert found.energy_joules == pytest.approx(500 * 4.9)
    unseen = server.store.footprint(
        CellRan(
            kernel_id="k1",
            notebook_path=None,
            number=4,
            began_seconds=NOW + 5.2,
            ended_seconds=NOW + 5.3,
            device_uuids=[GPU],
        )
    )
    assert (unseen.busy_percent, unseen.energy_joules) == (None, None)


def test_explaining_is_asked_of_a_connected_kernel_alone(server):
    with pytest.raises(NotFound) as error:
        server.store.explain("k1", 5)
    assert error.value.code == "notebook_not_watching"
    server.come()
    server.store.explain("k1", 5)
    assert server.said == [ExplainNow(steps=5)]


def test_memory_stays_bounded(server):
    server.come()
    for number in range(3 * MOST_LOADERS):
        server.tell(loader=WatchedLoop(id=number, name=str(number)))
    assert len(server.store.steps_over(10)) == MOST_LOADERS
    for number in range(2 * MOST_NOTEBOOKS):
        server.tell(key=f"n{number}")
    shown = server.store.training(seconds=10, step_seconds=1).now.notebooks
    assert len(shown) <= MOST_NOTEBOOKS
    for _ in range(KEPT_TALLIES + 50):
        server.time += 1
        server.tell(key="long")
    (steps,) = [each for each in server.store.steps_over(1e6) if each.count > 1000]
    assert steps.count == 10 * KEPT_TALLIES


def test_a_recording_holds_no_names_of_notebooks(server):
    server.come()
    server.tell()
    written = anonymized_training(encode(server.tick(1)))
    assert b"train_loader" in written
    assert b"train.ipynb" not in written


def test_the_memory_of_a_loop_is_shown_and_a_recording_omits_the_names_of_variables(server):
    server.come()
    growth = MemoryGrowth(
        bytes_per_step=1e6, steps=90, outlasts_epoch=True, holder="losses", function="train"
    )
    info = WatchedLoop(id=1, name="train_loader", memory_growth=growth)
    server.tell(loader=info, allocated_bytes=2e9, reserved_bytes=3e9, peak_allocated_bytes=4e9)
    server.tell(loader=info)  # of steps that were not read
    shown = server.tick(1)
    (loop,) = shown.notebooks[0].loaders
    assert (loop.allocated_bytes, loop.reserved_bytes, loop.peak_allocated_bytes) == (2e9, 3e9, 4e9)
    assert loop.memory_growth == growth
    written = anonymized_training(encode(shown))
    assert b"bytes_per_step" in written
    assert b"losses" not in written


def test_a_replayed_recording_is_shown_as_of_now(server):
    server.come()
    server.tell()
    server.tick(1)
    recorded = server.store.latest
    later = Server()
    later.time = NOW + 5000
    later.replayed_training = recorded
    told = later.tick(1)
    (notebook,) = told.notebooks
    assert notebook.loaders[0].last_seconds == pytest.approx(later.time, abs=2)
    assert later.tick(1) is None  # it plays the same message still
    assert [each.loader for each in later.store.steps_over(30)] == ["train_loader"]
    assert later.store.training(seconds=60, step_seconds=1).history["k1"].times_seconds


def test_a_process_with_many_loops_does_not_displace_those_of_other_ranks(server):
    server.come(pid=7)
    server.come(pid=8)
    server.tell(pid=8, loader=WatchedLoop(id=1, name="of_rank_1"))
    for number in range(MOST_LOADERS + 5):
        server.tell(pid=7, loader=WatchedLoop(id=number, name=f"loader_{number}"))
    shown = [each.loader for each in server.store.steps_over(10)]
    assert len(shown) == MOST_LOADERS + 1
    assert "of_rank_1" in shown


def test_notebooks_that_reported_nothing_do_not_displace_those_that_did(server):
    gone = server.come("trained")
    server.tell("trained")
    server.store.remove_connection("trained", gone)
    for number in range(MOST_NOTEBOOKS + 5):
        server.store.remove_connection(f"k{number}", server.come(f"k{number}"))
    assert [
        each.key for each in server.store.training(seconds=10, step_seconds=1).now.notebooks
    ] == ["trained"]
