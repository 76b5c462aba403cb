"""Find why a cell fails in one mode, by running it again. What was not checked is not claimed."""

from __future__ import annotations

import contextlib
import linecache
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.mode_context import AUTOCAST, CURRENT_MODE
from jupyter_gpuperf.precision.session import OutOfTime, ProfileSession
from jupyter_gpuperf.state.roots import is_user_module

MOST_CHARACTERS: Final = 120
NOT_KNOWN: Final = Message("The cause is not known; only this mode raises it.")


def cause_in_mode(session: ProfileSession, mode: str, error: BaseException, runs: int) -> Message:
    """Return a sentence: the cause of an error in run ``runs`` of a mode, as far as it could be checked."""
    try:
        if (run := failing_run(session, runs, error)) is not None:
            return Message(
                "The cell's own mode raises it, too, in run {run} from the same state.", run=run
            )
        calls = _FailedCalls(session.torch)
        again = _raised(session, mode, runs, calls.recording)
        if type(again) is not type(error):
            return Message("It did not happen again when repeated: the cause is not known.")
        failed = calls.find(again)
        return _cause_in_call(session.torch, mode, session.device.type, failed) or _cause_in_code(
            again
        )
    except OutOfTime:
        return Message("The cause is not known: no time was left to check it.")
    except Exception:  # noqa: BLE001  (whatever goes wrong here, the error itself is reported)
        return NOT_KNOWN


def failing_run(session: ProfileSession, runs: int, error: BaseException) -> int | None:
    """Return the number of the run in which the cell's own mode raises such an error; ``None`` if not within ``runs``."""
    again = _raised(session, CURRENT_MODE, runs)
    return session.runs_in_row if type(again) is type(error) else None


def _raised(
    session: ProfileSession,
    mode: str,
    runs: int,
    recording: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
) -> BaseException | None:
    """Run the cell ``runs`` times in a row and return what it raises."""
    try:
        with session.in_mode(mode), recording():
            for _ in range(runs):
                session.run_cell()
            session.synchronize()
    except OutOfTime:
        raise
    except Exception as error:  # noqa: BLE001  (the cell's)
        return error
    return None


@dataclass(frozen=True, slots=True)
class _FailedCall:
    function: Any
    args: Any
    kwargs: Any
    error: BaseException

    @property
    def name(self) -> str:
        """The name, such as ``Tensor.numpy`` or ``aten::index_put_``."""
        if hasattr(self.function, "overloadpacket"):
            return str(self.function.name()).partition(".")[0]
        name = getattr(self.function, "__qualname__", None) or repr(self.function)
        return str(name).replace("TensorBase.", "Tensor.")

    def fails(self, change: Callable[[Any], Any]) -> bool:
        try:
            self.function(*_mapped(change, self.args), **_mapped(change, self.kwargs))
        except Exception:  # noqa: BLE001  (this is the question)
            return True
        return False


class _FailedCalls:
    """Records calls of torch's functions and operators that raise, with their arguments."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._calls: list[_FailedCall] = []

    def find(self, error: BaseException | None) -> _FailedCall | None:
        """Return the innermost call that raised this error."""
        return next((each for each in self._calls if str(each.error) == str(error)), None)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        from torch.overrides import TorchFunctionMode
        from torch.utils._python_dispatch import TorchDispatchMode

        def call(function: Any, args: Any, kwargs: Any) -> Any:
            try:
                return function(*args, **(kwargs or {}))
            except Exception as error:  # whatever torch raises; it is raised again
                self._calls.append(_FailedCall(function, args, kwargs or {}, error))
                raise

        class Functions(TorchFunctionMode):  # type: ignore[misc]
            def __torch_function__(
                self, function: Any, types: Any, args: Any = (), kwargs: Any = None
            ) -> Any:
                return call(function, args, kwargs)

        class Operators(TorchDispatchMode):  # type: ignore[misc]
            def __torch_dispatch__(
                self, function: Any, types: Any, args: Any = (), kwargs: Any = None
            ) -> Any:
                return call(function, args, kwargs)

        with Functions(), Operators():
            yield


def _cause_in_call(
    torch: Any, mode: str, device_type: str, call: _FailedCall | None
) -> Message | None:
    """Run a call alone, in the mode and in float32, and return what that shows; ``None`` if nothing."""
    if call is None:
        return None
    dtypes: list[str] = []

    def note(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            dtypes.append(str(value.dtype).removeprefix("torch."))
        return value.detach() if isinstance(value, torch.Tensor) else value

    def in_float32(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.detach().float() if value.is_floating_point() else value
        return (
            torch.float32 if isinstance(value, torch.dtype) and value.is_floating_point else value
        )

    dtype = getattr(torch, AUTOCAST.get(mode, "float32"))
    with torch.autocast(device_type, dtype=dtype, enabled=mode in AUTOCAST):
        fails_alone = call.fails(note)
    with torch.autocast(device_type, enabled=False):
        fails_in_float32 = call.fails(in_float32)
    if not fails_alone:
        return None
    if fails_in_float32:
        return Message(
            "Run alone, {operator} fails in float32, too: the cause is not the dtype.",
            operator=call.name,
        )
    return Message(
        "Run alone, {operator} fails in {mode} (inputs: {dtypes}) and works in float32.",
        operator=call.name,
        mode=mode,
        dtypes=sorted(set(dtypes)),
    )


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    if type(value) in (list, tuple):
        return type(value)(_mapped(change, each) for each in value)
    if type(value) is dict:
        return {name: _mapped(change, each) for name, each in value.items()}
    return change(value)


def _cause_in_code(error: BaseException | None) -> Message:
    """Return which line of the user's own code raised the error, if it was the user's."""
    *_, (frame, line) = traceback.walk_tb(getattr(error, "__traceback__", None))
    if not is_user_module(str(frame.f_globals.get("__name__", "__main__"))):
        return NOT_KNOWN
    text = linecache.getline(frame.f_code.co_filename, line).strip()[:MOST_CHARACTERS]
    return Message(
        "Raised by line {line} of your own code{text}; the cell's own mode does not raise it.",
        line=line,
        text=f" ({text})" if text else "",
    )
