"""Translate NVML's errors into this package's reasons. No other module does this."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import MissingReason, NoDevices

# Values of nvmlReturn_t, which never change; pynvml's errors have them as ``value``.
UNINITIALIZED, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND = 1, 3, 4, 6
DRIVER_NOT_LOADED, TIMEOUT, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND = 9, 10, 12, 13
GPU_IS_LOST, RESET_REQUIRED, LIB_RM_VERSION_MISMATCH = 15, 16, 18
ARGUMENT_VERSION_MISMATCH: Final = 25


REASON_OF_ERROR: Final[dict[int, MissingReason]] = {
    NOT_SUPPORTED: "not_supported",
    NO_PERMISSION: "no_permission",
    GPU_IS_LOST: "device_lost",
    RESET_REQUIRED: "device_lost",
    UNINITIALIZED: "device_lost",
    DRIVER_NOT_LOADED: "device_lost",
    TIMEOUT: "not_answering",
}
"""Error → reason for the missing reading; any other error is ``driver_error``."""

NO_DEVICES: Final[dict[int, NoDevices]] = {
    LIBRARY_NOT_FOUND: NoDevices(
        code="no_driver_library",
        message="No NVIDIA driver found: libnvidia-ml is missing.",
        hint="Install the NVIDIA driver, or start the container with --gpus all. Then nvidia-smi must work.",
    ),
    DRIVER_NOT_LOADED: NoDevices(
        code="driver_not_loaded",
        message="The NVIDIA library is installed, but the driver is not loaded.",
        hint="Start the container with --gpus all, or run: sudo modprobe nvidia",
    ),
    LIB_RM_VERSION_MISMATCH: NoDevices(
        code="driver_mismatch",
        message="The NVIDIA library and the loaded driver differ in version, probably after an update.",
        hint="Restart the host, or reload the nvidia kernel module.",
    ),
    NO_PERMISSION: NoDevices(
        code="no_permission",
        message="The NVIDIA driver denies access to this user.",
        hint="Give the user access to /dev/nvidia*, for example through the video group; or request a GPU from the job scheduler.",
    ),
    GPU_IS_LOST: NoDevices(
        code="device_lost",
        message="The NVIDIA driver has lost the GPU: it has fallen off the bus.",
        hint="See the system log for XID 79. Restarting the host usually helps.",
    ),
}
"""Error → why the driver could not be opened, and what to do."""

NO_GPU: Final = NoDevices(
    code="no_gpu",
    message="The NVIDIA driver works, but this process sees no GPU.",
    hint="Start the container with --gpus all, or request a GPU from the job scheduler.",
)

STARTING: Final = NoDevices(
    code="starting", message="The driver is starting.", hint="Try again in a moment."
)

NOT_ANSWERING: Final = NoDevices(
    code="driver_not_answering",
    message="The NVIDIA driver is not responding.",
    hint="Check whether nvidia-smi responds in a terminal. If not, only restarting the host helps.",
)


class DriverRefused(LookupError):
    """The device does not support a request, or the driver's answer contains an error code.

    pynvml raises no error in these cases.

    Parameters
    ----------
    what
        What was requested.
    value
        The nvmlReturn_t, as in pynvml's NVMLError.
    """

    def __init__(self, what: str, value: int) -> None:
        super().__init__(f"{what} was refused with nvmlReturn_t {value}")
        self.value = value


def code_of(error: Exception) -> int | None:
    """Return the nvmlReturn_t of an NVML error, or ``None`` for any other error."""
    value = getattr(error, "value", None)
    return value if isinstance(value, int) else None


def text_of(error: Exception) -> str:
    """Return the error as text, even if the driver's own text for it can't be read."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (pynvml asks the driver for the text)
        return f"{type(error).__name__}, nvmlReturn_t {code_of(error)}"


def is_too_old(error: Exception) -> bool:
    """Return whether the driver is older than the function that was called, or than the version of its struct."""
    if (
        type(error).__name__ == "NVMLLibraryMismatchError"
    ):  # what pynvml makes of it for some functions
        return True
    return code_of(error) in (FUNCTION_NOT_FOUND, ARGUMENT_VERSION_MISMATCH)


def missing_reason(error: Exception) -> MissingReason:
    """Return why a reading is missing after a call raised this error."""
    code = code_of(error)
    if is_too_old(error) or (code is None and isinstance(error, (AttributeError, LookupError))):
        return "not_supported"  # or this version of pynvml has no such function or value
    return REASON_OF_ERROR.get(code or 0, "driver_error")


def why_no_devices(error: Exception) -> NoDevices:
    """Return why there are no devices after opening the driver raised this error."""
    if isinstance(error, ImportError):
        return NoDevices(
            code="no_nvml_module",
            message=Message("The Python package nvidia-ml-py can't be used: {error}.", error=error),
            hint="Run: pip uninstall pynvml; pip install --force-reinstall nvidia-ml-py",
        )
    return NO_DEVICES.get(code_of(error) or 0) or NoDevices(
        code="driver_error",
        message=Message("The NVIDIA driver returned an error: {error}.", error=text_of(error)),
        hint="Check whether nvidia-smi works in a terminal.",
    )
