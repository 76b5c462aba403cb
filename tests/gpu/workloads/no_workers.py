"""Batches made in the loop itself: half of the time the GPU waits for data, the rest for the host."""

from looping import main
from training import Items, epochs, image_network, trained

EXPECTED = {"must": ["input-bound|launch-bound"], "may": ["input-bound", "launch-bound"]}


def steps(setup):
    torch = setup.torch
    side = setup.size(224, 32)
    item = torch.rand(3, side, side)
    loader = torch.utils.data.DataLoader(
        Items(lambda _index: item.clone()), batch_size=setup.size(64, 2)
    )
    yield from trained(setup, image_network(setup), epochs(loader))


if __name__ == "__main__":
    main(steps)
