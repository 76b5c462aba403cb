"""Notice clicks on a widget while the cell that shows it is still running.

A click is a comm message on the kernel's shell channel. Recent front ends send it over a subshell, which
has its own thread, and ipywidgets runs the callback there. Otherwise the message goes to the main thread,
which the running cell blocks. This is always the case in ipykernel 6, and in ipykernel 7 when it routes a comm's
replies to the shell that was used last. The message would then wait for the very cell that it is meant to end. So the
running cell searches the queue itself, takes the click out, and puts all other messages back in order. The kernel
handles them after the cell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from jupyter_gpuperf.state.interrupts import uninterrupted


class ClickWatch:
    """Looks for clicks on one widget among the messages queued for the kernel's main thread.

    Parameters
    ----------
    kernel
        The running ipykernel.
    comm_id
        The widget's comm id.
    """

    def __init__(self, kernel: Any, comm_id: str) -> None:
        self._kernel = kernel
        self._comm_id = comm_id
        self._stream, self._requeue = _main_queue(kernel)
        self._waiting: list[Any] = []

    def clicked(self) -> bool:
        """Read all messages that have arrived and return whether one is a click."""
        import zmq

        found = False
        with uninterrupted():  # otherwise an interrupt could lose a message
            while True:
                try:
                    message = self._stream.socket.recv_multipart(zmq.NOBLOCK, copy=False)
                except zmq.Again:
                    return found
                if self._is_click(message):
                    found = True
                else:
                    self._waiting.append(message)

    def close(self) -> None:
        """Put the other messages back, in their original order."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._requeue(message)

    def _is_click(self, message: Any) -> bool:
        session = self._kernel.session
        try:
            _identities, frames = session.feed_identities(message, copy=False)
            # Skip the content: reading it would mark the message as seen, and the kernel would
            # later refuse it as a duplicate.
            peeked = session.deserialize(frames, content=False, copy=False)
            if peeked["header"]["msg_type"] != "comm_msg":
                return False
            content = session.unpack(peeked["content"])
            event = content.get("data", {}).get("content", {})
        except Exception:  # noqa: BLE001  (the kernel handles malformed messages itself, after the cell)
            return False
        return bool(content.get("comm_id") == self._comm_id and event.get("event") == "click")


def click_watch(comm_id: str) -> ClickWatch | None:
    """Return a click watch, or ``None`` if this kernel's queue is not accessible; interrupting the cell still works."""
    if threading.current_thread() is not threading.main_thread():
        return (
            None  # the main thread may read the queue at the same time, which ZeroMQ does not allow
        )
    try:
        from ipykernel.kernelbase import Kernel

        if not Kernel.initialized():
            return None
        return ClickWatch(Kernel.instance(), comm_id)
    except Exception:  # noqa: BLE001  (other kernels put stand-ins for ipykernel into sys.modules)
        return None


def _main_queue(kernel: Any) -> tuple[Any, Callable[[Any], None]]:
    """Return the stream that feeds the kernel's main thread, and a function that requeues a message."""
    if getattr(kernel, "_supports_kernel_subshells", False):  # ipykernel 7
        manager = kernel.shell_channel_thread.manager
        stream = manager.get_shell_channel_to_subshell_pair(None).to_stream

        def requeue(message: Any) -> None:
            # Each message gets its own context, so that its parent header does not leak into the next.
            context = copy_context()
            context.run(kernel.io_loop.add_callback, kernel.shell_main, None, message)

        return stream, requeue
    if not hasattr(kernel, "schedule_dispatch"):
        raise AttributeError("This kernel's queue is unknown.")
    return kernel.shell_stream, lambda message: kernel.schedule_dispatch(
        kernel.dispatch_shell, message
    )
