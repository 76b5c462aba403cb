"""``loss.item()`` at every step of a network with long steps: the textbook mistake, and it costs nothing."""

from looping import main
from training import again, language_network, tokens, trained

EXPECTED = {"must": [], "may": ["memory-bandwidth-bound", "power-capped"]}


def steps(setup):
    batches = again(tokens(setup, 64))
    yield from trained(
        setup, language_network(setup), batches, after=lambda loss, _step: loss.item()
    )


if __name__ == "__main__":
    main(steps)
