from __future__ import annotations

import os

import pytest

from jupyter_gpuperf.measure import resources


def write(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu_DOT_max": "150000 100000\n"}, 1.5),
        ({"cpu_DOT_max": "max 100000\n"}, None),
        ({"cpu__cpu_DOT_cfs_quota_us": "200000", "cpu__cpu_DOT_cfs_period_us": "100000"}, 2.0),
        ({"cpu__cpu_DOT_cfs_quota_us": "-1", "cpu__cpu_DOT_cfs_period_us": "100000"}, None),
        ({}, None),
        ({"cpu_DOT_max": "nonsense"}, None),
    ],
)
def test_the_quota_of_a_container_of_either_version(tmp_path, files, quota):
    write(tmp_path, **files)
    assert resources.cpu_quota(tmp_path) == quota


def test_usable_is_the_lesser_of_affinity_and_quota(tmp_path):
    cpus = len(os.sched_getaffinity(0))
    assert resources.usable_cpus(tmp_path) == cpus
    write(tmp_path, cpu_DOT_max="50000 100000")
    assert resources.usable_cpus(tmp_path) == 0.5


def test_memory_is_the_lesser_of_host_and_container(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 2000 kB\nMemAvailable:    1000 kB\n")
    assert resources.available_memory_bytes(tmp_path, meminfo) == 1000 * 1024
    write(tmp_path, memory_DOT_max="600000", memory_DOT_current="100000")
    assert resources.available_memory_bytes(tmp_path, meminfo) == 500_000
    write(tmp_path, memory_DOT_max="max")
    assert resources.available_memory_bytes(tmp_path, meminfo) == 1000 * 1024


def test_where_nothing_tells_nothing_is_made_up(tmp_path):
    assert resources.available_memory_bytes(tmp_path, tmp_path / "none") is None
    assert resources.shared_memory_free_bytes(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("limit", "used", "left"),
    [(700_000, 300_000, 400_000), (300_000, 700_000, 0), (2**62, 0, 1000 * 1024)],
    ids=["some", "above its limit", "limit above the machine"],
)
@pytest.mark.parametrize(
    ("limit_file", "used_file"),
    [
        ("memory_DOT_max", "memory_DOT_current"),
        ("memory__memory_DOT_limit_in_bytes", "memory__memory_DOT_usage_in_bytes"),
    ],
    ids=["version 2", "version 1"],
)
def test_what_a_container_of_either_version_leaves(
    tmp_path, limit_file, used_file, limit, used, left
):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemAvailable:    1000 kB\n")
    write(tmp_path, **{limit_file: str(limit), used_file: str(used)})
    assert resources.available_memory_bytes(tmp_path, meminfo) == left


@pytest.mark.parametrize("content", ["MemTotal: 5 kB\n", "MemAvailable: many kB\n", ""])
def test_a_machine_that_does_not_say_what_is_available_is_not_guessed_at(tmp_path, content):
    (tmp_path / "meminfo").write_text(content)
    assert resources.available_memory_bytes(tmp_path, tmp_path / "meminfo") is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_processors_are_those_that_this_process_may_run_on():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert resources.cpu_count() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert resources.cpu_count() == len(before)
