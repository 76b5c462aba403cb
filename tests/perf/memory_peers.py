"""What ``%gpumem``, Stormlog and the recording for PyTorch's memory viewer say of the same memory.

    python tests/perf/memory_peers.py [--only gan,rnn] [--json FILE]

First, the ten programs of ``memory_attribution.py``: the share of torch's allocated bytes to which each tool gives a name.
A name of ``%gpumem`` is an owner; one of Stormlog is what it lists for a tensor's address: a parameter's or a variable's.
The viewer shows no names but stacks, so what counts is a stack with a line of the program. It must have recorded from the
beginning. Then the twelve leaks of ``tests/device_memory/test_leaks.py``, planted on the GPU: what each tool says of the
kept tensor. Needs a GPU and Stormlog (0.4.3 was tried).
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import memory_attribution
import torch

LEAKS: Final = "leaks"
COUNT: Final = 30_000_000
"""Numbers in the tensor of each planted leak."""
LOOK: Final = memory_attribution.look


def blocks_of(snapshot: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the blocks that are in use."""
    for segment in snapshot["segments"]:
        for block in segment["blocks"]:
            if block["state"] == "active_allocated":
                yield block


def frames_of(block: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the stack that was recorded for a block, the innermost call first."""
    return list(block.get("frames") or [])


def stormlog_names(snapshot: Mapping[str, Any]) -> dict[int, list[str]]:
    """Return address → names, as Stormlog attributes them."""
    from stormlog.cuda_native_debug import (
        build_cuda_tensor_attribution_index,
        build_snapshot_allocation_attribution,
    )

    index = build_cuda_tensor_attribution_index()
    found = build_snapshot_allocation_attribution(snapshot, index)
    return {each["storage_ptr_int"]: each["names"] for each in found["attributed_allocations"]}


def shares() -> dict[str, Any]:
    """Return the share of the allocated bytes that each tool names."""
    LOOK()
    ours = memory_attribution.LOOKS[-1]
    snapshot = torch.cuda.memory._snapshot()
    blocks = list(blocks_of(snapshot))
    total = sum(each["size"] for each in blocks)
    names = stormlog_names(snapshot)
    program = memory_attribution.__file__
    by_line = sum(
        each["size"]
        for each in blocks
        if any(frame["filename"] == program for frame in frames_of(each))
    )
    with_tensor = sum(each["size"] for each in blocks if each["address"] in names)
    by_name = sum(each["size"] for each in blocks if names.get(each["address"]))
    return {
        "allocated_mib": ours["allocated_mib"],
        "gpumem_named": ours["named"],
        "stormlog_with_tensor": with_tensor / total,
        "stormlog_named": by_name / total,
        "viewer_line": by_line / total,
    }


def leaks() -> dict[str, Any]:
    """Plant each leak in a notebook's shell; return what each tool says of it."""
    tests = Path(__file__).resolve().parents[1] / "device_memory"
    sys.path.insert(0, str(tests))
    from conftest import Cells
    from test_leaks import LEAKS as PLANTED

    from jupyter_gpuperf import memory

    torch.set_default_device("cuda")
    cells, found = Cells(), {}
    for name, (code, _, holder) in PLANTED.items():
        cells.run(f"import torch\nfrom torch import nn\nN = {COUNT}")
        cells.run(textwrap.dedent(code))
        snapshot = torch.cuda.memory._snapshot()
        kept = [each for each in blocks_of(snapshot) if each["size"] >= COUNT]
        names = stormlog_names(snapshot)
        owners = [each for each in memory().to_dict()["owners"] if each["bytes"] >= COUNT]
        holders = [
            each["holders"][0] for each in owners if each["holders"] and each["kind"] != "cache"
        ]
        lines = [
            f"{frame['filename']}:{frame['line']}"
            for each in kept
            for frame in frames_of(each)
            if "ipython" in frame["filename"]
        ]
        found[name] = {
            "gpumem": holders,
            "gpumem_is_right": any(holder in each for each in holders),
            "stormlog": [names.get(each["address"]) for each in kept],
            "viewer": lines[:1],
        }
        cells.forget()
        gc.enable()
        gc.collect()
        torch.cuda.empty_cache()
    return found


def run_here(name: str) -> dict[str, Any]:
    """Return the figures of one program, or of the leaks, in this process."""
    torch.cuda.memory._record_memory_history(max_entries=1_000_000)
    if name == LEAKS:
        return leaks()
    found: list[dict[str, Any]] = []
    memory_attribution.look = lambda: found.append(shares())
    next(each for each in memory_attribution.PROGRAMS if each.__name__ == name)()
    return found[-1]


def main() -> None:
    """Run each in a process of its own, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    names = [*(each.__name__ for each in memory_attribution.PROGRAMS), LEAKS]
    parser.add_argument("--only", default=",".join(names))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print("FOUND", json.dumps(run_here(options.here)))
        return
    found = {}
    for name in options.only.split(","):
        ended = subprocess.run(
            [sys.executable, __file__, "--here", name], check=False, capture_output=True, text=True
        )
        line = next((each for each in ended.stdout.splitlines() if each.startswith("FOUND ")), None)
        found[name] = json.loads(line[6:]) if line else {"failed": ended.stderr[-1500:]}
        print(name, json.dumps(found[name]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
