"""Eight small steps per optimizer step: healthy."""

from looping import main
from training import again, language_network, tokens, trained

EXPECTED = {"must": [], "may": ["memory-bandwidth-bound", "power-capped"]}


def steps(setup):
    batches = again(tokens(setup, 32))
    yield from trained(setup, language_network(setup), batches, accumulate=8)


if __name__ == "__main__":
    main(steps)
