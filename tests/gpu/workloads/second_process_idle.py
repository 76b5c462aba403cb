"""Training beside a program that holds memory and does nothing: no contention."""

from looping import beside, main
from training import RESNET_50, again, image_network, images, trained

EXPECTED = {"must": [], "may": ["idle-memory-holder", "memory-bandwidth-bound"]}
HOLDER = "import time, torch; held = torch.zeros(3 << 30, device='cuda'); time.sleep(600)"


def steps(setup):
    with beside("import time; time.sleep(60)" if setup.dry else HOLDER):
        batch = images(setup, 256).to(memory_format=setup.torch.channels_last)
        yield from trained(setup, image_network(setup, RESNET_50), again(batch))


if __name__ == "__main__":
    main(steps)
