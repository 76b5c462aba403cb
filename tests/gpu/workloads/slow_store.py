"""Four workers that wait 12 ms for each item, as for a remote store: the GPU waits for data, the CPU is idle."""

import time

from looping import main
from training import Items, epochs, image_network, trained

EXPECTED = {"must": ["input-bound"], "may": []}


def steps(setup):
    torch = setup.torch
    side = setup.size(224, 32)
    item = torch.rand(3, side, side)

    def make(_index):
        time.sleep(0.012)
        return item

    loader = torch.utils.data.DataLoader(
        Items(make), batch_size=setup.size(64, 2), num_workers=setup.size(4, 0)
    )
    yield from trained(setup, image_network(setup), epochs(loader))


if __name__ == "__main__":
    main(steps)
