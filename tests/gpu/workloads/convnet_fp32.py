"""A ResNet-50 in full fp32 with TF32 off: the tensor cores are idle."""

from looping import main
from training import again, image_network, images, trained

EXPECTED = {"must": ["tensor-cores-idle"], "may": ["memory-bandwidth-bound", "power-capped"]}


def steps(setup):
    backends = setup.torch.backends
    backends.cudnn.allow_tf32 = backends.cuda.matmul.allow_tf32 = False
    batch = images(setup, 128).to(memory_format=setup.torch.channels_last)
    yield from trained(setup, image_network(setup), again(batch), dtype=None)


if __name__ == "__main__":
    main(steps)
