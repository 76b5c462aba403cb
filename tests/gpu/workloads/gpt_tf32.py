"""A small GPT in fp32 with TF32 allowed: the tensor cores work, and it is healthy."""

from looping import main
from training import again, language_network, tokens, trained

EXPECTED = {"must": [], "may": ["memory-bandwidth-bound", "power-capped"]}


def steps(setup):
    setup.torch.set_float32_matmul_precision("high")
    yield from trained(setup, language_network(setup), again(tokens(setup, 32)), dtype=None)


if __name__ == "__main__":
    main(steps)
