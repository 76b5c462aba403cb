"""The cancel button of a real kernel, whose cell is still running when the click comes."""

from __future__ import annotations

import queue
import time

import pytest
from jupyter_client.manager import start_new_kernel

WAITING_CELL = """
import ipywidgets, time
from jupyter_gpuperf.display.progress import WidgetView
view = WidgetView(ipywidgets)
print(view._button.comm.comm_id)
deadline = time.monotonic() + WAIT_SECONDS
while not view.cancel_wanted() and time.monotonic() < deadline:
    time.sleep(0.02)
print("clicked" if view.cancel_wanted() else "gave up")
view.end(None, "ended")
"""


@pytest.fixture
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def printed_by(client, request_id, until):
    """Collect what a cell prints until a line satisfies ``until``."""
    deadline = time.monotonic() + 60
    text = ""
    while time.monotonic() < deadline:
        try:
            message = client.get_iopub_msg(timeout=1)
        except queue.Empty:
            continue
        if message["parent_header"].get("msg_id") != request_id:
            continue
        text += message["content"].get("text", "")
        if until(text):
            return text
    raise AssertionError(f"The cell printed only {text!r}.")


def executed(client):
    """Return the next reply to a cell; a kernel that starts slowly was asked twice whether it is there, and answers twice."""
    while True:
        message = client.get_shell_msg(timeout=60)
        if message["msg_type"] == "execute_reply":
            return message


def click(client, comm_id):
    data = {"method": "custom", "content": {"event": "click"}}
    message = client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
    client.shell_channel.send(message)


def test_a_click_reaches_a_running_cell_and_what_waits_beside_it_runs_in_order(kernel):
    running = kernel.execute(WAITING_CELL.replace("WAIT_SECONDS", "60"))
    comm_id = printed_by(kernel, running, lambda text: "\n" in text).strip()
    first = kernel.execute("order = ['first']")
    second = kernel.execute("order.append('second'); print(order)")

    click(kernel, comm_id)

    assert "clicked" in printed_by(kernel, running, lambda text: "\n" in text)
    assert "['first', 'second']" in printed_by(kernel, second, lambda text: "\n" in text)
    replies = [executed(kernel) for _ in range(3)]
    assert [each["parent_header"]["msg_id"] for each in replies] == [running, first, second]
    assert all(each["content"]["status"] == "ok" for each in replies)


def test_a_click_on_another_widget_cancels_nothing(kernel):
    running = kernel.execute(WAITING_CELL.replace("WAIT_SECONDS", "1"))
    printed_by(kernel, running, lambda text: "\n" in text)

    click(kernel, "0" * 32)

    assert "gave up" in printed_by(kernel, running, lambda text: "\n" in text)
