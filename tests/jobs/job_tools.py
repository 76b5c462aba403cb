"""What tests of jobs share: requests for the stand-in worker, and looking at processes."""

from __future__ import annotations

import queue
import sys
from pathlib import Path

from waiting import wait_until  # noqa: F401  (for the tests here)

from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.schemas import DeviceInfo, JobInfo, JobRequest

WORKERS = Path(__file__).parent / "workers"
sys.path.insert(0, str(WORKERS))

from stand_in import ACTS

NUMBERS = {act.__name__: number for number, act in enumerate(ACTS, 1)}


def request(act: str = "works", device: str | None = None) -> JobRequest:
    return JobRequest(benchmark="dataloader", parameters={"items": NUMBERS[act]}, device=device)


def device(uuid: str, index: int = 0, *, replayed: bool = False) -> DeviceInfo:
    return DeviceInfo(
        state="ok",
        pci_bus_id=None,
        compute_capability=None,
        parent_uuid=None,
        unified_memory=False,
        uuid=uuid,
        index=index,
        name="GPU",
        driver_version=None,
        memory_total_bytes=1.0,
        power_limit_watts=1.0,
        clock_sm_max_mhz=1.0,
        clock_memory_max_mhz=1.0,
        replayed=replayed,
    )


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and not yet reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def follow(manager: JobManager, job_id: str) -> list[JobInfo]:
    """Return all states that a listener hears of, until the job ends."""
    states: queue.Queue[JobInfo] = queue.Queue()
    unsubscribe = manager.subscribe(job_id, states.put)
    heard = [states.get(timeout=60)]
    while heard[-1].state in ("queued", "running"):
        heard.append(states.get(timeout=60))
    unsubscribe()
    return heard
