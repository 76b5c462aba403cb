"""Outputs that are kept: memory grows from step to step, until it is nearly full."""

import time

from looping import main
from training import again, language_network, tokens, trained

EXPECTED = {"must": ["memory-nearly-full"], "may": ["memory-bandwidth-bound", "power-capped"]}
FILLED_SECONDS = 20.0
FILLED_RATIO = 0.93


def steps(setup):
    torch = setup.torch
    kept = []
    began = time.monotonic()
    total = 1 << 24 if setup.dry else torch.cuda.get_device_properties(0).total_memory

    def keep(_loss, _step):
        share = min(1.0, (time.monotonic() - began) / FILLED_SECONDS) * FILLED_RATIO
        used = 0 if setup.dry else torch.cuda.memory_reserved()
        missing = int(share * total - max(used, sum(map(len, kept))))
        if missing > total // 200:
            kept.append(torch.empty(missing, dtype=torch.uint8, device=setup.device))

    yield from trained(setup, language_network(setup), again(tokens(setup, 32)), after=keep)


if __name__ == "__main__":
    main(steps)
