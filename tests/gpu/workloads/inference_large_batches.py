"""Inference of a ResNet-50 in fp16, large batches: healthy."""

from looping import main
from training import image_network, images

EXPECTED = {"must": [], "may": ["memory-bandwidth-bound"]}


def steps(setup):
    torch = setup.torch
    network = image_network(setup).eval()
    batch = images(setup, 512).to(memory_format=torch.channels_last)
    if not setup.dry:
        network, batch = network.half(), batch.half()
    with torch.inference_mode():
        while True:
            network(batch)
            setup.synchronize()
            yield


if __name__ == "__main__":
    main(steps)
