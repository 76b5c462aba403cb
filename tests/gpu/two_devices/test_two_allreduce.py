"""All-reduce over both devices: the benchmark against a plain loop, in the same run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from looking import DRY, MIB, PROGRAMS

SIZES = {"1_mib": MIB, "16_mib": 16 * MIB, "256_mib": 256 * MIB, "4_gib": 4096 * MIB}
SIZES |= {"16_gib": 16384 * MIB}


@pytest.mark.seconds(150)
def test_allreduce_measures_what_a_plain_loop_does(server, note, tmp_path):
    sizes = {name: size for name, size in SIZES.items() if not DRY or size <= 16 * MIB}
    plain = _plain_loop(list(sizes.values()), tmp_path)
    note("plain all-reduce, seconds by size", plain)
    job = server.run(
        "allreduce",
        seconds=90,
        smallest_mib=1,
        largest_mib=max(sizes.values()) // MIB,
        time_limit_seconds=2 if DRY else 20,
    )
    result = job["result"]
    kept = {name: result["environment"][name] for name in ("backend", "processes", "nccl")}
    note(
        "all-reduce",
        {"figures": result["figures"], "environment": kept, "warnings": result["warnings"]},
    )
    ratios = {}
    for name, size in sizes.items():
        bus = size / plain[str(size)]  # × 2(n-1)/n, which is 1 for two
        ratios[name] = {
            "ours_bytes_per_second": result["figures"][f"bus_{name}_bytes_per_second"]["value"],
            "plain_bytes_per_second": bus,
        }
    note("bus bandwidth, ours and a plain loop's", ratios)
    assert result["environment"]["processes"] == 2
    for name in ("256_mib", "4_gib", "16_gib"):
        if not DRY:
            found = ratios[name]
            assert found["ours_bytes_per_second"] == pytest.approx(
                found["plain_bytes_per_second"], rel=0.1
            ), name


def _plain_loop(sizes, folder):
    ranks = []
    try:
        for rank in range(2):
            task = {
                "rank": rank,
                "ranks": 2,
                "meeting_file": str(folder / "meeting"),
                "sizes_bytes": sizes,
                "dry": DRY,
            }
            program = [sys.executable, str(PROGRAMS / "plain_allreduce.py"), json.dumps(task)]
            ranks.append(
                subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
        lines = [ranks[0].stdout.readline() for _ in sizes]
        answers = [json.loads(line) for line in lines]
        return {str(each["size_bytes"]): each["seconds"] for each in answers}
    finally:
        for process in ranks:
            process.kill()
            process.communicate()
