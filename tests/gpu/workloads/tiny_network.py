"""Thirty layers of a small network, a batch of 32: almost only kernel launches."""

from looping import main
from training import trained

EXPECTED = {"must": ["launch-bound"], "may": []}


def steps(setup):
    torch = setup.torch
    layers = [torch.nn.Linear(128, 128) for _ in range(30)]
    network = torch.nn.Sequential(*layers).to(setup.device)
    batch = torch.randn(32, 128, device=setup.device)

    def batches():
        while True:
            yield batch

    yield from trained(setup, network, batches(), dtype=None)


if __name__ == "__main__":
    main(steps)
