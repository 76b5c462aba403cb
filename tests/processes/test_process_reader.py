"""The processes of all devices, read once for all who ask."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future

from jupyter_gpuperf.processes.attribution import Attribution
from jupyter_gpuperf.processes.process_table import ProcessTable
from jupyter_gpuperf.schemas.processes import ListedProcess
from jupyter_gpuperf.server.process_reader import ProcessReader


class Driver:
    """Lists these pids on these devices."""

    def __init__(self, **pids):
        self.pids = pids

    def start(self):
        pass

    def request_processes(self):
        answer = Future()
        answer.set_result(
            {
                uuid: [
                    ListedProcess(
                        pid=pid, kinds=["compute"], memory_used_bytes=1, sm_utilization_percent=0.0
                    )
                    for pid in pids
                ]
                for uuid, pids in self.pids.items()
            }
        )
        return answer


def device_of_this_process(**pids):
    reader = ProcessReader(Driver(**pids), Attribution(table=ProcessTable()))
    assert reader.device_of(os.getpid()) is None  # nothing was listed yet
    asyncio.run(reader.read([]))
    return reader.device_of(os.getpid())


def test_the_device_of_a_process_is_known_if_it_uses_only_one():
    own, parent = os.getpid(), os.getppid()
    assert device_of_this_process(a=[parent], b=[own, parent]) == "b"
    assert device_of_this_process(a=[own], b=[own]) is None
    assert device_of_this_process(a=[parent]) is None
