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
