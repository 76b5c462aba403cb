"""Each symptom on figures that no recording of ours shows, and each healthy look-alike."""

from __future__ import annotations

import ast

import msgspec
import pytest
from made import GIB, device, process, steps, window

from jupyter_gpuperf.rules import RULES, judge
from jupyter_gpuperf.schemas.phases import HostLine, PhaseSeconds
from jupyter_gpuperf.schemas.training import MemoryGrowth


def found(*arguments, **options):
    return {each.code: each for each in judge(window(*arguments, **options), RULES)}


def loud(*arguments, **options) -> set[str]:
    return {code for code, each in found(*arguments, **options).items() if each.severity != "info"}


def test_work_that_fills_the_device_is_healthy():
    assert loud() == set()


# --- power and heat ----------------------------------------------------------------------------------


def test_the_power_limits_bit_without_lost_clock_is_no_finding():
    assert "power-capped" not in found(device(clock_event_flags=4.0, clock_sm_mhz=1975.0))


@pytest.mark.parametrize(
    ("limit", "clock", "highest"),
    [(70.0, 900.0, 1590.0), (450.0, 2100.0, 3105.0), (1000.0, 1500.0, 1965.0)],
)
def test_a_power_limit_that_takes_clock_is_found_on_small_and_large_devices(limit, clock, highest):
    capped = device(
        clock_event_flags=4.0,
        clock_sm_mhz=clock,
        clock_sm_max_mhz=highest,
        power_watts=0.99 * limit,
        power_limit_watts=limit,
    )
    assert loud(capped) == {"power-capped"}


def test_clocks_that_the_user_set_are_not_the_power_limits_fault():
    assert loud(device(clock_event_flags=2.0, clock_sm_mhz=1200.0)) == set()


def test_heat_is_told_apart_from_power_and_the_hardwares_brake_is_critical():
    warm = device(clock_event_flags=32.0, clock_sm_mhz=1500.0, temperature_celsius=87.0)
    assert loud(warm) == {"thermal-throttled"}
    hot = device(clock_lost_thermal_hardware_ratio=0.4, clock_sm_mhz=900.0)
    assert found(hot)["thermal-throttled"].severity == "critical"


# --- precision and memory traffic --------------------------------------------------------------------


def test_tf32_at_work_is_not_idle_tensor_cores():
    tf32 = device(tensor_active_percent=45.0, fp32_active_percent=30.0)
    assert loud(tf32) == set()


def test_without_gpm_nothing_is_said_of_tensor_cores():
    blind = device(tensor_active_percent="not_supported", fp32_active_percent="not_supported")
    assert "tensor-cores-idle" not in found(blind)


# --- waiting -----------------------------------------------------------------------------------------


def interactive(moment: float) -> float:
    return 40.0 if moment % 1.0 < 0.1 else 0.0


@pytest.mark.parametrize("interval_seconds", [0.1, 1.0])
def test_a_person_who_makes_a_call_a_second_is_healthy(interval_seconds):
    calls = device(
        interval_seconds=interval_seconds,
        utilization_percent=interactive if interval_seconds < 1 else 4.0,
        sm_active_percent=interactive if interval_seconds < 1 else 3.0,
        memory_controller_percent=1.0,
        pcie_receive_bytes_per_second=2e7,
    )
    host = {"host_cpu_percent": 1.0}  # 0.16 cores
    assert loud(calls, host=host, interval_seconds=interval_seconds) == set()


def test_a_store_that_is_slow_is_found_although_the_machine_rests():
    bursts = device(
        interval_seconds=0.1,
        utilization_percent=[30.0, 0.0],
        sm_active_percent=[28.0, 0.0],
        pcie_receive_bytes_per_second=2e8,
    )
    slow_store = found(bursts, host={"host_cpu_percent": 2.0}, interval_seconds=0.1)
    assert slow_store["input-bound"].severity == "warning"
    assert "launch-bound" not in slow_store


def test_a_slow_disk_is_named_as_such():
    starved = device(utilization_percent=9.0, sm_active_percent=8.0)
    disk = {"host_cpu_percent": 2.0, "host_disk_read_bytes_per_second": 6e7}
    assert "disk" in found(starved, host=disk)["input-bound"].advice


def test_stalls_while_nothing_is_written_leave_both_causes_open():
    def square(moment: float) -> float:
        return 90.0 if moment % 4 < 2.5 else 0.0

    stalling = device(utilization_percent=square, sm_active_percent=square)
    both = found(stalling)
    assert both["periodic-stall"].severity == "warning"
    assert both["periodic-stall"].confidence == "suspected"
    assert both["input-bound"].severity == "info"


def test_copies_beside_the_work_cost_nothing():
    assert loud(device(pcie_receive_bytes_per_second=2e10)) == set()


def test_copies_are_held_against_the_link_that_there_is():
    narrow = device(
        utilization_percent=20.0,
        pcie_receive_bytes_per_second=3e9,
        pcie_link_generation=3.0,
        pcie_link_max_lanes=8.0,
    )
    assert "transfer-bound" in loud(
        narrow
    )  # a third of an H100's pageable rate, all of this link's


# --- other programs ----------------------------------------------------------------------------------


def test_two_programs_that_both_work_are_contention():
    both = device(processes=[process(1, share=52.0, notebook="a.ipynb"), process(2, share=44.0)])
    finding = found(both)["gpu-contention"]
    assert (finding.severity, finding.confidence) == ("warning", "confirmed")
    assert finding.evidence["a.ipynb_percent"] == 52.0


def test_a_second_program_that_only_holds_memory_is_no_contention_but_a_note():
    one = device(processes=[process(1, share=97.0), process(2, share=0.0, notebook="old.ipynb")])
    codes = found(one)
    assert "gpu-contention" not in codes
    assert codes["idle-memory-holder"].severity == "info"
    assert codes["idle-memory-holder"].notebook == "old.ipynb"


def test_memory_held_for_nothing_is_louder_where_it_is_scarce():
    full = device(
        processes=[process(1, 40, share=97.0), process(2, 33, share=0.0)],
        memory_used_bytes=74 * GIB,
    )
    assert found(full)["idle-memory-holder"].severity == "warning"


def test_programs_of_which_nothing_is_known_are_a_suspicion():
    unknown = device(processes=[process(1), process(2)])
    assert found(unknown)["gpu-contention"].severity == "info"


# --- memory ------------------------------------------------------------------------------------------


def test_memory_that_grows_step_by_step_is_told_before_it_is_full():
    leak = device(memory_used_bytes=lambda moment: (50 + 0.6 * moment) * GIB)
    finding = found(leak)["memory-nearly-full"]
    assert finding.confidence == "suspected"
    assert 3 <= finding.evidence["full_in_seconds"] <= 20


def test_memory_that_grows_far_from_full_is_not_told():
    """As with the alert: at three quarters, a program that loads its data is not in danger."""
    loading = device(memory_used_bytes=lambda moment: (45 + 0.45 * moment) * GIB)
    assert "memory-nearly-full" not in found(loading)


def test_memory_that_grew_is_told_of_a_recording_whose_program_has_ended():
    leak = device(memory_used_bytes=lambda moment: (40 + moment if moment < 33 else 0.5) * GIB)
    assert "memory-nearly-full" in found(leak)


def test_a_model_that_is_loaded_in_one_go_is_no_leak():
    loaded = device(memory_used_bytes=lambda moment: (20 if moment < 30 else 65) * GIB)
    assert "memory-nearly-full" not in found(loaded)


def test_a_full_job_that_ends_is_not_taken_for_an_error():
    ended = device(memory_used_bytes=lambda moment: (78.5 if moment < 35 else 0.5) * GIB)
    assert "out-of-memory" not in found(ended)


# --- several devices, and the CPU --------------------------------------------------------------------


def ring(uuid: str, **changes):
    return device(
        uuid,
        utilization_percent=100.0,
        sm_active_percent=35.0,
        pcie_receive_bytes_per_second=3e10,
        pcie_transmit_bytes_per_second=3e10,
        **changes,
    )


def test_devices_that_exchange_more_than_they_compute_wait_for_each_other():
    assert loud(ring("A"), ring("B")) == {"communication-bound"}
    assert "communication-bound" not in found(ring("A"))  # one alone has nobody to wait for


QUOTA = {
    "host_cpu_limit_cores": 2.0,
    "host_cpu_used_cores": 1.95,
    "host_cpu_throttled_ratio": 1.4,
}


def test_a_cpu_limit_that_is_used_up_is_found_where_the_gpu_waits_for_it():
    starved = device(utilization_percent=20.0, sm_active_percent=15.0)
    watched = steps(num_workers=8, wait_ratio=0.7, idle_for_data_ratio=0.7, idle_for_host_ratio=0.1)
    finding = found(starved, host=QUOTA, steps=[watched])["cpu-quota"]
    assert finding.severity == "warning"
    assert "num_workers=1" in finding.change
    assert "cpu-quota" not in loud(host=QUOTA)  # the device is busy all the same


# --- with the step clock -----------------------------------------------------------------------------


def test_a_loop_without_a_loader_confirms_nothing_about_data_and_is_to_be_profiled():
    own_batches = steps(
        bounded_by="optimizer",
        loader="optimizer",
        wait_ratio=None,
        idle_for_data_ratio=None,
        idle_for_host_ratio=None,
        busy_ratio=0.3,
    )
    idle = device(utilization_percent=30.0, sm_active_percent=25.0)
    with_loop, without = found(idle, steps=[own_batches]), found(idle)
    assert with_loop.keys() == without.keys() != set()
    for finding in with_loop.values():
        assert finding.confidence == "suspected"
        assert finding.notebook == "train.ipynb"
    for code in with_loop.keys() & {"input-bound", "launch-bound"}:
        assert "%gpuwatch explain" in with_loop[code].change
        assert "%gpuwatch on" in without[code].change


def test_a_loader_of_another_framework_costs_no_more_than_the_device_is_idle():
    """Only the host's waits are known; the device may have queued work."""
    watched = steps(
        loader="batches", wait_ratio=0.6, idle_for_data_ratio=None, idle_for_host_ratio=None
    )
    finding = found(device(utilization_percent=30.0, sm_active_percent=25.0), steps=[watched])[
        "input-bound"
    ]
    assert finding.summary == "The loop waits for batches 60 % of the time."
    assert finding.lost_ratio == pytest.approx(0.6)
    partly = found(device(utilization_percent=70.0, sm_active_percent=65.0), steps=[watched])
    assert partly["input-bound"].lost_ratio == pytest.approx(0.32, abs=0.03)
    assert "input-bound" not in found(device(utilization_percent=97.0), steps=[watched])


OWN = {
    "bounded_by": "optimizer",
    "loader": "optimizer",
    "wait_ratio": None,
    "idle_for_data_ratio": None,
    "idle_for_host_ratio": None,
    "busy_ratio": 0.36,
}
IDLE = {"utilization_percent": 36.0, "sm_active_percent": 30.0}


def line(ratio, function="get_batch", **options):
    return HostLine(function=function, file="train.py", line=12, ratio=ratio, **options)


def prepared(gpu_seconds, **changes):
    """Return steps of 0.1 s in which the GPU is idle for so long while the function prepares a batch."""
    data = PhaseSeconds(host_seconds=0.065, gpu_seconds=gpu_seconds, gpu_idle_seconds=gpu_seconds)
    lines = [line(0.1, "log"), line(0.65, is_bounded=True)]
    return steps(**{**OWN, "phases": {"data": data}, "host_lines": lines, **changes})


def test_the_function_in_which_the_gpu_is_idle_is_named_and_confirmed():
    codes = found(device(**IDLE), steps=[prepared(0.061)])
    finding = codes["input-bound"]
    assert finding.summary == "GPU idle 61 % of the step: get_batch, line 12."
    assert (finding.severity, finding.confidence) == ("critical", "confirmed")
    assert finding.evidence["idle_in_function_ratio"] == pytest.approx(0.61)
    assert finding.evidence["file"] == "train.py"
    assert "launch-bound" not in codes  # 3 % are left


def test_a_function_costs_no_more_than_the_device_is_idle():
    busy = device(utilization_percent=97.0)  # what it queues itself keeps the device busy
    assert "input-bound" not in found(busy, steps=[prepared(0.061)])


def test_what_is_idle_apart_from_the_function_is_left_for_launches():
    codes = found(device(**IDLE), steps=[prepared(0.02)])
    assert codes["input-bound"].summary == "GPU idle 20 % of the step: get_batch, line 12."
    assert codes["launch-bound"].confidence == "confirmed"
    assert codes["launch-bound"].lost_ratio == pytest.approx(0.44)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("get_batch", "GPU idle at least 34 % of the step in get_batch, line 12."),
        ("<module>", "GPU idle at least 34 % of the step in line 12 of the loop."),
    ],
)
def test_without_events_two_large_shares_overlap_at_least_by_the_rest(function, text):
    loop = steps(**OWN, host_lines=[line(0.8, function)])
    codes = found(device(**IDLE), steps=[loop])
    assert codes["input-bound"].summary == text
    assert codes["input-bound"].confidence == "confirmed"
    assert "%gpuwatch explain" in codes["input-bound"].change


def test_a_line_with_a_small_share_proves_nothing():
    fed = device(**IDLE, pcie_receive_bytes_per_second=1e9)
    codes = found(fed, steps=[steps(**OWN, host_lines=[line(0.4)])])
    assert {each.confidence for each in codes.values()} == {"suspected"}
    assert codes["input-bound"].evidence["function"] == "get_batch, line 12"


def test_a_function_in_which_nothing_is_idle_refutes_the_suspicion():
    fed = device(**IDLE, pcie_receive_bytes_per_second=1e9)
    codes = found(fed, steps=[prepared(0.002)])
    assert "input-bound" not in codes
    assert codes["launch-bound"].confidence == "confirmed"


def test_other_code_of_the_loop_leaves_the_rest_open():
    lines = [line(0.3, "log"), line(0.35, is_bounded=True)]
    codes = found(device(**IDLE), steps=[prepared(0.02, host_lines=lines)])
    assert codes["input-bound"].lost_ratio == pytest.approx(0.2)
    assert "confirmed" not in {
        each.confidence for code, each in codes.items() if code == "launch-bound"
    }
    larger = [line(0.5, "log"), line(0.35, is_bounded=True)]
    fed = device(**IDLE, pcie_receive_bytes_per_second=1e9)
    codes = found(fed, steps=[prepared(0.02, host_lines=larger)])
    assert codes["input-bound"].confidence == "suspected"
    assert codes["input-bound"].evidence["function"] == "log, line 12"


def test_of_a_loader_and_a_function_the_larger_wait_is_named():
    data = PhaseSeconds(host_seconds=0.05, gpu_seconds=0.05, gpu_idle_seconds=0.05)
    changes = {"phases": {"data": data}, "host_lines": [line(0.5, "augment", is_bounded=True)]}
    little = steps(wait_ratio=0.1, idle_for_data_ratio=0.1, idle_for_host_ratio=0.5, **changes)
    assert "augment" in found(device(**IDLE), steps=[little])["input-bound"].summary
    much = steps(wait_ratio=0.4, idle_for_data_ratio=0.4, idle_for_host_ratio=0.2, **changes)
    assert found(device(**IDLE), steps=[much])["input-bound"].summary.startswith("GPU waits")


def test_preparation_after_a_loader_is_found_beside_its_wait():
    data = PhaseSeconds(host_seconds=0.05, gpu_seconds=0.047, gpu_idle_seconds=0.047)
    loop = steps(
        idle_for_data_ratio=0.02,
        idle_for_host_ratio=0.62,
        phases={"data": data},
        host_lines=[line(0.5, "augment", is_bounded=True)],
    )
    codes = found(device(**IDLE), steps=[loop])
    assert codes["input-bound"].summary == "GPU idle 45 % of the step: augment, line 12."
    assert codes["launch-bound"].lost_ratio == pytest.approx(0.17)


def test_the_step_clock_confirms_and_the_loss_is_counted_by_epoch():
    starved = device(utilization_percent=30.0, sm_active_percent=25.0)
    watched = steps(
        wait_ratio=0.66,
        idle_for_data_ratio=0.6,
        idle_for_host_ratio=0.1,
        arguments=["train_loader.dataset", "batch_size=64"],
    )
    finding = found(starved, steps=[watched])["input-bound"]
    assert (finding.severity, finding.confidence) == ("critical", "confirmed")
    assert finding.lost_seconds_per_epoch == pytest.approx(60.0)
    assert finding.notebook == "train.ipynb"
    ast.parse(finding.change)
    assert "train_loader = torch.utils.data.DataLoader(" in finding.change
    assert "num_workers=4" in finding.change


def test_the_step_clock_refutes_what_the_drivers_readings_suggest():
    idle = device(utilization_percent=30.0, sm_active_percent=25.0)
    data = {"pcie_receive_bytes_per_second": 1e9}
    suspected = found(device(utilization_percent=30.0, sm_active_percent=25.0, **data))
    assert {"input-bound", "launch-bound"} <= set(suspected)
    watched = steps(wait_ratio=0.003, idle_for_data_ratio=0.0, idle_for_host_ratio=0.7)
    codes = found(idle, steps=[watched])
    assert "input-bound" not in codes
    assert codes["launch-bound"].confidence == "confirmed"


def test_a_host_that_waits_while_the_gpu_has_work_costs_little():
    """The host's own wait overstates starvation: work is queued on the device."""
    watched = steps(wait_ratio=0.36, idle_for_data_ratio=0.03)
    assert "input-bound" not in found(steps=[watched])


def test_item_calls_that_cost_nothing_are_nobodys_business():
    watched = steps(idle_for_host_ratio=0.02)
    assert loud(steps=[watched]) == set()


@pytest.mark.parametrize("arguments", [None, []])
def test_a_loader_that_nobody_could_rebuild_gets_its_settings_and_no_code(arguments):
    starved = device(utilization_percent=30.0)
    watched = steps(wait_ratio=0.6, idle_for_data_ratio=0.6, arguments=arguments)
    change = found(starved, steps=[watched])["input-bound"].change
    assert ast.parse(change).body == []
    assert "num_workers=4" in change


# --- growing memory ----------------------------------------------------------------------------------


def grows(mib=10, **changes):
    fields = {"bytes_per_step": mib * 2.0**20, "steps": 100, "outlasts_epoch": False} | changes
    return steps(memory_growth=MemoryGrowth(**fields), allocated_bytes=5 * GIB)


def growth_in(loop):
    return found(steps=[loop]).get("memory-growth")


def test_kept_graphs_are_found_with_their_name_and_when_memory_will_be_full():
    finding = growth_in(grows(holder="losses", holds_graphs=True))
    # 60 GiB are free; 6144 steps of 0.1 s
    expected = "losses grows by one graph a step, 10.0 MiB; memory is full in about 10 min."
    assert finding.summary == expected
    assert "loss.item()" in finding.advice
    assert (finding.severity, finding.notebook, finding.pid) == ("warning", "train.ipynb", 7)
    assert finding.evidence["full_in_seconds"] == pytest.approx(614.4)


def test_a_local_variable_is_named_with_its_function():
    finding = growth_in(grows(holder="outputs", function="Trainer.fit", outlasts_epoch=True))
    assert finding.summary.startswith("outputs in Trainer.fit() grows by 10.0 MiB a step;")
    assert ".cpu()" in finding.advice


def test_growth_without_a_known_holder_is_still_found_once_it_outlasts_an_epoch():
    finding = growth_in(grows(outlasts_epoch=True))
    expected = "Memory grows by 10.0 MiB a step and is full in about 10 min."
    assert finding.summary == expected
    assert finding.evidence["held_by"] == "unknown"


def test_what_is_collected_for_one_epoch_is_no_fault_unless_memory_is_full_before():
    assert growth_in(grows()) is None  # 60 s are left in the epoch
    assert growth_in(grows(mib=200)) is not None
    endless = msgspec.structs.replace(grows(), batches_per_epoch=None, epoch_left_seconds=None)
    assert growth_in(endless) is None
    assert growth_in(msgspec.structs.replace(endless, step_seconds=0.05)) is not None


def test_growth_that_takes_days_is_nobodys_business():
    assert growth_in(grows(mib=0.001, outlasts_epoch=True)) is None


def test_unused_memory_of_torch_is_filled_first():
    loop = msgspec.structs.replace(grows(outlasts_epoch=True), reserved_bytes=25 * GIB)
    assert growth_in(loop).evidence["full_in_seconds"] == pytest.approx(614.4 * 80 / 60)
