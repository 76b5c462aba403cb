"""A DataLoader that is fast enough: healthy."""

from looping import main
from training import Items, epochs, language_network, trained

EXPECTED = {"must": [], "may": ["memory-bandwidth-bound", "power-capped"]}


def steps(setup):
    torch = setup.torch
    item = torch.randn(setup.size(512, 8), setup.size(1024, 64)).to(torch.bfloat16)
    loader = torch.utils.data.DataLoader(
        Items(lambda _index: item),
        batch_size=setup.size(48, 2),
        num_workers=setup.size(4, 0),
        pin_memory=not setup.dry,
    )
    yield from trained(setup, language_network(setup), epochs(loader))


if __name__ == "__main__":
    main(steps)
