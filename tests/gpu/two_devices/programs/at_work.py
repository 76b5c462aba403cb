"""Keeps a device at work: ``python at_work.py TASK``, the task as JSON; says ``ready`` and works until its parent ends.

``kind``: ``large`` (products in bf16, and memory held), ``light`` (small steps with pauses), ``copies`` (to the other device, of
which each second's bytes are told).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]
GIB = 1 << 30


def main() -> None:
    """Work until the parent ends."""
    task = json.loads(sys.argv[1])
    from lifeline import end_with_parent, say

    end_with_parent()
    import torch

    kind, dry = task["kind"], task["dry"]
    device = torch.device("cpu") if dry else torch.device("cuda", task["device"])
    {"large": large, "light": light, "copies": copies}[kind](torch, device, task, say)


def held(torch, device, gib: float, dry: bool):
    """Hold memory."""
    return torch.ones(int((0.001 if dry else gib) * GIB) // 4, device=device)


def large(torch, device, task, say) -> None:
    """Multiply matrices in bf16."""
    kept = held(torch, device, task["gib"], task["dry"])
    side = 64 if task["dry"] else 8192
    matrix = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    say("ready")
    while kept.numel():
        matrix @ matrix
        wait(torch, device)
        if task["dry"]:
            time.sleep(0.05)


def light(torch, device, task, say) -> None:
    """Compute a little, and pause."""
    kept = held(torch, device, task["gib"], task["dry"])
    matrix = torch.randn(512, 512, device=device)
    say("ready")
    while kept.numel():
        for _ in range(20):
            matrix @ matrix
        wait(torch, device)
        time.sleep(0.02)


def copies(torch, device, task, say) -> None:
    """Copy to the other device; tell each second's bytes and how long it took."""
    other = torch.device("cpu") if task["dry"] else torch.device("cuda", task["to"])
    size = (1 << 20) if task["dry"] else GIB
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source, device=other)
    target.copy_(source)
    wait(torch, device)
    wait(torch, other)
    say("ready")
    while True:
        began, bytes_copied = time.perf_counter(), 0
        while time.perf_counter() - began < 1.0:
            for _ in range(8):
                target.copy_(source, non_blocking=True)
            wait(torch, device)
            wait(torch, other)
            bytes_copied += 8 * size
            if task["dry"]:
                time.sleep(0.05)
        say(json.dumps({"bytes": bytes_copied, "seconds": time.perf_counter() - began}))


def wait(torch, device) -> None:
    """Wait for a device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
