"""What the programs of this folder share: they end with whoever started them."""

from __future__ import annotations

import os
import sys
import threading


def end_with_parent() -> None:
    """End this process when its standard input is closed."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    while sys.stdin.readline():
        pass
    os._exit(1)


def say(words: str) -> None:
    """Tell whoever started this program."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def join(task: dict, torch) -> object:
    """Meet the other ranks; return this one's device."""
    device = torch.device("cpu") if task["dry"] else torch.device("cuda", task["rank"])
    if not task["dry"]:
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(
        "gloo" if task["dry"] else "nccl",
        init_method=f"file://{task['meeting_file']}",
        rank=task["rank"],
        world_size=task["ranks"],
        **({} if task["dry"] else {"device_id": device}),
    )
    return device
