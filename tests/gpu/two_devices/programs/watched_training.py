"""One rank of a training that the step clock watches: ``python watched_training.py TASK``, the task as JSON.

What the task's mode file says slows rank 1: ``data`` its loader, ``host`` its host, ``gpu`` its device; anything else
nobody.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parents[1] / "workloads")]
LATE_RANK = 1
BATCH = 64
PRODUCTS = 60
"""Of 8192 × 8192 matrices in bf16: about a tenth of a second of an H100."""


def main() -> None:
    """Train until the parent ends."""
    task = json.loads(sys.argv[1])
    from lifeline import end_with_parent, join

    end_with_parent()
    import torch
    from looping import Setup
    from training import RESNET_18, RESNET_50, image_network, images, trained

    torch.set_num_threads(1 if task["dry"] else 4)
    device = join(task, torch)
    setup = Setup(torch, device.type, task["dry"])
    network = image_network(setup, RESNET_18 if task["dry"] else RESNET_50)
    together = torch.nn.parallel.DistributedDataParallel(
        network, device_ids=None if task["dry"] else [task["rank"]]
    )
    pictures = images(setup, 256).to(memory_format=torch.channels_last)
    for _ in trained(setup, together, batches(task, torch, device, pictures)):
        pass


def batches(task: dict, torch, device, pictures):
    """Yield the pictures once for each batch of a watched loader, and late where that is asked for."""
    from training import Items, epochs

    import jupyter_gpuperf as gpuperf

    def late_by(what: str) -> float:
        slowed = task["rank"] == LATE_RANK and Path(task["mode_file"]).read_text() == what
        return task["delay_seconds"] if slowed else 0.0

    def number(index: int) -> float:
        if index % BATCH == 0:
            time.sleep(late_by("data"))
        return float(index)

    loader = gpuperf.watch(torch.utils.data.DataLoader(Items(number), batch_size=BATCH))
    attach(task["device_uuid"])
    side = 64 if task["dry"] else 8192
    matrix = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    for numbers in epochs(loader):
        numbers.to(device)
        end = time.perf_counter() + late_by("host")
        while time.perf_counter() < end:  # at work, as whoever writes logs or images
            pass
        if late_by("gpu"):
            for _ in range(PRODUCTS):
                matrix @ matrix
        yield pictures


def attach(device_uuid: str | None) -> None:
    """Dry: say that the loop computes on a device that is replayed; of its events nothing is known."""
    if device_uuid is None:
        return
    import msgspec

    from jupyter_gpuperf.client.watch_session import session

    watching = session().watching

    def found() -> None:
        for clock in watching.clocks:
            clock.info = msgspec.structs.replace(clock.info, device_uuid=device_uuid)

    watching.find_device = found


if __name__ == "__main__":
    main()
