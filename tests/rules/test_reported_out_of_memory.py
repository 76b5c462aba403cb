"""A cell that ran out of memory, as its kernel reports it: confirmed, on its device, with the names."""

from __future__ import annotations

from jupyter_gpuperf.rules import Device, ReadingSeries, RuleInput, judge, out_of_memory
from jupyter_gpuperf.rules.rule_input import OutOfMemoryCell
from jupyter_gpuperf.schemas import MemoryOwner, MemoryRemedy, OutOfMemory

GIB = 2.0**30
TIMES = [float(each) for each in range(10)]
OWNERS = [
    MemoryOwner(kind="variable", name=name, bytes=size, holders=[])
    for name, size in (
        ("losses", 40 * GIB),
        ("model", 12.5 * GIB),
        ("Out[3]", GIB / 2),
        ("x", GIB / 4),
    )
]
FAILURE = OutOfMemory(
    device="cuda:0",
    requested_bytes=2 * GIB,
    free_bytes=None,
    unused_bytes=None,
    place="cell [3]:2",
    code="y = x @ x",
    held_by_exception_bytes=GIB,
    largest=OWNERS,
    remedies=[
        MemoryRemedy(action="%gpumem free losses", bytes=40.5 * GIB),
        MemoryRemedy(action="Use a smaller batch", bytes=None),
    ],
)


def device(uuid):
    readings = {"memory_used_bytes": 70 * GIB, "memory_total_bytes": 80 * GIB}
    columns = {name: [value] * len(TIMES) for name, value in readings.items()}
    return Device(
        uuid=uuid,
        index=0,
        name=uuid,
        series=ReadingSeries(times_seconds=TIMES, columns=columns),
    )


def found(*uuids, failed_on):
    cell = OutOfMemoryCell(device=failed_on, pid=7, notebook="a.ipynb", failure=FAILURE)
    rule_input = RuleInput(devices=tuple(map(device, uuids)), failures=(cell,))
    return judge(rule_input, [out_of_memory.RULE])


def test_the_largest_owners_and_what_to_do_are_named():
    (finding,) = found("GPU-1", "GPU-2", failed_on="GPU-2")
    assert (finding.device, finding.confidence, finding.severity) == (
        "GPU-2",
        "confirmed",
        "critical",
    )
    assert (finding.pid, finding.notebook) == (7, "a.ipynb")
    text = "Out of memory; held by losses (40.0 GiB), model (12.5 GiB), Out[3] (512 MiB)."
    assert finding.summary == text
    assert finding.advice.endswith("%gpumem free losses (40.5 GiB), Use a smaller batch")
    assert finding.evidence["requested_bytes"] == 2 * GIB
    assert finding.evidence["free_bytes"] == "unknown"


def test_a_failure_on_an_unknown_device_is_found_where_there_is_only_one():
    assert found("GPU-1", failed_on=None)
    assert not found("GPU-1", "GPU-2", failed_on=None)
