"""``%gpuperf``: which GPU, Python and server there are, and what they allow."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Final

from jupyter_gpuperf.config import SOURCE_VARIABLE
from jupyter_gpuperf.display.blocks import Block, Heading, Line, Table
from jupyter_gpuperf.display.document import Displayed, joined
from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.metrics import all_metrics
from jupyter_gpuperf.schemas import Devices
from jupyter_gpuperf.sources import source_or_absent
from jupyter_gpuperf.version import package_version

COMMANDS: Final = (
    ("%gpuwatch on", Message("show what the training loop waits for"), "torch"),
    ("%gpubench", Message("list the benchmarks"), ""),
    ("%gpubench dataloader LOADER --tune", Message("find the best DataLoader settings"), "torch"),
    ("%%amp_profile", Message("run a cell in every precision"), "torch"),
    ("%%speedup", Message("make a cell fast, and get it as code"), "torch"),
    ("%gpurecord start", Message("record the GPUs' readings"), "gpu"),
    ("%gpumem", Message("show who holds the memory, by your names"), "torch"),
    ("%gpudoctor", Message("find faults in this environment, with the fix"), ""),
)
"""Command, its meaning, and what it needs."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Overview(Displayed):
    """What this machine, kernel and server allow.

    Parameters
    ----------
    devices
        The GPUs, or why there are none.
    torch
        The version of the installed PyTorch; ``None`` if there is none.
    has_server
        Whether the kernel's Jupyter server has this extension.
    """

    devices: Devices
    torch: str | None
    has_server: bool

    def blocks(self) -> Iterator[Block]:
        """Yield a line each about GPU, kernel and server, and the commands that work here."""
        yield Heading("jupyter_gpuperf", package_version())
        facts = (
            (Message("GPU"), _gpu(self.devices)),
            (Message("Kernel"), self._kernel()),
            (Message("Panel"), self._panel()),
        )
        yield Table(facts, looks=("quiet", "label"))
        available = {"", "torch" if self.torch else "", "gpu" if self.devices.devices else ""}
        rows = [(command, meaning) for command, meaning, need in COMMANDS if need in available]
        yield Table(rows, looks=("code", "label"))
        yield Line(Message("Each has a manual, such as %gpubench --help."), "quiet")

    def _kernel(self) -> str:
        python = platform.python_version()
        if self.torch is None:
            message = "Python {python} without PyTorch. To install it: {command}"
            command = f"{sys.executable} -m pip install torch"
            return Message(message, python=python, command=command)
        message = "Python {python}, PyTorch {torch}"
        if self.torch.endswith("+cpu") and self.devices.devices:
            message = (
                "Python {python}, PyTorch {torch}: built without CUDA. For the fix: %gpudoctor"
            )
        return Message(message, python=python, torch=self.torch)

    def _panel(self) -> Message:
        if self.has_server:
            return Message("Live readings and findings: click the chip icon in the sidebar.")
        return Message("No Jupyter server with this extension: results are shown only here.")


def overview() -> Overview:
    """Look for GPUs, PyTorch and the server. Neither torch is imported nor CUDA started."""
    torch = None
    with contextlib.suppress(metadata.PackageNotFoundError):
        torch = metadata.version("torch")
    link = ServerLink()
    has_server = link.connect()
    link.close()
    return Overview(devices=_devices(), torch=torch, has_server=has_server)


def _devices() -> Devices:
    source = source_or_absent(os.environ.get(SOURCE_VARIABLE) or "auto", all_metrics())
    source.open()
    try:
        return source.devices()
    finally:
        source.close()


def _gpu(devices: Devices) -> str:
    if devices.reason is not None:
        return joined([devices.reason.message, devices.reason.hint], " ")
    return joined(
        _names([each.name for each in devices.devices if not each.replayed])
        or [Message("{name}, a recording", name=each.name) for each in devices.devices]
    )


def _names(names: Sequence[str]) -> list[str]:
    counts = {name: names.count(name) for name in names}
    return [f"{count} × {name}" if count > 1 else name for name, count in counts.items()]
