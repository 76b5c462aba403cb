"""Half a GiB copied from pageable memory in every step, and little to compute: the GPU waits for copies."""

from looping import main

EXPECTED = {"must": ["transfer-bound"], "may": []}


def steps(setup):
    torch = setup.torch
    batch = torch.randn(setup.size(2048, 2), setup.size(65536, 64))
    weights = torch.randn(batch.shape[1], 64, device=setup.device)
    while True:
        (batch.to(setup.device) @ weights).sum()
        setup.synchronize()
        yield


if __name__ == "__main__":
    main(steps)
