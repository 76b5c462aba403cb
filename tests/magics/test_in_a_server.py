"""A real kernel of a real server that asks for a password: no token that the kernel could use."""

from __future__ import annotations

import http.cookiejar
import json
import os
import queue
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_server.auth.security import passwd

PASSWORD = "correct horse"
ROOT = Path(__file__).parents[2]
QUICK = "dataloader --workers 0 --items 16 --batch-size 8 --time-limit-seconds 1"
LONG = "compute --rigorous --time-limit-seconds 60"


class Server:
    """The server as its logged-in user sees it."""

    def __init__(self, port, runtime):
        self.address = f"http://127.0.0.1:{port}"
        self.runtime = runtime
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._cookies)
        )

    def log_in(self):
        self._opener.open(f"{self.address}/login").read()
        form = {"_xsrf": self._xsrf(), "password": PASSWORD}
        self._opener.open(f"{self.address}/login", urllib.parse.urlencode(form).encode()).read()

    def call(self, path, body=None, method=None):
        request = urllib.request.Request(
            f"{self.address}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-XSRFToken": self._xsrf()},
            method=method,
        )
        with self._opener.open(request) as answer:
            return json.loads(answer.read() or "null")

    def _xsrf(self):
        return next(each.value for each in self._cookies if each.name == "_xsrf")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    # Short: sockets' paths have little room.
    home = tmp_path_factory.mktemp("s")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "IPYTHONDIR": str(home / "ipython"),
        "TMPDIR": str(home),  # where the locks lie that other servers may hold
        "JUPYTER_GPUPERF_SOURCE": "none",
    }
    environment.pop("JUPYTER_TOKEN", None)
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                *("-m", "jupyter_server", "--no-browser", "--allow-root"),
                *(f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="),
                f"--PasswordIdentityProvider.hashed_password={passwd(PASSWORD)}",
                "--ServerApp.jpserver_extensions={'jupyter_gpuperf': True}",
                f"--ServerApp.root_dir={home}",
            ],
            env=environment,
            stdout=log,
            stderr=log,
        )
    server = Server(port, home / "runtime")
    try:
        wait_until(lambda: logged_in(server), 120, (home / "log").read_text)
        yield server
    finally:
        process.terminate()
        process.wait(60)
    assert list((home / "runtime").glob("gpuperf-*")) == []


def logged_in(server):
    try:
        server.log_in()
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


def wait_until(condition, seconds, explain=lambda: ""):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)


def is_the_end(content):
    return content.get("execution_state") == "idle"


class Notebook:
    """A kernel that the server started, reached as a front end would reach it."""

    def __init__(self, server):
        self._server = server
        self.kernel = server.call("api/kernels", {"name": "python3"})["id"]
        file = server.runtime / f"kernel-{self.kernel}.json"
        wait_until(file.exists, 60)
        self.client = BlockingKernelClient(connection_file=str(file))
        self.client.load_connection_file()
        self.client.start_channels()
        wait_until(self._is_ready, 120)

    def _is_ready(self):
        try:
            self.client.wait_for_ready(timeout=60)
        except RuntimeError:  # on a busy machine it misses a heartbeat while it starts
            return False
        return True

    def start(self, code):
        return self.client.execute(code)

    def finish(self, request, seconds=120):
        """Return the reply, and everything that the cell put out."""
        *outputs, _ = self.hear(request, is_the_end, seconds)
        return self.reply(request), outputs

    def hear(self, request, wanted, seconds=120):
        """Return what the cell put out from now on, up to the first content that is wanted."""
        deadline = time.monotonic() + seconds
        outputs = []
        while time.monotonic() < deadline:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            outputs.append((message["msg_type"], message["content"]))
            if wanted(message["content"]):
                return outputs
        raise AssertionError(f"It did not come; the cell put out {outputs}.")

    def reply(self, request):
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"]

    def run(self, code):
        return self.finish(self.start(code))

    def interrupt(self):
        self._server.call(f"api/kernels/{self.kernel}/interrupt", {})

    def close(self):
        self.client.stop_channels()
        self._server.call(f"api/kernels/{self.kernel}", method="DELETE")


@pytest.fixture(scope="module")
def opened(server):
    notebook = Notebook(server)
    reply, outputs = notebook.run("%load_ext jupyter_gpuperf")
    assert reply["status"] == "ok", outputs
    yield notebook
    notebook.close()


@pytest.fixture
def notebook(opened):
    return opened


def jobs(server):
    return server.call("gpuperf/jobs")["jobs"]


def until_running(server, known):
    wait_until(lambda: jobs(server)[: len(jobs(server)) - known], 60)
    wait_until(lambda: jobs(server)[0]["state"] == "running", 60, lambda: str(jobs(server)[0]))
    return jobs(server)[0]["id"]


def test_a_benchmark_runs_on_the_servers_worker_and_is_shown_in_the_cell(server, notebook):
    before = len(jobs(server))
    reply, outputs = notebook.run(f"result = %gpubench {QUICK}")

    assert reply["status"] == "ok", outputs
    job = jobs(server)[0]
    assert len(jobs(server)) == before + 1
    assert (job["state"], job["benchmark"]) == ("done", "dataloader")
    kind, last = [each for each in outputs if "data" in each[1] and "text/html" in each[1]["data"]][
        -1
    ]
    assert kind == "update_display_data"  # where the progress was
    assert "dataloader" in last["data"]["text/html"]

    _, outputs = notebook.run("import json; print(json.dumps(result.to_dict()))")
    assert json.loads(outputs[-1][1]["text"]) == job["result"]


def test_a_result_that_is_the_cells_value_is_shown_once(notebook):
    _, outputs = notebook.run(f"%gpubench {QUICK}")

    assert [kind for kind, _ in outputs if kind == "execute_result"] == []
    _, outputs = notebook.run("_")
    assert [kind for kind, _ in outputs if kind == "execute_result"] == ["execute_result"]


def test_interrupting_the_cell_cancels_the_job_and_says_so_in_a_line(server, notebook):
    before = len(jobs(server))
    running = notebook.start(f"%gpubench {LONG}")
    job_id = until_running(server, before)

    notebook.interrupt()
    reply, outputs = notebook.finish(running)

    assert (reply["status"], reply["ename"]) == ("error", "BenchmarkCancelled"), reply["traceback"]
    (error,) = [content for kind, content in outputs if kind == "error"]
    assert error["traceback"] == ["compute was cancelled; nothing is left running."]
    assert server.call(f"gpuperf/jobs/{job_id}")["state"] == "cancelled"


def test_a_job_that_the_panel_cancels_ends_the_cell(server, notebook):
    before = len(jobs(server))
    running = notebook.start(f"%gpubench {LONG}")
    server.call(f"gpuperf/jobs/{until_running(server, before)}", method="DELETE")

    reply, _ = notebook.finish(running)
    assert reply["ename"] == "BenchmarkCancelled"


def test_a_refusal_of_the_server_reaches_the_cell(notebook):
    reply, outputs = notebook.run("%gpubench dataloader --batch-size 0")

    assert reply["ename"] == "BenchmarkError"
    (error,) = [content for kind, content in outputs if kind == "error"]
    assert "parameter_out_of_range" in error["traceback"][0]
    assert len(error["traceback"]) == 2


def test_a_kernel_that_dies_takes_its_job_along(server):
    dying = Notebook(server)
    dying.run("%load_ext jupyter_gpuperf")
    before = len(jobs(server))
    dying.start(f"%gpubench {LONG}")
    job_id = until_running(server, before)

    dying.close()

    wait_until(lambda: server.call(f"gpuperf/jobs/{job_id}")["state"] == "cancelled", 60)


PROFILED = """
%%amp_profile --modes bf16 --no-numerics --time-limit-seconds {seconds}
{step}
"""
STEP = "loss = model(inputs).sum(); loss.backward()"


def test_the_server_shows_how_a_profile_ended(server, notebook):
    notebook.run("import torch; model, inputs = torch.nn.Linear(8, 8), torch.ones(4, 8)")
    notebook.run(PROFILED.format(seconds=0.2, step=STEP))
    wait_until(lambda: jobs(server)[0]["state"] == "done", 60, lambda: str(jobs(server)[0]))
    job = jobs(server)[0]
    assert job["benchmark"] == "amp_profile"
    assert [each["mode"] for each in job["result"]["precision"]["modes"]] == ["fp32", "bf16"]
    kept = server.call("gpuperf/results?benchmark=amp_profile")["results"]
    assert kept[0]["id"] == job["result_id"]
    assert kept[0]["result"]["precision"] == job["result"]["precision"]

    reply, _ = notebook.run(PROFILED.format(seconds=0.2, step="1 / 0"))
    assert reply["ename"] == "ZeroDivisionError"
    wait_until(lambda: jobs(server)[0]["state"] == "failed", 60, lambda: str(jobs(server)[0]))
    assert (
        jobs(server)[0]["error"]["message"]
        == "The cell raised ZeroDivisionError: division by zero."
    )

    before = len(jobs(server))
    running = notebook.start(PROFILED.format(seconds=60, step=STEP))
    server.call(f"gpuperf/jobs/{until_running(server, before)}", method="DELETE")
    reply, _ = notebook.finish(running)
    assert reply["ename"] == "BenchmarkCancelled"
    wait_until(lambda: jobs(server)[0]["state"] == "cancelled", 60)


WATCHED = """
%gpuwatch on
import time, torch
from torch.utils.data import DataLoader, TensorDataset
train_loader = DataLoader(TensorDataset(torch.arange(64.0)), batch_size=8)
"""
LOOPS = """
while not done:
    for batch in train_loader:
        time.sleep(0.005)
    done = look()
"""


def watched(server, kernel):
    found = server.call("gpuperf/training")["now"]["notebooks"]
    return next((each for each in found if each["key"] == kernel), None)


def is_the_explanation(content):
    return content.get("data", {}).get("text/plain", "").startswith("step, profiled")


def test_a_watched_loop_is_seen_while_it_runs_and_its_cell_has_a_mark(server, notebook, tmp_path):
    notebook.run(WATCHED)
    notebook.run(
        f"import os; done, look = False, lambda: os.path.exists({str(tmp_path / 'end')!r})"
    )
    running = notebook.start(LOOPS)
    try:
        wait_until(lambda: (watched(server, notebook.kernel) or {}).get("loaders"), 60)
        (loader,) = watched(server, notebook.kernel)["loaders"]
        assert loader["loader"] == "train_loader"
        assert loader["is_training"]
        assert loader["samples_per_second"] > 0
        assert loader["step_seconds"] >= 0.005
        assert (loader["batch_size"], loader["batches_per_epoch"]) == (8, 8)
        assert loader["busy_ratio"] is None  # there is no GPU here
        explain = {"key": notebook.kernel, "steps": 2}
        assert server.call("gpuperf/training/explain", explain)["steps"] == 2
        notebook.hear(running, is_the_explanation)  # while the loop goes on
    finally:
        (tmp_path / "end").touch()
    notebook.finish(running)
    wait_until(lambda: watched(server, notebook.kernel)["cells"], 60)
    history = server.call("gpuperf/training?seconds=60")["history"][notebook.kernel]
    assert any(history["metrics"]["samples_per_second"]["mean"])

    notebook.run("%gpuwatch off")
    wait_until(lambda: not watched(server, notebook.kernel)["connected"], 60)
