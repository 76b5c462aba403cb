"""Have a step of each loop counted when it is time, and give each loop what is known of its operations.

This runs in the thread of the telemetry: what takes time, such as a look at each of a model's modules, is done here.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Collection
from typing import Any, Final

import msgspec

from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.loops.flop_count import OperationCount
from jupyter_gpuperf.loops.flop_mode import obstacle
from jupyter_gpuperf.loops.root_module import RootModule
from jupyter_gpuperf.measure.device import limits_of
from jupyter_gpuperf.schemas.work import FlopsFormat, FlopsUnknown

LEAST_LOOKS: Final = 6
"""Number of looks at the loop's stack within its model, before it is believed to call no other."""
OTHERS_RATIO: Final = 0.03
"""Share of looks in another model from which on the loop counts as one of several models."""
FROZEN_SECONDS: Final = 10.0
"""Time between two looks at which parameters are frozen, which take a millisecond for a thousand of them."""
PLAIN_TENSORS: Final = ("torch", "torch.nn.parameter")
SPLIT_MODELS: Final = ("DataParallel", "FullyShardedDataParallel", "PipelineStage")
"""Classes of modules that compute in other threads, or on parts of their parameters."""


def follow_work(given: BatchCounter, torch: Any, clocks: Collection[LoopClock]) -> None:
    """Arm the counts that are due, and describe the loops' operations."""
    by_phases = {id(each.phases): each for each in clocks}
    for thread, stack in list(given.stacks.items()):
        clock, root = by_phases.get(id(stack.phases)), given.roots.get(thread)
        module = None if root is None else root.module()
        if clock is None:
            continue
        if root is None or module is None:  # not found, as where the loop calls compiled code
            stack.phases.work.take_model(None, 0.0)
            _describe(torch, clock, None, obstacle(torch))
            continue
        with contextlib.suppress(Exception):  # the loop may change the module meanwhile
            _follow(torch, clock, root, module)


def _follow(torch: Any, clock: LoopClock, root: RootModule, module: Any) -> None:
    work, frozen_ratio = clock.phases.work, _frozen_ratio(root, module)
    work.take_model(module, frozen_ratio)
    looks = root.looks[id(clock.phases)]
    work.seen = looks.inputs
    is_one_of_several = looks.others_count > max(1, OTHERS_RATIO * looks.count)
    if not is_one_of_several and work.is_due():
        work.structure = structural_obstacle(torch, module)
        if work.structure is None:
            work.new_count = functools.partial(OperationCount, torch, frozen_ratio)
    counted = work.counted
    unknown = work.structure or ("several_models" if is_one_of_several else None)
    unknown = unknown or (counted and counted.unknown)
    is_known = unknown is None and looks.count >= LEAST_LOOKS
    _describe(torch, clock, counted.format if counted and is_known else None, unknown)


def _describe(
    torch: Any, clock: LoopClock, number_format: FlopsFormat | None, unknown: FlopsUnknown | None
) -> None:
    info = clock.info
    has_peak = info.peak_clock_mhz is not None or number_format is None or clock.idle_timer is None
    if (info.flops_format, info.flops_unknown) == (number_format, unknown) and has_peak:
        return
    chip = None
    if number_format is not None and clock.idle_timer is not None:
        chip = limits_of(torch, torch.device("cuda", clock.idle_timer.device))
    clock.info = msgspec.structs.replace(
        clock.info,
        flops_format=number_format,
        flops_unknown=unknown,
        peak_flops_per_second=chip.flops.get(number_format) if chip and number_format else None,
        peak_clock_mhz=chip.clock_mhz if chip else None,
    )


def structural_obstacle(torch: Any, module: Any) -> FlopsUnknown | None:
    """Return why a model's operations can't be counted; ``None`` if they can."""
    for each in module.modules():
        kind = type(each)
        is_compiled = getattr(each, "_compiled_call_impl", None) is not None
        if is_compiled or kind.__name__ == "OptimizedModule":
            return "compiled"
        if isinstance(each, torch.jit.ScriptModule):
            return "compiled"
        if kind.__name__ in SPLIT_MODELS:
            return "other_tensors"
    if any(type(each).__module__ not in PLAIN_TENSORS for each in module.parameters()):
        return "other_tensors"
    return None


def _frozen_ratio(root: RootModule, module: Any) -> float:
    now = time.monotonic()
    if now >= root.frozen_due_seconds:
        root.frozen_due_seconds = now + FROZEN_SECONDS
        sizes = [(each.numel(), each.requires_grad) for each in module.parameters()]
        whole = sum(size for size, _ in sizes)
        frozen = sum(size for size, is_trained in sizes if not is_trained)
        root.frozen_ratio = frozen / whole if whole else 0.0
    return root.frozen_ratio
