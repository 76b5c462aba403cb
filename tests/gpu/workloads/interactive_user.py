"""A person who makes one call per second, and reads in between: healthy."""

import time

from looping import main
from training import image_network, images

EXPECTED = {"must": [], "may": ["idle-memory-holder"]}


def steps(setup):
    network, batch = image_network(setup).eval(), images(setup, 64)
    while True:
        with setup.torch.inference_mode():
            network(batch).argmax(1).tolist()
        yield
        time.sleep(setup.size(10, 1) / 10)


if __name__ == "__main__":
    main(steps)
