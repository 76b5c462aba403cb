"""``%gpudoctor`` and ``gpuperf.doctor()``: what is the matter with this kernel's environment, and what to type."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from IPython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.utils.process import arg_split

from jupyter_gpuperf.client.failures import BenchmarkError
from jupyter_gpuperf.commands.doctor_options import add_options
from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.display.doctor_report import Differences, Report
from jupyter_gpuperf.doctor.looking.kernel import kernel_facts
from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.jobs.examining import (
    Examiner,
    Patient,
    patient_of,
    server_facts,
    server_facts_of_kernel,
)
from jupyter_gpuperf.results.doctor_reports import compare, load, save
from jupyter_gpuperf.schemas import DoctorReport


def run(options: argparse.Namespace, *, here: bool) -> Report | Differences:
    """Examine, and save or compare as asked.

    Parameters
    ----------
    here
        Whether this very process is a notebook's, and its own settings are looked at.
    """
    before = load(options.compare) if options.compare else None
    report = _examine(options.kernel, here=here)
    if options.save:
        save(report, options.save)
    if before is not None:
        return Differences(compare(before, report), before=options.compare.stem, after="now")
    return Report(report, everything=options.all)


def doctor(kernel: str | None = None) -> Report:
    """Examine this process's environment, or that of a kernel spec.

    Parameters
    ----------
    kernel
        The name of a kernel spec, as ``jupyter kernelspec list`` shows it.

    Raises
    ------
    GpuPerfError
        ``unknown_kernel``, or the examination itself failed; what it finds is no error.
    """
    return Report(_examine(kernel, here=kernel is None))


def _examine(kernel: str | None, *, here: bool) -> DoctorReport:
    if kernel is not None or not here:
        return Examiner().examine(patient_of(kernel, server_facts()))
    patient = Patient(
        interpreter=sys.executable,
        pid=os.getpid(),
        live=kernel_facts(get_ipython()),
        server=server_facts_of_kernel(),
    )
    return Examiner().examine(patient)


@magics_class
class GpuDoctorMagics(Magics):  # type: ignore[misc]  # IPython is untyped
    """The magic that looks at the environment."""

    @line_magic  # type: ignore[untyped-decorator]
    def gpudoctor(self, line: str) -> Report | Differences | None:
        """Look at everything that makes this notebook slow or broken, and say what to type.

        %gpudoctor                   what is wrong, and the lines that mend it
        %gpudoctor --all             what is right, too
        %gpudoctor --kernel NAME     another kernel's environment
        %gpudoctor --save FILE       write the report, to compare later or elsewhere
        %gpudoctor --compare FILE    what differs from a report that was saved
        """
        try:
            return run(self._options(arg_split(line, posix=True)), here=True)
        except GpuPerfError as error:
            raise BenchmarkError.of(error) from None

    def _options(self, words: Sequence[str]) -> argparse.Namespace:
        parser = OptionParser(prog="%gpudoctor", allow_abbrev=False, add_help=False)
        add_options(parser)
        if {"-h", "--help"} & set(words):
            raise BadRequest("usage", "See %gpudoctor?", "")
        return parser.parse_args(list(words))


def register(ipython: InteractiveShell) -> None:
    """Give ``ipython`` the magic."""
    ipython.register_magics(GpuDoctorMagics)
