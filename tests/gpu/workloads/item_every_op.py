"""``.item()`` after every small operation: the host waits for each, and the GPU waits for the host."""

from looping import main

EXPECTED = {"must": ["launch-bound"], "may": []}


def steps(setup):
    matrix = setup.torch.randn(256, 256, device=setup.device)
    while True:
        for _ in range(100):
            (matrix @ matrix).mean().item()
        yield


if __name__ == "__main__":
    main(steps)
