"""Readings that a command writes: its lines are parsed, bounded, and nothing in them is obeyed."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import psutil
import pytest
from waiting import wait_until

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.metrics import all_metrics
from jupyter_gpuperf.recordings.load import PACKAGED_FOLDER
from jupyter_gpuperf.sources import source_from
from jupyter_gpuperf.sources.several import SeveralSources
from jupyter_gpuperf.sources.streams import child
from jupyter_gpuperf.sources.streams import source as stream_source
from jupyter_gpuperf.sources.streams.messages import MOST_MACHINES, NotAStream, Stream
from jupyter_gpuperf.sources.streams.pieces import LONGEST_LINE_BYTES, Joiner, split

METRICS = all_metrics()
RECORDINGS = sorted(PACKAGED_FOLDER.glob("*.jsonl.gz"))
PYTHON = shlex.quote(sys.executable)


@pytest.fixture
def opened():
    """Return a function that opens a source; all are closed at the end."""
    sources = []

    def open_source(address):
        source = source_from(address, METRICS)
        sources.append(source)
        source.open()
        return source

    yield open_source
    for each in sources:
        each.close()


@pytest.fixture
def command():
    """Return a function that makes the address of a stream of recorded devices."""
    files = ",".join(map(str, RECORDINGS))

    def address(host="node1", interval_ms=100):
        words = f"stream --host {host} --interval-ms {interval_ms} --source {shlex.quote('replay:' + files)}"
        return f"exec:{PYTHON} -m jupyter_gpuperf {words}"

    return address


def script(tmp_path, code):
    """Return the address of a stream that a small script writes."""
    file = tmp_path / "stream.py"
    file.write_text(f"import sys, time, os\n{code}\n")
    return f"exec:{PYTHON} -u {shlex.quote(str(file))}"


def header(host="node1"):
    return json.dumps({"format": "gpuperf-recording", "host": host})


def device(uuid="GPU-1", **changes):
    return {
        "uuid": uuid,
        "index": 0,
        "name": "NVIDIA H100",
        "state": "ok",
        **dict.fromkeys(("driver_version", "pci_bus_id", "compute_capability", "parent_uuid")),
        "unified_memory": False,
        "memory_total_bytes": 8e10,
        "power_limit_watts": 700.0,
        "clock_sm_max_mhz": 1980.0,
        "clock_memory_max_mhz": 2619.0,
        "replayed": False,
        **changes,
    }


def devices(*infos, reason=None):
    version = {"version": "1", "api_version": 1, "source": "nvml"}
    listed = {"devices": list(infos), "reason": reason}
    return json.dumps({"type": "devices", "devices": listed, "version": version})


def frame(uuid="GPU-1", **readings):
    return json.dumps(
        {
            "type": "frame",
            "time_seconds": 5.0,
            "devices": {uuid: readings or {"power_watts": 300.0}},
            "host": {"cpu_utilization_percent": 5.0},
            "host_cores_percent": [1.0, 2.0],
        }
    )


def taken(*lines):
    stream = Stream(METRICS)
    found = [stream.take(line.encode() + b"\n") for line in lines]
    return found[-1][0], [frame for _, frame in found if frame is not None]


def children():
    return [each for each in psutil.Process().children(recursive=True) if each.is_running()]


def test_a_commands_readings_are_those_of_another_machine(opened, command):
    source = opened(command())
    assert source.devices().reason.code == "starting"
    samples = []
    wait_until(lambda: samples.extend(source.read()) or len(samples) > 3)
    sample = samples[-1]
    assert sample.host == "node1"
    assert len(sample.devices) == 2
    assert sample.machine
    assert abs(sample.time_seconds - time.time()) < 60
    infos = source.devices().devices
    assert {each.host for each in infos} == {"node1"}
    assert set(sample.devices) == {each.uuid for each in infos}
    wait_until(lambda: any(source.read_processes().values()))
    listed = [process for each in source.read_processes().values() for process in each]
    assert listed
    assert all(each.elsewhere for each in listed)
    source.close()
    assert children() == []


def test_a_stream_that_was_killed_comes_back(opened, command, monkeypatch):
    monkeypatch.setattr(child, "AGAIN_SECONDS", 0.1)
    source = opened(command())
    wait_until(source.read)
    (process,) = children()
    process.kill()
    wait_until(lambda: [each for each in children() if each.pid != process.pid])
    while source.read():
        pass
    wait_until(source.read)
    assert len(source.devices().devices) == 2


def test_a_stream_that_never_delivers_is_started_more_and_more_seldom(
    opened, tmp_path, monkeypatch
):
    monkeypatch.setattr(child, "FIRST_PAUSE_SECONDS", 0.05)
    starts = tmp_path / "starts"
    source = opened(
        script(
            tmp_path,
            f"open({str(starts)!r}, 'a').write(f'{{time.time()}}\\n'); sys.exit('no route')",
        )
    )
    wait_until(lambda: starts.exists() and len(starts.read_text().split()) >= 6)
    source.close()
    times = list(map(float, starts.read_text().split()))
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses[4] > pauses[1] + 0.3
    assert "no route" in source.devices().reason.message


def test_garbage_after_readings_costs_no_more_than_their_end(opened, tmp_path, monkeypatch):
    """What delivered before is tried again soon, however it ended, and however often."""
    monkeypatch.setattr(child, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(child, "FIRST_PAUSE_SECONDS", 60.0)
    lines = [header(), devices(device()), frame(), "<html>"]
    source = opened(script(tmp_path, f"for line in {lines!r}: print(line)\ntime.sleep(60)"))
    readings = 0

    def came_again():
        nonlocal readings
        readings += len(source.read())
        return readings > 2

    wait_until(came_again, "The readings of the third start")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("exec:/nowhere/tool --password secret", "No such file or directory"),
        ("exec:false secret", "it ended"),
        ("exec:echo '<html>secret</html>'", "malformed"),
    ],
)
def test_why_nothing_comes_is_said_without_the_command(opened, address, reason):
    source = opened(address)
    wait_until(lambda: source.devices().reason.code == "stream_ended")
    said = source.devices().reason
    assert reason in said.message
    assert "password" not in said.message
    assert source.read() == []


def test_silence_is_said_of_each_device_and_ends(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(stream_source, "SILENT_SECONDS", 0.3)
    lines = "\n".join([header(), devices(device()), frame()])
    go = tmp_path / "go"
    code = f"print({lines!r})\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)\nprint({frame()!r})\nsys.stdin.read()"
    source = opened(script(tmp_path, code))
    samples = []
    wait_until(lambda: samples.extend(source.read()) or len(samples) == 2)
    assert samples[1].devices == {"GPU-1": {"power_watts": "not_answering"}}
    assert source.devices().devices[0].state == "not_answering"
    assert source.read() == []
    go.touch()
    wait_until(lambda: samples.extend(source.read()) or len(samples) >= 3)
    assert samples[2].devices == {"GPU-1": {"power_watts": 300.0}}
    assert source.devices().devices[0].state == "ok"


def test_a_stream_that_floods_costs_no_more_than_a_hundred_readings(opened, tmp_path):
    lines = "\n".join([header(), devices(device())])
    source = opened(script(tmp_path, f"print({lines!r})\nwhile True: print({frame()!r})"))
    wait_until(lambda: len(source._waiting) == stream_source.MOST_WAITING)
    assert len(source.read()) <= stream_source.MOST_WAITING
    source.close()
    assert children() == []


def test_a_command_that_ignores_its_end_is_killed_with_what_it_started(opened, tmp_path):
    code = (
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen(['sleep', '1000'])\n"
        f"print({header()!r})\nprint({devices(device())!r})\nprint({frame()!r})\ntime.sleep(1000)"
    )
    source = opened(script(tmp_path, code))
    wait_until(source.read)
    assert len(children()) == 2
    source.close()
    wait_until(lambda: children() == [])


def test_a_hanging_command_is_ended_and_started_again(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(child, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr(child, "FIRST_PAUSE_SECONDS", 0.05)
    starts = tmp_path / "starts"
    source = opened(script(tmp_path, f"open({str(starts)!r}, 'a').write('x'); time.sleep(1000)"))
    wait_until(lambda: source.read() or (starts.exists() and len(starts.read_text()) >= 2))


def test_what_is_not_known_or_no_number_is_left_out():
    readings = {"unheard_of": 1.0, "power_watts": "not_supported", "temperature_celsius": 40.0}
    state, (found,) = taken(header(), devices(device()), frame(**readings))
    assert found.devices == {"GPU-1": {"power_watts": "not_supported", "temperature_celsius": 40.0}}
    assert state.host == "node1"


def test_readings_of_a_device_that_was_not_listed_are_left_out():
    _, (found,) = taken(header(), devices(device()), frame(uuid="GPU-2"))
    assert found.devices == {}


def of(host, message):
    return json.dumps({**json.loads(message), "machine": host})


def test_the_nodes_of_a_job_share_one_output():
    lines = [header("a"), of("a", devices(device("GPU-1"))), header("b")]
    lines += [of("b", devices(device("GPU-2"))), of("a", frame("GPU-1")), of("b", frame("GPU-2"))]
    stream = Stream(METRICS)
    found = [stream.take(line.encode()) for line in lines]
    assert [(said.host, bool(frame)) for said, frame in found[-2:]] == [("a", True), ("b", True)]
    assert {name: len(each.devices.devices) for name, each in stream.machines.items()} == {
        "a": 1,
        "b": 1,
    }


def test_long_lines_in_mixed_pieces_are_joined():
    lines = {tag: f'{{"{tag}": "{"x" * 5000}"}}'.encode() for tag in ("node1-7", "node2-7")}
    pieces = [list(split(line, tag)) for tag, line in lines.items()]
    assert max(map(len, itertools.chain(*pieces))) < 1000
    joiner = Joiner()
    mixed = [joiner.join(each + b"\n") for pair in zip(*pieces, strict=True) for each in pair]
    assert [each for each in mixed if each is not None] == [line + b"\n" for line in lines.values()]


def test_pieces_are_bounded():
    joiner, piece = Joiner(), b"+a " + b"x" * 1000 + b"\n"
    for _ in range(LONGEST_LINE_BYTES // 1000):
        joiner.join(piece)
    with pytest.raises(NotAStream, match="far too long"):
        joiner.join(piece)
    joiner = Joiner()
    for number in range(MOST_MACHINES):
        joiner.join(b"+%d x\n" % number)
    with pytest.raises(NotAStream, match="too many machines"):
        joiner.join(b"+another x\n")


def test_machines_are_listed_by_their_numbers_and_processes_by_machine(opened, tmp_path):
    lines, uuids = [], {"node10": "GPU-10", "²": "GPU-2", "node9": "GPU-9"}
    process = {"pid": 7, "kinds": ["compute"], "memory_used_bytes": 1.0}
    process["sm_utilization_percent"] = "not_supported"
    for host, uuid in uuids.items():
        processes = {"type": "processes", "devices": {uuid: [process]}}
        lines += [header(host), of(host, devices(device(uuid))), of(host, json.dumps(processes))]
        lines += [of(host, frame(uuid))]
    source = opened(script(tmp_path, f"for line in {lines!r}: print(line)\ntime.sleep(60)"))
    wait_until(lambda: len(source.devices().devices) == 3, "The devices")
    assert [each.host for each in source.devices().devices] == ["node9", "node10", "²"]
    wait_until(lambda: len(source.read_processes()) == 3, "The processes")
    listed = source.read_processes()
    assert {uuid: each[0].host for uuid, each in listed.items()} == {
        uuid: host for host, uuid in uuids.items()
    }


def test_a_machine_that_has_ended_is_no_longer_listed(opened, tmp_path):
    second = json.dumps({**json.loads(header("node2")), "machine": "node2#7"})
    lines = [header(), of("node1", devices(device("GPU-1"))), of("node1", frame("GPU-1"))]
    lines += [second, of("node2#7", devices(device("GPU-2"))), of("node2#7", frame("GPU-2"))]
    lines += [of("node2#7", json.dumps({"type": "end"}))]
    source = opened(script(tmp_path, f"for line in {lines!r}: print(line)\ntime.sleep(60)"))
    wait_until(lambda: {each.host for each in source.read()} == {"node1", "node2"}, "The readings")
    wait_until(lambda: {each.host for each in source.devices().devices} == {"node1"}, "The end")


def test_a_command_does_not_inherit_the_servers_sources(opened, tmp_path, monkeypatch):
    """Else, a command that is the server's source would start itself on the other machine, and so on."""
    monkeypatch.setenv("JUPYTER_GPUPERF_SOURCE", "nvml")
    source = opened(script(tmp_path, "import os; print(os.environ['JUPYTER_GPUPERF_SOURCE'])"))
    wait_until(lambda: source.devices().reason.code == "stream_ended", "The end")
    assert "KeyError" in source.devices().reason.message


def test_a_stream_of_too_many_machines_is_refused():
    stream = Stream(METRICS)
    for number in range(MOST_MACHINES):
        stream.take(header(f"node{number}").encode())
    with pytest.raises(NotAStream):
        stream.take(header("one more").encode())


def test_replayed_devices_of_two_machines_are_two():
    one, _ = taken(header("a"), devices(device(replayed=True)))
    other, _ = taken(header("b"), devices(device(replayed=True)))
    assert one.devices.devices[0].uuid != other.devices.devices[0].uuid


def test_other_kinds_of_messages_are_left_out():
    state, frames = taken(header(), json.dumps({"type": "alerts", "alerts": []}), '{"type": "new"}')
    assert (state.devices, frames) == (None, [])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "<html>",
        "[]",
        "{",
        "[" * 100_000,
        frame(power_watts=0.5).replace("0.5", "1e400"),
        '{"format": "other"}',
        '{"format": 5}',
        "\udcff",
    ],
)
def test_a_line_that_is_no_message_is_refused(line):
    with pytest.raises(NotAStream):
        Stream(METRICS).take(line.encode(errors="surrogateescape"))


def test_texts_from_elsewhere_are_short_and_printable():
    bad = "\x1b[31m" + "x" * 10_000
    many = [device(f"GPU-{number}", name=bad) for number in range(200)]
    state, _ = taken(header(bad), devices(*many))
    infos = state.devices.devices
    assert len(infos) == 64
    assert len(infos[0].name) <= 200
    assert infos[0].name.isprintable()
    assert len(state.host) <= 64
    assert state.host.isprintable()


def test_two_machines_with_one_name_are_told_apart_and_a_device_counts_once(opened, tmp_path):
    def stream(number, uuids):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines = [header("node"), devices(*map(device, uuids)), *map(frame, uuids)]
        return script(folder, f"print({chr(10).join(lines)!r}); sys.stdin.read()")

    source = opened(["none", stream(1, ["GPU-1", "GPU-2"]), stream(2, ["GPU-2", "GPU-3"])])
    assert isinstance(source, SeveralSources)
    samples = []
    wait_until(
        lambda: samples.extend(source.read()) or {"node", "node (2)"} <= {x.host for x in samples}
    )
    infos = source.devices().devices
    assert [(each.uuid, each.index) for each in infos] == [("GPU-1", 0), ("GPU-2", 1), ("GPU-3", 2)]
    first, also_first, second = (each.host for each in infos)
    assert first == also_first
    assert {first, second} == {"node", "node (2)"}


def test_addresses_may_be_a_list_and_one_that_fails_leaves_the_others(opened):
    source = opened(json.dumps(["none", "unheard:of", f"replay:{RECORDINGS[0]}"]))
    assert len(source.devices().devices) == 1
    assert source.kind == "none+replay"


@pytest.mark.parametrize(
    "address", ["exec:", "exec:'", "ssh:-oProxyCommand=x", "ssh: ", "[1]", '["a"', "exec:  "]
)
def test_addresses_that_are_none_are_refused(address):
    with pytest.raises(BadRequest) as refused:
        source_from(address, METRICS)
    assert refused.value.code == "unknown_source"


def started(command):
    words = shlex.split(command("node1", 100).removeprefix("exec:"))
    return subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("end", ["input", "output", "signal"])
def test_the_command_ends_when_nobody_reads_it(command, end):
    process = started(command)
    lines = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert lines[0]["host"] == "node1"
    assert lines[1]["type"] == "devices"
    if end == "input":
        process.stdin.close()
    elif end == "output":
        process.stdout.close()
    else:
        os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == 0
    assert process.stderr.read() == b""
    for each in (process.stdin, process.stdout, process.stderr):
        each.close()
