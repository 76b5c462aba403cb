"""Two programs that train on one device: each slows the other."""

from pathlib import Path

from looping import beside, main
from training import RESNET_50, again, image_network, images, trained

EXPECTED = {"must": ["gpu-contention"], "may": ["memory-bandwidth-bound", "power-capped"]}
OTHER = """
import sys
sys.path.insert(0, {folder!r})
import torch
from looping import Setup
from training import again, language_network, tokens, trained
setup = Setup(torch, "cuda", False)
for _ in trained(setup, language_network(setup), again(tokens(setup, 16))):
    pass
"""


def steps(setup):
    other = OTHER.format(folder=str(Path(__file__).parent))
    with beside("import time; time.sleep(60)" if setup.dry else other):
        batch = images(setup, 256).to(memory_format=setup.torch.channels_last)
        yield from trained(setup, image_network(setup, RESNET_50), again(batch))


if __name__ == "__main__":
    main(steps)
