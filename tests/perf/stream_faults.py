"""Thirty streams that are killed, stall, flood or write garbage at random: what of the others is lost, and how soon each is back.

    python tests/perf/stream_faults.py [--streams 30] [--minutes 10] [--json FILE]

Each stream is a real process that writes a reading a second, and has a fault every minute or so. This process reads them as
the sampler does, once a second. A stream without a fault misses a tick if its readings are more than 1.9 s apart. One that was
killed, flooded or wrote garbage can deliver again as soon as it is started again; one that stalls, when the stall ends.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from jupyter_gpuperf.metrics import all_metrics
from jupyter_gpuperf.sources import source_from

WRITER: Final = """
import json, os, random, signal, sys, time
host, log, seed = sys.argv[1], sys.argv[2], f"{sys.argv[1]} {time.time()}"
chance = random.Random(seed)
def say(message):
    sys.stdout.write(json.dumps(message) + "\\n")
    sys.stdout.flush()
def note(kind, until=None):
    with open(log, "a") as file:
        file.write(json.dumps([host, kind, time.time(), until or time.time()]) + "\\n")
uuid = "GPU-" + host
missing = dict.fromkeys(("driver_version", "pci_bus_id", "compute_capability", "parent_uuid"))
device = {"uuid": uuid, "index": 0, "name": "NVIDIA H100", "state": "ok", "unified_memory": False, "replayed": False,
          "memory_total_bytes": 8e10, "power_limit_watts": 700.0, "clock_sm_max_mhz": 1980.0,
          "clock_memory_max_mhz": 2619.0, **missing}
say({"format": "gpuperf-recording", "host": host})
say({"type": "devices", "devices": {"devices": [device], "reason": None}})
frame = {"type": "frame", "time_seconds": 0.0, "devices": {uuid: {"power_watts": 300.0}}, "host": {}, "host_cores_percent": []}
while True:
    say(frame)
    time.sleep(1)
    if chance.random() < 1 / 60:
        kind = chance.choice(("killed", "stalled", "flooded", "garbled"))
        if kind == "stalled":
            note(kind, time.time() + 8)
            time.sleep(8)
        elif kind == "killed":
            note(kind)
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "garbled":
            note(kind)
            sys.stdout.write("<html>502 Bad Gateway</html>\\n")
            sys.stdout.flush()
        else:
            until = time.time() + 2
            while time.time() < until:
                sys.stdout.write((json.dumps(frame) + "\\n") * 200)
            note("killed")
            os.kill(os.getpid(), signal.SIGKILL)
"""
MISSED_SECONDS: Final = 1.9


def run(streams: int, seconds: float, folder: Path) -> dict[str, object]:
    """Read the streams for some time; return the figures."""
    script, log = folder / "writer.py", folder / "faults.jsonl"
    script.write_text(WRITER)
    log.touch()
    hosts = [f"node{index}" for index in range(streams)]
    words = [[sys.executable, "-u", str(script), host, str(log)] for host in hosts]
    source = source_from([f"exec:{shlex.join(each)}" for each in words], all_metrics())
    arrived: dict[str, list[float]] = {host: [] for host in hosts}
    longest_read_ms = 0.0
    source.open()
    cpu_before = time.process_time()
    began = time.time()
    try:
        while time.time() - began < seconds:
            before = time.perf_counter()
            for sample in source.read():
                has_values = any(
                    isinstance(value, float)
                    for readings in sample.devices.values()
                    for value in readings.values()
                )
                if has_values and sample.host is not None and sample.time_seconds is not None:
                    arrived[sample.host].append(sample.time_seconds)
            source.devices()
            longest_read_ms = max(longest_read_ms, 1e3 * (time.perf_counter() - before))
            time.sleep(1)
    finally:
        cpu_percent = 100 * (time.process_time() - cpu_before) / (time.time() - began)
        closing = time.perf_counter()
        source.close()
        closing = time.perf_counter() - closing
    faults = [json.loads(line) for line in log.read_text().splitlines()]
    return {
        "streams": streams,
        "seconds": seconds,
        "faults": len(faults),
        "readings": sum(map(len, arrived.values())),
        **judged(arrived, faults),
        "longest_read_ms": longest_read_ms,
        "cpu_percent": cpu_percent,
        "close_seconds": closing,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def judged(arrived: dict[str, list[float]], faults: list[list]) -> dict[str, object]:
    """Return the gaps without a fault, and the seconds from the end of each fault to the next reading."""
    missed = 0
    back: dict[str, list[float]] = {}
    for host, times in arrived.items():
        own = [(kind, begin, end) for name, kind, begin, end in faults if name == host]
        for before, after in itertools.pairwise(times):
            in_fault = any(begin <= after and end >= before - 1 for _, begin, end in own)
            missed += after - before > MISSED_SECONDS and not in_fault
        for kind, _, end in own:
            later = [each for each in times if each >= end]
            if later:
                back.setdefault(kind, []).append(later[0] - end)
    return {
        "ticks_missed_without_a_fault": missed,
        "longest_seconds_until_back": {kind: max(each) for kind, each in back.items()},
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(options.streams, 60 * options.minutes, Path(folder))
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
