"""Count critical errors (XID), which the driver reports as events; a thread waits for them."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Mapping
from typing import Any, Final

from jupyter_gpuperf.sources import nvml_errors
from jupyter_gpuperf.sources.nvml_devices import text
from jupyter_gpuperf.sources.rates import NoSampleYet

logger = logging.getLogger(__name__)

EVENT_XID: Final = 0x8
"""``nvmlEventTypeXidCriticalError``."""

WAIT_MS: Final = 500
"""How long one wait for an event lasts. The thread ends within this time."""

PAUSE_SECONDS: Final = 5.0
"""Pause after waiting failed, so that the thread does not run in a busy loop when the driver is gone."""


class XidWatch:
    """Counts each device's XID errors since this object was created.

    Parameters
    ----------
    nvml
        The pynvml module.
    handles
        UUID → the driver's handle of that device.
    """

    def __init__(self, nvml: Any, handles: Mapping[str, Any]) -> None:
        self._nvml = nvml
        # UUID → number of errors, and the last one's code. Each pair is replaced as a whole: no lock needed.
        self._errors: dict[str, tuple[int, int]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._events: Any = None
        self._register(handles)
        if self._errors:
            self._thread = threading.Thread(target=self._run, name="gpuperf-xid", daemon=True)
            self._thread.start()

    def count(self, uuid: str) -> int | None:
        """Return the number of this device's errors, or ``None`` if the driver doesn't report errors."""
        return self._errors[uuid][0] if uuid in self._errors else None

    def last_code(self, uuid: str) -> int | None:
        """Return the code of this device's last error, or ``None`` if the driver doesn't report errors.

        Raises
        ------
        NoSampleYet
            There has been no error so far.
        """
        if uuid not in self._errors:
            return None
        count, code = self._errors[uuid]
        if count == 0:
            raise NoSampleYet
        return code

    def close(self) -> None:
        """End the thread. If it hangs in the driver, it is abandoned."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(2 * WAIT_MS / 1000)

    def _register(self, handles: Mapping[str, Any]) -> None:
        try:
            self._events = self._nvml.nvmlEventSetCreate()
        except Exception as error:  # noqa: BLE001  (the readings do not depend on it)
            text_of_error = nvml_errors.text_of(error)
            logger.info("The driver does not report XID errors: %s", text_of_error)
            return
        for uuid, handle in handles.items():
            try:
                self._nvml.nvmlDeviceRegisterEvents(handle, EVENT_XID, self._events)
            except Exception as error:  # noqa: BLE001  (one device must not hide the others)
                text_of_error = nvml_errors.text_of(error)
                logger.info("%s does not report XID errors: %s", uuid, text_of_error)
            else:
                self._errors[uuid] = (0, 0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                event = self._nvml.nvmlEventSetWait_v2(self._events, WAIT_MS)
                if event.eventType == EVENT_XID:
                    self._note(event)
            except Exception as error:  # noqa: BLE001  (the thread must survive it)
                if nvml_errors.code_of(error) != nvml_errors.TIMEOUT:
                    self._stopping.wait(PAUSE_SECONDS)
        try:
            self._nvml.nvmlEventSetFree(self._events)
        except self._nvml.NVMLError as error:
            logger.debug("The event set could not be freed: %s", error)

    def _uuid(self, device: Any) -> str:
        with contextlib.suppress(Exception):
            uuid = text(self._nvml.nvmlDeviceGetUUID(device))
            if uuid in self._errors:
                return uuid
        return str(self._nvml.nvmlDeviceGetIndex(device))  # a device without a UUID has this name

    def _note(self, event: Any) -> None:
        uuid = self._uuid(event.device)
        logger.warning("XID %d on %s", event.eventData, uuid)
        if uuid in self._errors:
            self._errors[uuid] = (self._errors[uuid][0] + 1, int(event.eventData))
