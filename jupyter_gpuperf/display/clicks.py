"""Notices a widget's click while the cell that shows the widget is still running.

A click travels as a comm message on the kernel's shell channel. Newer front ends send it over a
subshell, a thread of its own, and ipywidgets' callback runs there. Others send it to the main
thread, which the running cell occupies: ipykernel 6 always, and 7 too where it routes a comm's
answers to the shell that last spoke. There the message would wait for the very cell that it is to
end. So while the cell waits it looks through its own queue, takes the click out, and lays
everything else back in order for the kernel to handle after the cell.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from jupyter_gpuperf.state.interrupts import uninterrupted


class ClickWatch:
    """Looks for clicks on one widget among the messages that wait for this kernel's main thread.

    Parameters
    ----------
    kernel
        The running ipykernel.
    comm_id
        The widget's.
    """

    def __init__(self, kernel: Any, comm_id: str) -> None:
        self._kernel = kernel
        self._comm_id = comm_id
        self._stream, self._again = _main_queue(kernel)
        self._waiting: list[Any] = []

    def clicked(self) -> bool:
        """Take what has arrived; tell whether a click is among it."""
        import zmq

        found = False
        with uninterrupted():  # an interrupt could lose a message
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
        """Lay the other messages back, in the order in which they came."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._again(message)

    def _is_click(self, message: Any) -> bool:
        session = self._kernel.session
        try:
            _identities, frames = session.feed_identities(message, copy=False)
            # Without its content: reading that too would mark the message as seen, and the kernel
            # would refuse it as a duplicate later.
            peeked = session.deserialize(frames, content=False, copy=False)
            if peeked["header"]["msg_type"] != "comm_msg":
                return False
            content = session.unpack(peeked["content"])
            event = content.get("data", {}).get("content", {})
        except Exception:  # noqa: BLE001  (whatever it is, it is the kernel's to judge, after the cell)
            return False
        return bool(content.get("comm_id") == self._comm_id and event.get("event") == "click")


def click_watch(comm_id: str) -> ClickWatch | None:
    """Return a watch in a kernel that lets one look, else ``None``: interrupting always works."""
    try:
        from ipykernel.kernelbase import Kernel

        if not Kernel.initialized():
            return None
        return ClickWatch(Kernel.instance(), comm_id)
    except (ImportError, AttributeError):
        return None


def _main_queue(kernel: Any) -> tuple[Any, Callable[[Any], None]]:
    """Return the stream that feeds the kernel's main thread, and how to lay a message back."""
    if getattr(kernel, "_supports_kernel_subshells", False):  # ipykernel 7
        manager = kernel.shell_channel_thread.manager
        stream = manager.get_shell_channel_to_subshell_pair(None).to_stream

        def again(message: Any) -> None:
            context = copy_context()  # one each: a message's parent must not leak into the next
            context.run(kernel.io_loop.add_callback, kernel.shell_main, None, message)

        return stream, again
    if not hasattr(kernel, "schedule_dispatch"):
        raise AttributeError("This kernel's queue is unknown.")
    return kernel.shell_stream, lambda message: kernel.schedule_dispatch(
        kernel.dispatch_shell, message
    )
