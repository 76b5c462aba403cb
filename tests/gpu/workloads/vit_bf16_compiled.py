"""A compiled transformer over image patches in bf16: healthy."""

from looping import main
from training import again, language_network, tokens, trained

EXPECTED = {"must": [], "may": ["memory-bandwidth-bound", "power-capped"]}


def steps(setup):
    network = language_network(setup, 768)
    if not setup.dry:
        network = setup.torch.compile(network)
    yield from trained(setup, network, again(tokens(setup, 256, 768, 196)))


if __name__ == "__main__":
    main(steps)
