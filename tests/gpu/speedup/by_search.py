"""Run ``%%speedup`` on the programs, each in a process of its own; hold the printed code against the best by hand.

python tests/gpu/speedup/by_search.py [--only "NAME;NAME"] [--rounds 2] [--seconds 4] [--out FILE]

The printed code is pasted into new processes, which alternate with those of the program as it was and of the versions
by hand. A gain that is not in the printed code does not count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from by_hand import PROGRAMS, timed
from program import Program, Version

SEARCHED: Final = """
import json as _json, time as _time
from IPython.core.interactiveshell import InteractiveShell
_shell = InteractiveShell.instance()
_shell.run_line_magic('load_ext', 'jupyter_gpuperf')
_done = _shell.run_cell(_SETUP)
_done.raise_error()
_began = _time.perf_counter()
_shell.run_cell_magic('speedup', f'--into _found --time-limit-seconds {_LIMIT} {_OPTIONS}', _CELL)
_took = _time.perf_counter() - _began
_found = _shell.user_ns['_found']
_data = _found.data
print('FOUND', _json.dumps({
    'setup': _data.setup, 'cell': _data.code, 'taken': _data.taken, 'said': _data.speedup, 'seconds': _took,
    'memory': _data.memory, 'levers': [[x.name, x.taken, str(x.why), x.speedup] for x in _data.levers]}))
"""


def searched(program: Program, limit_seconds: float, options: str) -> dict[str, Any]:
    """Run the magic on a program in a new process; return what it found."""
    head = f"_SETUP = {program.setup!r}\n_CELL = {program.cell!r}\n"
    head += f"_LIMIT, _OPTIONS = {limit_seconds}, {options!r}\n"
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", head + SEARCHED],
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    if not found:
        return {"error": (done.stdout + done.stderr)[-2500:]}
    return {**json.loads(found[0][6:]), "process_seconds": time.perf_counter() - began}


def measured(
    program: Program, found: dict[str, Any], rounds: int, seconds: float
) -> dict[str, Any]:
    """Return the speed-up of the printed code, and of each version by hand, over the program as it was."""
    printed = Version("printed", found["setup"] + "\n", found["cell"])
    versions = (program.as_it_was, printed, *program.by_hand)
    times: dict[str, list[float]] = {each.name: [] for each in versions}
    errors = {}
    for number in range(rounds):
        for version in versions if number % 2 == 0 else versions[::-1]:
            run = timed(program, version, seconds)
            if "seconds" in run:
                times[version.name].append(run["seconds"])
            else:
                errors[version.name] = run["error"][-600:]
    before = statistics.median(times["as it was"])
    gains = {name: before / statistics.median(each) for name, each in times.items() if each}
    return {"gains": gains, "errors": errors, "times": times}


def main() -> None:
    """Print a line per program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="names, separated by semicolons")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--time-limit-seconds", type=float, default=90.0)
    parser.add_argument("--options", default="")
    parser.add_argument("--out", type=Path)
    parsed = parser.parse_args()
    chosen = {each.strip() for each in parsed.only.split(";") if each.strip()}
    rows: list[dict[str, Any]] = []
    for program in PROGRAMS:
        if chosen and program.name not in chosen:
            continue
        row: dict[str, Any] = {"program": program.name}
        rows.append(row)
        row |= searched(program, parsed.time_limit_seconds, parsed.options)
        if "error" in row:
            print(f"{program.name} | FAILED {row['error']}", flush=True)
            continue
        said = row["said"]
        print(
            f"{program.name} | said {said['value']:.2f} [{said['low']:.2f}, {said['high']:.2f}] "
            f"in {row['seconds']:.0f} s with {row['taken']}",
            flush=True,
        )
        for name, taken, why, speedup in row["levers"]:
            gain = "" if speedup is None else f"{speedup['value']:.3f}"
            print(f"    {'+' if taken else ' '} {name:26} {gain:7} {why[:120]}", flush=True)
        if parsed.rounds:
            row |= measured(program, row, parsed.rounds, parsed.seconds)
            shown = ", ".join(f"{name}: {gain:.2f}" for name, gain in row["gains"].items())
            print(f"    {shown} {row['errors'] or ''}", flush=True)
        if parsed.out:
            parsed.out.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
