"""Lines of code of a loader, and running them."""

from __future__ import annotations

import enum
import warnings

import torch
from kinds import (
    Items,
)

from jupyter_gpuperf.loaders.printed_code import code_of
from jupyter_gpuperf.loaders.setting import Setting


class Level(enum.IntEnum):
    HIGH = 3


SETTING = Setting.of(num_workers=2, prefetch_factor=3, persistent_workers=True)


DATA = Items()


RARE = torch.tensor([1.0] * 390 + [39.0] * 10)


def keep(items):
    return items


def begin(worker):
    pass


def code(own, *, setting=SETTING, given=None, **names):
    given = own if given is None else given
    return code_of(given, own, "mine", setting, {"mine": given, **names})


def run(line, own, **names):
    scope = {"torch": torch, "mine": own, **names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has its own opinion of how many workers there are
        exec(line, scope)
    return scope["mine"]


def generator():
    return torch.Generator().manual_seed(7)


def having(own, name, value):
    setattr(own, name, value)
    return own
