"""A recording made with this product on a real H100: idle, training, a starved loader, copies, products at the power cap.

Taken by ``jupyter gpuperf record --interval-ms 200`` (driver 580.159.04). What it shows is known, because
the workload's phases are.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording

SESSION = Path(__file__).parents[1] / "recordings" / "h100_session.jsonl.gz"
IDLE, COPIES, PRODUCTS = 8.0, 49.0, 60.0  # seconds into the recording


@pytest.fixture(scope="module")
def session():
    return load_recording(SESSION, METRICS)


def at(session, seconds):
    (readings,) = session.read(seconds).values()
    return readings


def test_every_reading_of_an_h100_was_recorded(session):
    readings = at(session, PRODUCTS)
    missing = {name: reading for name, reading in readings.items() if isinstance(reading, str)}
    assert "not_recorded" not in missing.values()
    # A single H100 without NVLink and without the retired pages of older chips; no XID yet.
    assert set(missing) == {
        *(name for name in readings if name.startswith("nvlink_")),
        "retired_pages_count",
        "xid_last_code",
    }


def test_nothing_runs_while_it_is_idle(session):
    readings = at(session, IDLE)
    assert readings["utilization_percent"] == 0
    assert readings["tensor_active_percent"] == 0
    assert readings["power_watts"] < 100


def test_copies_fill_the_link_and_use_no_multiprocessor(session):
    readings = at(session, COPIES)
    assert 50e9 < readings["pcie_receive_bytes_per_second"] < 64e9  # PCIe 5, 16 lanes
    assert readings["sm_active_percent"] < 1


def test_products_keep_the_tensor_cores_busy_at_the_power_limit(session):
    readings = at(session, PRODUCTS)
    assert readings["tensor_active_percent"] > 90
    assert readings["power_watts"] == pytest.approx(readings["power_limit_watts"], rel=0.02)
    assert readings["clock_lost_power_cap_ratio"] > 0.9
    assert readings["clock_sm_mhz"] < readings["clock_sm_max_mhz"]


def test_the_process_that_worked_was_recorded_with_its_memory(session):
    ((process,),) = session.read_processes(PRODUCTS).values()
    assert process.memory_used_bytes > 1e9
    assert process.elsewhere
