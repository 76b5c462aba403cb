"""Remove names of machines and notebooks from messages, so that a recording can be attached to a bug report."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from jupyter_gpuperf.schemas import DeviceInfo, DevicesChanged, Frame, encode
from jupyter_gpuperf.schemas.training import NotebookTraining, TrainingNow


class Anonymizer:
    """Removes machines' names from one recording. A machine gets the same number in all messages."""

    def __init__(self) -> None:
        self._hosts: dict[str, str] = {}

    def devices(self, infos: Sequence[DeviceInfo]) -> list[DeviceInfo]:
        """Return devices without their machines' names."""
        return [replace(info, host=info.host and self._host(info.host)) for info in infos]

    def devices_message(self, message: bytes) -> bytes:
        """Return an encoded :class:`DevicesChanged` without the machines' names."""
        news = msgspec.json.decode(message, type=DevicesChanged)
        devices = replace(news.devices, devices=self.devices(news.devices.devices))
        return encode(replace(news, devices=devices))

    def frame(self, message: bytes) -> bytes:
        """Return an encoded :class:`Frame` without the machines' names."""
        if not self._hosts:  # all devices belong to this machine, which has no name here
            return message
        frame = msgspec.json.decode(message, type=Frame)
        hosts = {self._host(name): readings for name, readings in frame.hosts.items()}
        return encode(replace(frame, hosts=hosts))

    def _host(self, name: str) -> str:
        return self._hosts.setdefault(name, f"host-{len(self._hosts) + 1}")


def anonymized_training(message: bytes) -> bytes:
    """Return an encoded :class:`TrainingNow` without the notebooks' names."""
    now = msgspec.json.decode(message, type=TrainingNow)

    def anonymized(notebook: NotebookTraining) -> NotebookTraining:
        loaders = [
            replace(
                each,
                notebook="",
                arguments=None,
                host_lines=None,
                # Only torch's own classes are known to have a fused implementation.
                optimizer=each.optimizer
                if each.optimizer and each.optimizer.is_fused is not None
                else None,
                memory_growth=each.memory_growth
                and replace(each.memory_growth, holder=None, function=None),
            )
            for each in notebook.loaders
        ]
        return replace(notebook, notebook_path=None, loaders=loaders)

    return encode(replace(now, notebooks=[*map(anonymized, now.notebooks)]))
