"""``%gpudoctor``: what is the matter with this kernel's environment, and what to type."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.utils.process import arg_split

from jupyter_gpuperf.client.doctor import run
from jupyter_gpuperf.client.failures import BenchmarkError
from jupyter_gpuperf.commands.doctor_options import add_options
from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.display.doctor_report import Differences, Report
from jupyter_gpuperf.errors import BadRequest, GpuPerfError


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
