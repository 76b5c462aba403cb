"""A checkpoint of a gigabyte or more every two seconds, while training waits."""

import os
import tempfile
import time

from looping import main
from training import again, language_network, tokens, trained

EXPECTED = {"must": ["periodic-stall"], "may": []}


def steps(setup):
    network = language_network(setup, 1536, 12)
    saved = time.monotonic()

    def save(_loss, _step):
        nonlocal saved
        if time.monotonic() - saved < 2.0:
            return
        setup.synchronize()
        with tempfile.NamedTemporaryFile(dir=os.environ.get("CHECKPOINTS")) as file:
            setup.torch.save(network.state_dict(), file.name)
            os.fsync(file.fileno())
        saved = time.monotonic()

    yield from trained(setup, network, again(tokens(setup, 32, 1536)), after=save)


if __name__ == "__main__":
    main(steps)
