"""Large matrix products in bf16: a 700 W H100 reaches its power limit, and loses a third of its clock."""

from looping import main

EXPECTED = {"must": ["power-capped"], "may": []}


def steps(setup):
    torch = setup.torch
    side = setup.size(16384, 64)
    dtype = torch.float32 if setup.dry else torch.bfloat16
    left, right = (torch.randn(side, side, device=setup.device, dtype=dtype) for _ in range(2))
    while True:
        left @ right
        setup.synchronize()
        yield


if __name__ == "__main__":
    main(steps)
