"""What the phases of a step tell: where the host is, and whether the optimizer or copies hold the device up."""

from __future__ import annotations

import ast

import msgspec
import pytest
from made import device, steps, window

from jupyter_gpuperf.rules import RULES, judge
from jupyter_gpuperf.schemas.phases import HostLine, OptimizerInfo, PhaseSeconds

PHASES = ("data", "copy", "forward", "backward", "optimizer", "other")
UNFUSED = OptimizerInfo(class_name="AdamW", tensors_count=400, is_fused=False, is_foreach=False)
IDLE = {"utilization_percent": 40.0, "sm_active_percent": 35.0}
"""60 % of the time no kernel runs."""


def phases(host_ms, gpu_ms=None, unknown=()):
    """Return the phases of a step, each with its milliseconds on the host and on the GPU."""
    return {
        name: PhaseSeconds()
        if name in unknown
        else PhaseSeconds(host_seconds=host / 1000, gpu_seconds=gpu if gpu is None else gpu / 1000)
        for name, host, gpu in zip(PHASES, host_ms, gpu_ms or [None] * 6, strict=True)
    }


def launching(host_ms, gpu_ms="same", lost=0.6, **changes):
    """Return steps of a loop whose GPU is idle for this share of the time, but not for data."""
    gpu_ms = host_ms if gpu_ms == "same" else gpu_ms
    usual = {
        "step_seconds": sum(host_ms) / 1000,
        "idle_for_data_ratio": 0.0,
        "idle_for_host_ratio": lost,
        "busy_ratio": 1 - lost,
        "phases": phases(host_ms, gpu_ms),
    }
    return steps(**{**usual, **changes})


def without_loader(host_ms, **changes):
    """The same without a DataLoader: the phases data and copy are not known."""
    own = {
        "bounded_by": "optimizer",
        "loader": "optimizer",
        "wait_ratio": None,
        "idle_for_data_ratio": None,
        "idle_for_host_ratio": None,
        "phases": phases(host_ms, host_ms, unknown=("data", "copy")),
    }
    return launching(host_ms, **{**own, **changes})


def found(loop, host=None, **readings):
    judged = judge(window(device(**{**IDLE, **readings}), steps=[loop], host=host), RULES)
    return {each.code: each for each in judged}


def line(ratio, function="log", **options):
    return HostLine(function=function, file="train.py", line=40, ratio=ratio, **options)


# --- launch-bound ------------------------------------------------------------------------------------

EVEN = (0.1, 0.2, 3.0, 5.0, 1.0, 0.7)
FORWARD = (0.1, 0.2, 7.5, 1.2, 0.5, 0.5)
BETWEEN = (0.1, 0.2, 1.0, 1.0, 0.3, 7.4)


def test_the_phase_in_which_most_of_the_wait_must_be_is_named():
    finding = found(launching(FORWARD))["launch-bound"]
    assert finding.summary == (
        "GPU waits for launches 60 % of the time. "
        "Most of that is in the forward pass (host 75 % of the step)."
    )
    assert (finding.severity, finding.confidence) == ("warning", "confirmed")
    assert finding.evidence["phase"] == "forward"
    assert finding.evidence["host_in_phase_ratio"] == pytest.approx(0.75)


def test_where_several_phases_may_be_idle_only_the_hosts_time_is_told():
    summary = found(launching(EVEN))["launch-bound"].summary
    assert summary.endswith("The host is longest in the backward pass (50 % of the step).")


def test_a_host_that_waits_for_the_device_is_not_where_the_device_waits():
    """In loss.item(), between the passes, the host waits for what it launched; the GPU has passed it soon."""
    host, gpu = (0.1, 0.2, 3.0, 2.0, 0.7, 4.0), (0.1, 0.2, 5.5, 3.2, 0.7, 0.3)
    summary = found(launching(host, gpu, lost=0.3), utilization_percent=70.0)[
        "launch-bound"
    ].summary
    assert "in the forward pass" in summary


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (None, "between the passes"),
        ([line(0.7)], "between the passes, in log, line 40"),
        ([line(0.7, "<module>")], "between the passes, in line 40"),
        ([line(0.7, is_bounded=True)], "between the passes, in log, line 40"),
        ([line(0.2)], "between the passes"),  # the least part of it
    ],
)
def test_a_host_that_logs_is_told_so_with_the_line(lines, place):
    codes = found(launching(BETWEEN, host_lines=lines))
    finding = codes["launch-bound"]
    assert finding.summary == (
        f"GPU waits for the host 60 % of the time. Most of that is {place} (host 74 % of the step)."
    )
    assert "logs" in finding.advice
    assert finding.change is None
    assert "input-bound" not in codes  # the DataLoader prepares the batches


def test_a_host_that_is_between_the_passes_for_a_part_is_told_to_launch_less():
    finding = found(launching((0.1, 0.2, 3.0, 3.0, 0.5, 3.2)))["launch-bound"]
    assert finding.summary.endswith("The host is longest between the passes (32 % of the step).")
    assert "torch.compile" in finding.advice


def test_what_precedes_the_backward_pass_without_a_loader_is_not_called_forward():
    finding = found(without_loader((0, 0, 7.5, 1.5, 0.5, 0.5)))["launch-bound"]
    assert finding.summary.endswith(
        "Most of that is before the backward pass (host 75 % of the step)."
    )
    assert finding.confidence == "suspected"


def inference(forward_ms, other_ms, **changes):
    """The same without an optimizer, too: the calls of the model bound the steps."""
    return without_loader(
        (0, 0, forward_ms, 0, 0, other_ms), bounded_by="module", is_training=False, **changes
    )


def test_inference_that_launches_too_slowly_does_so_in_the_forward_pass():
    finding = found(inference(9.0, 1.0))["launch-bound"]
    assert finding.summary.endswith("Most of that is in the forward pass (host 90 % of the step).")
    assert "torch.compile" in finding.advice


def test_what_inference_does_with_its_output_stands_between_the_calls():
    finding = found(inference(1.0, 9.0))["launch-bound"]
    assert finding.summary.endswith(
        "Most of that is between the calls of the model (host 90 % of the step)."
    )


def test_a_wait_between_the_calls_that_is_measured_has_advice_of_its_own():
    loop = inference(1.0, 8.9, host_lines=[line(0.01, is_bounded=True)])
    times = {"host_seconds": 0.0001, "gpu_seconds": 0.0001, "gpu_idle_seconds": 0.0001}
    loop = msgspec.structs.replace(loop, phases={**loop.phases, "data": PhaseSeconds(**times)})
    finding = found(loop)["launch-bound"]
    assert finding.confidence == "confirmed"
    assert finding.advice.startswith("Between the calls of the model")
    assert "optimizer-bound" not in found(loop)


def test_preparation_after_a_loader_stands_before_the_forward_pass():
    loop = launching((0.1, 7.4, 1.0, 1.0, 0.3, 0.2), host_lines=[line(0.72, "augment")])
    codes = found(loop)
    assert codes["input-bound"].summary.startswith("GPU idle at least 22 % of the step in augment")
    assert "before the forward pass, in augment, line 40" in codes["launch-bound"].summary


@pytest.mark.parametrize("known", [None, {}, phases((0.0,) * 6)])
def test_without_phases_the_sentence_has_no_place(known):
    finding = found(launching(EVEN, phases=known))["launch-bound"]
    assert finding.summary == "GPU waits for launches 60 % of the time."
    assert "phase" not in finding.evidence


def test_phases_of_the_host_alone_are_enough_for_a_place():
    assert "in the forward pass" in found(launching(FORWARD, None))["launch-bound"].summary


def test_a_step_that_was_followed_took_longer_than_the_mean():
    longer = [2 * each for each in FORWARD]
    finding = found(launching(longer, step_seconds=0.01))["launch-bound"]
    assert "(host 75 % of the step)" in finding.summary


# --- optimizer-bound ---------------------------------------------------------------------------------

ONE_BY_ONE = (0.2, 0.3, 4.0, 6.0, 30.0, 1.5)


def test_an_optimizer_that_launches_for_each_tensor_is_found_and_the_launches_are_not():
    codes = found(launching(ONE_BY_ONE, optimizer=UNFUSED))
    finding = codes["optimizer-bound"]
    assert finding.summary == (
        "The optimizer takes 71 % of the step: AdamW launches kernels for each of its 400 tensors."
    )
    assert (finding.severity, finding.confidence) == ("warning", "confirmed")
    assert finding.lost_ratio == pytest.approx((30.0 - 2.06) / 42.0)
    assert "torch.optim.AdamW(model.parameters(), …, fused=True)" in finding.change
    assert ast.parse(finding.change).body == []
    assert (finding.notebook, finding.pid) == ("train.ipynb", 7)
    assert "launch-bound" not in codes


def test_an_unfused_optimizer_is_found_without_a_loader():
    codes = found(without_loader((0, 0, 4.5, 6.0, 30.0, 1.5), optimizer=UNFUSED))
    assert codes["optimizer-bound"].confidence == "confirmed"
    assert "launch-bound" not in codes


def test_it_is_a_suspicion_while_the_other_phases_may_be_what_the_device_waits_for():
    codes = found(launching((0.2, 0.3, 10.0, 10.0, 22.0, 3.0), lost=0.5, optimizer=UNFUSED))
    assert codes["optimizer-bound"].confidence == "suspected"


def test_an_optimizer_for_groups_of_tensors_is_named_as_such():
    info = OptimizerInfo(class_name="Adam", tensors_count=400, is_fused=False)
    summary = found(launching((0.2, 0.3, 2.0, 3.0, 8.0, 0.5), optimizer=info))[
        "optimizer-bound"
    ].summary
    assert summary.endswith("Adam launches kernels for groups of its 400 tensors.")


@pytest.mark.parametrize(
    "changes",
    [
        {"is_fused": True},
        {"is_fused": None},  # of a class that has no fused implementation
        {"class_name": "Lion", "is_fused": None},
        {"tensors_count": 10_000},  # a fused one needs as long
    ],
)
def test_an_optimizer_that_can_not_be_faster_gets_no_advice(changes):
    usual = {"class_name": "AdamW", "tensors_count": 400, "is_fused": False, "is_foreach": False}
    codes = found(launching(ONE_BY_ONE, optimizer=OptimizerInfo(**{**usual, **changes})))
    assert "optimizer-bound" not in codes
    assert "in the optimizer" in codes["launch-bound"].summary
    assert "fused" not in codes["launch-bound"].change


@pytest.mark.parametrize(
    "loop",
    [
        launching(ONE_BY_ONE),  # nothing is known of the optimizer
        launching(ONE_BY_ONE, optimizer=UNFUSED, phases=None),
        launching(ONE_BY_ONE, None, optimizer=UNFUSED),  # no times of the GPU
        launching((2.0, 3.0, 120.0, 150.0, 25.0, 2.0), optimizer=UNFUSED),  # 8 % of the step
        launching(ONE_BY_ONE, optimizer=UNFUSED, count=0),  # every step was interrupted
    ],
    ids=["unknown", "no phases", "no GPU times", "short", "interrupted"],
)
def test_no_optimizer_is_blamed_without_figures(loop):
    assert "optimizer-bound" not in found(loop)


def test_of_a_launch_bound_loop_whose_optimizer_is_a_part_the_code_names_it():
    codes = found(launching((0.2, 0.3, 20.0, 30.0, 20.0, 1.5), optimizer=UNFUSED))
    assert "optimizer-bound" not in codes
    assert "torch.compile" in codes["launch-bound"].change
    assert "fused=True" in codes["launch-bound"].change


HEAVY = ((0.2, 0.3, 9.0, 11.0, 3.0, 76.5), (0.2, 0.3, 25.0, 48.0, 24.0, 2.5))
"""Host and GPU: the host waits in loss.item() for what it has launched."""


@pytest.mark.parametrize("is_fused", [False, True])
def test_a_busy_device_that_is_long_in_an_unfused_optimizer_is_a_note(is_fused):
    info = OptimizerInfo(class_name="AdamW", tensors_count=150, is_fused=is_fused)
    busy = launching(*HEAVY, lost=0.03, optimizer=info)
    codes = found(busy, utilization_percent=97.0)
    if is_fused:
        assert "optimizer-bound" not in codes
    else:
        finding = codes["optimizer-bound"]
        assert finding.summary == (
            "The optimizer takes 24 % of the GPU's time, and AdamW is not fused."
        )
        assert (finding.severity, finding.confidence) == ("info", "suspected")
    assert "launch-bound" not in codes


def test_a_name_that_is_no_class_of_torch_makes_no_code():
    odd = OptimizerInfo(class_name="x)\nimport os", tensors_count=400, is_fused=False)
    assert found(launching(ONE_BY_ONE, optimizer=odd))["optimizer-bound"].change is None


# --- transfer-bound ----------------------------------------------------------------------------------

PAGEABLE = (0.5, 50.0, 8.0, 12.0, 2.0, 1.5)
COPIED = {"pcie_receive_bytes_per_second": 4.7e9}
"""350 MB in each step of 74 ms: 7 GB/s within the copies."""


def test_copies_that_hold_the_step_up_are_confirmed_with_their_phase():
    codes = found(launching(PAGEABLE), **COPIED)
    finding = codes["transfer-bound"]
    assert finding.summary == (
        "GPU waits for copies 60 % of the step, in the phase copy: 7.0 GB/s from the host."
    )
    assert (finding.severity, finding.confidence) == ("warning", "confirmed")
    assert "pin_memory=True" in finding.change
    assert set(codes) == {"transfer-bound"}


def test_the_line_that_copies_is_not_said_to_prepare_data():
    codes = found(launching(PAGEABLE, host_lines=[line(0.68, "<module>")]), **COPIED)
    assert set(codes) == {"transfer-bound"}


def test_what_copies_do_not_explain_is_left_for_launches():
    codes = found(launching((0.5, 20.0, 22.0, 18.0, 2.0, 1.5)), pcie_receive_bytes_per_second=2.2e9)
    assert codes["transfer-bound"].lost_ratio == pytest.approx(20 / 64)
    assert codes["launch-bound"].lost_ratio == pytest.approx(0.6 - 20 / 64)
    assert "longest in the forward pass" in codes["launch-bound"].summary


def test_a_device_with_queued_work_does_not_wait_for_copies():
    """The host waits in .to() for the work that it has launched before; the copies themselves are short."""
    host, gpu = (0.2, 70.0, 5.0, 6.0, 1.0, 1.0), (0.2, 3.0, 25.0, 50.0, 4.0, 1.0)
    codes = found(launching(host, gpu, lost=0.05), utilization_percent=94.0, **COPIED)
    assert "transfer-bound" not in codes


def test_a_wait_before_the_forward_pass_without_traffic_is_no_copy():
    codes = found(launching(PAGEABLE), pcie_receive_bytes_per_second=6e7)
    assert "transfer-bound" not in codes
    assert "before the forward pass" in codes["launch-bound"].summary


def test_slow_copies_are_a_suspicion():
    """Others in the phase may take as long."""
    finding = found(launching(PAGEABLE), pcie_receive_bytes_per_second=2e9)["transfer-bound"]
    assert finding.confidence == "suspected"


def test_traffic_apart_from_the_phase_copy_confirms_nothing():
    codes = found(launching(EVEN), pcie_receive_bytes_per_second=4e9)
    assert (codes["transfer-bound"].severity, codes["transfer-bound"].confidence) == (
        "info",
        "suspected",
    )
    assert codes["launch-bound"].confidence == "confirmed"


def test_a_pinned_loader_gets_asynchronous_copies_alone():
    blocking = launching((0.5, 20.0, 10.0, 14.0, 2.0, 1.5), pin_memory=True)
    finding = found(blocking, pcie_receive_bytes_per_second=2e10)["transfer-bound"]
    assert "non_blocking=True" in finding.change
    assert "pin_memory=True" not in finding.change


def test_a_short_phase_copy_refutes_copies_where_the_traffic_is_unknown():
    unknown = dict.fromkeys(
        ("pcie_receive_bytes_per_second", "pcie_transmit_bytes_per_second"), "not_supported"
    )
    assert "transfer-bound" in found(launching(EVEN, phases=None), **unknown)
    codes = found(launching(EVEN), **unknown)
    assert "transfer-bound" not in codes
    assert codes["launch-bound"].confidence == "confirmed"
