"""What is read of two devices, against nvidia-smi and against the bytes that a program copied."""

from __future__ import annotations

import json
import subprocess
import time
from statistics import mean

import pytest
from looking import DRY, MIB, at_work, findings, numbers, recorded, words_of


@pytest.mark.seconds(100)
def test_each_device_is_read_as_nvidia_smi_reads_it(server, nvidia_smi, note):
    with (
        at_work(kind="large", device=0, gib=20),
        at_work(kind="light", device=1, gib=3),
        recorded(server, "two_busy_differently", note),
    ):
        time.sleep(1 if DRY else 6)  # clocks and power settle
        compared = [_compared(server, nvidia_smi) for _ in range(3)]
        note("nvidia-smi before, latest, nvidia-smi after", compared)
        asked = "history?seconds=5&step_seconds=1&metrics=utilization_percent,memory_used_bytes"
        past = server.ask(f"gpuperf/{asked}")["devices"]
        means = {
            uuid: {
                name: mean(numbers(values["mean"])) for name, values in columns["metrics"].items()
            }
            for uuid, columns in past.items()
        }
        note("history, means of 5 s", means)
        listed = server.ask("gpuperf/processes")["devices"]
        ours = {
            uuid: sorted(
                [each["driver_pid"], each["memory_used_bytes"]] for each in of_one["processes"]
            )
            for uuid, of_one in listed.items()
        }
        theirs = None if DRY else _processes_of_nvidia_smi()
        note("processes", {"ours": ours, "nvidia-smi": theirs})
        note("topology", None if DRY else _said_by("topo", "-m"))
        note("findings while busy differently", words_of(findings(server)))
    first, second = server.uuids
    assert set(means) == set(listed) == set(server.uuids)
    if DRY:
        return
    for before, latest, after in compared:
        for uuid in server.uuids:
            _assert_within(before[uuid], latest[uuid], after[uuid])
    assert means[first]["utilization_percent"] > means[second]["utilization_percent"] + 20
    assert means[first]["memory_used_bytes"] > means[second]["memory_used_bytes"] + 10 * 1024 * MIB
    assert {uuid: [pid for pid, _ in rows] for uuid, rows in ours.items()} == {
        uuid: [pid for pid, _ in theirs.get(uuid, [])] for uuid in ours
    }


METRICS = (
    ("memory.used", "memory_used_bytes", MIB, 1),
    ("temperature.gpu", "temperature_celsius", 1, 2),
    ("power.draw.average", "power_watts", 1, 60),
)


def _compared(server, nvidia_smi):
    fields = [field for field, *_ in METRICS]
    time.sleep(0.2 if DRY else 1.1)
    before = {} if DRY else nvidia_smi(*fields)
    latest = server.ask("gpuperf/latest")["devices"]
    after = {} if DRY else nvidia_smi(*fields)
    names = [name for _, name, *_ in METRICS]
    return (
        before,
        {uuid: {name: each[name] for name in names} for uuid, each in latest.items()},
        after,
    )


def _assert_within(before, latest, after):
    for index, (_, metric, scale, tolerance) in enumerate(METRICS):
        low, high = sorted(float(each[index]) for each in (before, after))
        assert low - tolerance <= latest[metric] / scale <= high + tolerance, metric


def _said_by(*arguments):
    command = ["nvidia-smi", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout


def _processes_of_nvidia_smi():
    listed = _said_by(
        "--query-compute-apps=gpu_uuid,pid,used_memory", "--format=csv,noheader,nounits"
    )
    found = {}
    for line in listed.splitlines():
        uuid, pid, mebibytes = (cell.strip() for cell in line.split(","))
        found.setdefault(uuid, []).append([int(pid), mebibytes])
    return {uuid: sorted(rows) for uuid, rows in found.items()}


@pytest.mark.seconds(60)
def test_nvlink_counts_what_is_copied_between_the_devices(server, note):
    sent, received, told = [], [], []
    with (
        at_work(kind="copies", device=0, to=1) as copying,
        recorded(server, "two_peer_copies", note),
    ):
        copying.stdout.readline()  # the first second: the sampler has come to pace
        for _ in range(4):
            told.append(json.loads(copying.stdout.readline()))
            latest = server.ask("gpuperf/latest")["devices"]
            sent.append(latest[server.uuids[0]]["nvlink_transmit_bytes_per_second"])
            received.append(latest[server.uuids[1]]["nvlink_receive_bytes_per_second"])
    copied = mean(each["bytes"] / each["seconds"] for each in told)
    links = [latest[uuid]["nvlink_links_count"] for uuid in server.uuids]
    figures = {"copied": copied, "sent": sent, "received": received, "links": links}
    note("NVLink, bytes per second", figures)
    if DRY:
        return
    assert numbers(sent), "there is no reading of NVLink"
    assert mean(numbers(sent)) == pytest.approx(copied, rel=0.15)
    assert mean(numbers(received)) == pytest.approx(copied, rel=0.15)
