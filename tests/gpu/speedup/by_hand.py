"""Time the versions that were written by hand, each in a process of its own, in turn with the program as it was.

python tests/gpu/speedup/by_hand.py [--only "NAME;NAME"] [--rounds 2] [--seconds 4] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import sequences
import vision
from program import Program, Version

PROGRAMS: Final = (*vision.PROGRAMS, *sequences.PROGRAMS)
TIMED: Final = """
import json as _json, statistics as _statistics, time as _time
_cell = compile(_CELL, 'cell', 'exec')
for _ in range(2):
    exec(_cell)
torch.cuda.synchronize()
_times, _end = [], _time.perf_counter() + _SECONDS
while _time.perf_counter() < _end or len(_times) < 3:
    _began = _time.perf_counter()
    exec(_cell)
    torch.cuda.synchronize()
    _times.append(_time.perf_counter() - _began)
print('TIMED', _json.dumps({'seconds': _statistics.median(_times), 'runs': len(_times),
                            'peak_bytes': torch.cuda.max_memory_allocated()}))
"""


def timed(program: Program, version: Version, seconds: float) -> dict[str, Any]:
    """Run a version in a new process; return the median time of its cell."""
    head = f"_CELL = {version.cell!r}\n_SECONDS = {seconds}\n"
    source = head + program.setup + version.setup + TIMED
    guarded = "if __name__ == '__main__':\n" + "".join(
        f"    {line}\n" for line in source.splitlines()
    )
    done = subprocess.run(
        [sys.executable, "-c", guarded], capture_output=True, text=True, check=False, timeout=400
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("TIMED ")]
    if not found:
        return {"error": done.stderr[-1500:]}
    return dict(json.loads(found[0][6:]))


def measured(program: Program, rounds: int, seconds: float) -> dict[str, Any]:
    """Return the rate of each version of a program, and its speed-up over the program as it was."""
    versions = (program.as_it_was, *program.by_hand)
    runs: dict[str, list[dict[str, Any]]] = {each.name: [] for each in versions}
    for number in range(rounds):
        for version in versions if number % 2 == 0 else versions[::-1]:
            runs[version.name].append(timed(program, version, seconds))
    found: dict[str, Any] = {"program": program.name, "unit": program.unit}
    before = [each["seconds"] for each in runs["as it was"] if "seconds" in each]
    for name, each in runs.items():
        times = [x["seconds"] for x in each if "seconds" in x]
        if times and before:
            found[name] = {
                "per_second": program.samples / statistics.median(times),
                "speedup": statistics.median(before) / statistics.median(times),
                "peak_bytes": each[0].get("peak_bytes"),
                "seconds": times,
            }
        else:
            found[name] = each[0]
    return found


def main() -> None:
    """Print a line per version."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="names, separated by semicolons")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--out", type=Path)
    parsed = parser.parse_args()
    chosen = {each.strip() for each in parsed.only.split(";") if each.strip()}
    rows = []
    for program in PROGRAMS:
        if chosen and program.name not in chosen:
            continue
        row = measured(program, parsed.rounds, parsed.seconds)
        rows.append(row)
        for name, each in row.items():
            if isinstance(each, dict):
                shown = (
                    f"{each['per_second']:,.0f} {program.unit}/s, {each['speedup']:.2f}×"
                    if "per_second" in each
                    else f"FAILED {each['error'][-300:]}"
                )
                print(f"{program.name} | {name}: {shown}", flush=True)
        if parsed.out:
            parsed.out.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
