"""Options of ``%gpudoctor`` and ``jupyter gpuperf doctor``. Nothing heavy is imported, for a fast start."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options shared by the magic and the command line."""
    parser.add_argument("--all", action="store_true", help="show passed checks too")
    parser.add_argument("--kernel", metavar="NAME", help="check the environment of this kernel")
    parser.add_argument("--save", type=Path, metavar="FILE", help="save the report here")
    meaning = "show the differences from a saved report"
    parser.add_argument("--compare", type=Path, metavar="FILE", help=meaning)
