"""Settings that another project, dataloader-param-helper, recommends; see ``tuner_regret.py``."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Dataset

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.loaders.subject import TuningSubject
from jupyter_gpuperf.tuning.time_limit import Alarm, TimeIsUp

NAME = "dataloader_param_helper"
MOST_SECONDS = 60.0


class Pairs(Dataset[Any]):
    """The dataset's items with a label, as dataloader-param-helper expects them."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        item = self.dataset[index]
        return (item[0] if isinstance(item, tuple) else item), 0


def from_param_helper(subject: TuningSubject, alarm: Alarm) -> tuple[Setting | None, str]:
    """Return the setting that it recommends, or ``None`` and the reason why there is none."""
    if importlib.util.find_spec(NAME) is None:
        return None, "not installed"
    try:
        with _elsewhere(), contextlib.redirect_stdout(sys.stderr), alarm.within(MOST_SECONDS):
            helper = importlib.import_module(NAME)
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            found = helper.find_optimal_params(Pairs(subject.dataset), device, subject.batch_size)
    except TimeIsUp:
        return None, f"no answer within {MOST_SECONDS:.0f} s"
    except Exception as error:  # another project's code  # noqa: BLE001
        return None, f"{type(error).__name__}: {error}"
    # If all of its trials failed, it still returns a setting, with zeros.
    if not math.isfinite(found.get("avr_runtime_ms", math.inf)):
        return None, "none of its trials finished"
    setting = Setting.of(
        num_workers=found["num_workers"],
        # It measures with bool(prefetch_factor), which is 1, but recommends another value. Use that value.
        prefetch_factor=found.get("prefetch_factor"),
        pin_memory=bool(found.get("pin_memory")),
        persistent_workers=bool(found.get("persistent_workers")),
    )
    return setting, ""


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """Run in a temporary directory, and without a GPU replace ``torch.cuda.synchronize``, which it always calls.

    It writes its result to the working directory, and reads an older one from there.
    """
    before, wait = os.getcwd(), torch.cuda.synchronize
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if not torch.cuda.is_available():
            torch.cuda.synchronize = lambda *device: None  # type: ignore[assignment]
        try:
            yield
        finally:
            torch.cuda.synchronize = wait
            os.chdir(before)
