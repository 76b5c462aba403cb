"""A ResNet-18 in fp16, channels last, on data that is already on the device: healthy."""

from looping import main
from training import RESNET_18, again, image_network, images, trained

EXPECTED = {"must": [], "may": ["memory-bandwidth-bound"]}


def steps(setup):
    batch = images(setup, 1024).to(memory_format=setup.torch.channels_last)
    dtype = "bfloat16" if setup.dry else "float16"
    yield from trained(setup, image_network(setup, RESNET_18), again(batch), dtype=dtype)


if __name__ == "__main__":
    main(steps)
