"""Elementwise work on large tensors: memory sets the pace."""

from looping import main

EXPECTED = {"must": ["memory-bandwidth-bound"], "may": []}


def steps(setup):
    values = setup.torch.randn(setup.size(1 << 28, 1 << 10), device=setup.device)
    while True:
        for _ in range(10):
            values = values * 1.0001 + 0.1
        setup.synchronize()
        yield


if __name__ == "__main__":
    main(steps)
