"""A loader that stops for a second and a half after every hundred batches, as at the end of a shard."""

import time

from looping import main
from training import again, language_network, tokens, trained

EXPECTED = {
    "must": ["periodic-stall|input-bound"],
    "may": ["periodic-stall", "input-bound", "memory-bandwidth-bound"],
}


def steps(setup):
    batch = tokens(setup, 32)

    def batches():
        for number, each in enumerate(again(batch)):
            if number % 100 == 99:
                setup.synchronize()
                deadline = time.monotonic() + setup.size(15, 1) / 10
                while time.monotonic() < deadline:
                    sum(range(1000))  # unpacking, say
            yield each

    yield from trained(setup, language_network(setup), batches())


if __name__ == "__main__":
    main(steps)
