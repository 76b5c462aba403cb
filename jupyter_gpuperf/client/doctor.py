"""Examine an environment, for the magic, the command line and ``gpuperf.doctor()``."""

from __future__ import annotations

import argparse
import os

from jupyter_gpuperf.checks.probes.kernel import kernel_facts
from jupyter_gpuperf.device_memory.allocator import read_allocator
from jupyter_gpuperf.device_memory.report import device_of, loaded_torch
from jupyter_gpuperf.display.doctor_report import DoctorComparisonView, DoctorReportView
from jupyter_gpuperf.display.shell import running_shell
from jupyter_gpuperf.errors import require_new_file
from jupyter_gpuperf.jobs.check_runner import (
    CheckRunner,
    CheckTarget,
    server_facts,
    server_facts_of_kernel,
    target_of,
)
from jupyter_gpuperf.measure.device import started_cuda
from jupyter_gpuperf.results.doctor_reports import compare, load, save
from jupyter_gpuperf.schemas import DoctorReport


def run(options: argparse.Namespace, *, in_kernel: bool) -> DoctorReportView | DoctorComparisonView:
    """Examine an environment, and save or compare the report, as ``options`` request.

    Parameters
    ----------
    in_kernel
        Whether this process is a notebook's kernel; then its live settings are examined, too.
    """
    if options.save:
        require_new_file(options.save)
    before = load(options.compare) if options.compare else None
    report = _examine(options.kernel, in_kernel=in_kernel)
    if options.save:
        save(report, options.save)
    if before is not None:
        changes = compare(before, report)
        return DoctorComparisonView(changes, before=options.compare.stem, after="now")
    return DoctorReportView(report, shows_all=options.all)


def doctor(kernel: str | None = None) -> DoctorReportView:
    """Examine this process's environment, or that of a kernel spec.

    Parameters
    ----------
    kernel
        The name of a kernel spec, as shown by ``jupyter kernelspec list``.

    Raises
    ------
    GpuPerfError
        ``unknown_kernel``, or the examination itself failed; problems that it finds are not errors.
    """
    return DoctorReportView(_examine(kernel, in_kernel=kernel is None))


def _examine(kernel: str | None, *, in_kernel: bool) -> DoctorReport:
    if kernel is not None or not in_kernel:
        return CheckRunner().run(target_of(kernel, server_facts()))
    live = {**kernel_facts(running_shell()), **_fragmentation()}
    server = server_facts_of_kernel()
    return CheckRunner().run(CheckTarget(pid=os.getpid(), live=live, server=server))


def _fragmentation() -> dict[str, float]:
    """Return what torch holds on the current GPU, and how much of it is unused between tensors; empty without CUDA."""
    torch = loaded_torch()
    if started_cuda(torch) is None:
        return {}
    state = read_allocator(torch, device_of(torch, None))
    return {"reserved_bytes": state.reserved or 0.0, "fragmented_bytes": state.fragmented or 0.0}
