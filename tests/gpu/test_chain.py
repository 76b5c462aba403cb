"""The whole chain on a real device: server, worker, kernel. Figures go to $GPUPERF_FIGURES."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from real_server import notebook, run_cell, serving, wait_until

MIB = 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("s")) as server:
        yield server


@pytest.fixture(scope="module")
def note():
    """Keep a figure for people to read."""
    figures = {}
    yield figures.__setitem__
    if path := os.environ.get("GPUPERF_FIGURES"):
        Path(path).write_text(json.dumps(figures, indent=1))


TRAINING = """
import torch
net = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3, padding=1), torch.nn.ReLU()).cuda()
images = torch.rand(128, 3, 224, 224, device="cuda")
net(images).sum().backward()
torch.cuda.synchronize()
print("ready", flush=True)
while True:
    net(images).sum().backward()
"""


@pytest.fixture
def busy_device():
    """Another process that keeps the device busy."""
    process = subprocess.Popen([sys.executable, "-c", TRAINING], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield
    process.kill()
    process.wait()
    process.stdout.close()


def test_latest_agrees_with_nvidia_smi_while_the_device_works(
    server, nvidia_smi, busy_device, note
):
    time.sleep(3)  # clocks and power settle
    fields = ("memory.used", "temperature.gpu", "clocks.sm", "power.draw.average")
    compared = []
    for _ in range(5):
        time.sleep(1.1)
        before = nvidia_smi(*fields)
        latest = server.ask("gpuperf/latest")["devices"]
        compared.append((before, latest, nvidia_smi(*fields)))
    note("nvidia-smi before, latest, nvidia-smi after", compared)
    metrics = [
        ("memory_used_bytes", MIB, 1),
        ("temperature_celsius", 1, 2),
        ("clock_sm_mhz", 1, 60),
        ("power_watts", 1, 60),
    ]
    for before, latest, after in compared:
        assert set(latest) == set(before)
        for uuid, readings in latest.items():
            for index, (metric, scale, tolerance) in enumerate(metrics):
                bounds = sorted(float(each[uuid][index]) for each in (before, after))
                ours = readings[metric] / scale
                assert bounds[0] - tolerance <= ours <= bounds[1] + tolerance, metric


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("0 workers", {"workers": 0}),
        ("4 workers", {"workers": 4}),
        ("4 workers, pinned", {"workers": 4, "pin_memory": True}),
        ("8 workers, pinned, prefetch 3", {"workers": 8, "pin_memory": True, "prefetch_factor": 3}),
    ],
)
def test_the_dataloader_benchmark_runs_through_the_server(server, note, name, parameters):
    job = server.run("dataloader", items=10_000, time_limit_seconds=20, **parameters)
    result = job["result"]
    note(f"dataloader, {name}", {"figures": result["figures"], "warnings": result["warnings"]})
    assert result["environment"]["device_name"]
    assert 0.001 < result["figures"]["batch_seconds"]["value"] < 0.2


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_compute_benchmark_measures_the_device(server, note, precision):
    job = server.run("compute", precision=precision)
    result = job["result"]
    environment = {k: v for k, v in result["environment"].items() if k != "interpreter"}
    kept = {key: result[key] for key in ("figures", "warnings")}
    note(f"compute, {precision}", {**kept, "environment": environment})
    (device,) = server.ask("gpuperf/devices")["devices"][:1]
    assert job["device"] == device["uuid"]
    assert result["environment"]["device_name"] == device["name"]
    figures = result["figures"]
    assert "launch_seconds" in figures
    assert result["warnings"] == []
    # The floor is one: nothing eager is faster. What gains is measured in turn with it.
    assert result["environment"]["bound_by"] == "memory traffic"
    assert result["limits"]["pass_seconds"] < figures["pass_seconds"]["value"]
    assert figures["compiled_speedup"]["low"] > 1


def test_a_launch_bound_pass_is_timed_as_a_graph_too(server, note):
    job = server.run("compute", batch_size=1, image_size=32, variants="none", time_limit_seconds=3)
    figures = job["result"]["figures"]
    note("compute, launch-bound", figures)
    assert figures["graph_pass_seconds"]["value"] < figures["pass_seconds"]["value"]
    assert any(each.startswith("Launch-bound") for each in job["result"]["warnings"])


def test_a_product_can_be_timed_with_a_cold_cache(server, note):
    rates = {}
    for flush in (False, True):
        job = server.run("matmul", flush_l2=flush, time_limit_seconds=10)
        assert job["result"]["environment"]["l2_flushed"] is flush
        rates[flush] = job["result"]["figures"]["bf16_flops_per_second"]
        assert job["result"]["environment"]["bound_by"] == "arithmetic"
    note("matmul bf16, L2 as it is and flushed", list(rates.values()))


def test_cancelling_a_job_on_the_device_leaves_no_process(server, nvidia_smi, note):
    milliseconds = []
    for _ in range(5):
        job = server.ask("gpuperf/jobs", {"benchmark": "compute", "parameters": {}})
        path = f"gpuperf/jobs/{job['id']}"
        wait_until(lambda path=path: server.ask(path)["progress_message"] == "Warming up")
        time.sleep(0.7)  # of a warm-up of a second and more: the device computes
        began = time.perf_counter()
        server.ask(path, method="DELETE")
        wait_until(lambda path=path: server.ask(path)["state"] != "running")
        milliseconds.append(1000 * (time.perf_counter() - began))
        assert server.ask(path)["state"] == "cancelled"
    note("cancel on the device, ms", milliseconds)
    listed = subprocess.run(
        ["nvidia-smi", "--query-compute-apps=pid", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    children = subprocess.run(
        ["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    assert not set(listed) & set(children)


def test_a_notebook_is_named_with_what_it_holds(server, note):
    with notebook(server) as (kernel, client):
        run_cell(client, "import torch; held = torch.ones(1 << 28, device='cuda')")  # 1 GiB

        def named():
            (device,) = server.ask("gpuperf/processes")["devices"].values()
            listed = [
                each["memory_used_bytes"]
                for each in device["processes"]
                if each["kernel"] and each["kernel"]["kernel_id"] == kernel
            ]
            said = [
                each["reserved_bytes"]
                for each in device["reports"]
                if each["kernel"]["kernel_id"] == kernel
            ]
            note("notebook named by", {"driver": listed, "itself": said})
            return [each for each in listed + said if each >= 1 << 30]

        wait_until(named)


def test_the_magics_in_a_kernel_run_through_the_server(server, note):
    with notebook(server) as (_kernel, client):
        _run_both(server, client, note)


OWN_LOADER = """
import torch
from torch.utils.data import DataLoader, Dataset

class Images(Dataset):
    def __len__(self):
        return 2000

    def __getitem__(self, index):
        return torch.full((3, 224, 224), float(index)), index % 10

train_loader = DataLoader(Images(), batch_size=64, shuffle=True, num_workers=4, pin_memory=True)
"""


def test_a_notebooks_own_loader_is_measured_beside_cuda(server, note):
    with notebook(server) as (_kernel, client):
        run_cell(client, "import torch; held = torch.ones(1, device='cuda')")
        run_cell(client, OWN_LOADER)
        shown = run_cell(client, "%gpubench dataloader train_loader --time-limit-seconds 5")
        note("a notebook's own loader", shown)
        assert "samples/s" in shown


def _run_both(server, client, note):
    before = len(server.ask("gpuperf/jobs")["jobs"])
    shown = [
        run_cell(client, "%gpubench dataloader --workers 4 --batch-size 64"),
        run_cell(client, "%gpubench compute"),
    ]
    note("magics", shown)
    jobs = server.ask("gpuperf/jobs")["jobs"]
    assert len(jobs) == before + 2
    assert {job["state"] for job in jobs[:2]} == {"done"}
    assert "batch" in shown[0]
    assert "pass" in shown[1]
