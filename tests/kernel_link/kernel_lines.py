"""Lines that a broken or hostile kernel may send, each derived from a message as it should be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

LOADER = {
    "id": 1,
    "name": "train_loader",
    "batch_size": 32,
    "batches_per_epoch": 1000,
    "num_workers": 4,
    "arguments": ["train_loader.dataset", "batch_size=32"],
    "rank": 0,
    "ranks_count": 2,
    "flops_format": "bf16",
    "peak_flops_per_second": 1e15,
    "peak_clock_mhz": 1830.0,
    "memory_growth": {
        "bytes_per_step": 1e6,
        "steps": 90,
        "outlasts_epoch": False,
        "holder": "losses",
        "function": None,
        "holds_graphs": True,
    },
    "optimizer": {
        "class_name": "AdamW",
        "tensors_count": 148,
        "is_fused": False,
        "is_foreach": True,
    },
}
JOB = {
    "id": "here",
    "benchmark": "tune",
    "parameters": {"loader": "train_loader", "items": 5},
    "kernel_name": None,
    "device": None,
    "state": "running",
    "progress_ratio": 0.5,
    "progress_message": "2 workers",
    "progress_message_message": {"template": "{n} workers", "parameters": {"n": "2"}},
    "created_seconds": 1.0,
    "started_seconds": 2.0,
    "ended_seconds": None,
    "result": {
        "benchmark": "tune",
        "parameters": {},
        "unit": "seconds",
        "figures": {"batch_seconds": {"value": 1.0, "low": 0.9, "high": 1.1}},
        "samples": {"batch_seconds": [1.0, 1.0]},
        "environment": {"torch": "2.11"},
        "limits": {"batch_seconds": 0.5},
        "warnings": ["busy"],
    },
    "result_id": 3,
    "remaining_seconds": 5.0,
    "waits_for": [],
    "suite": None,
    "error": {"code": "odd", "message": "Odd.", "hint": ""},
    "log_tail": "…",
}
OWNER = {"kind": "variable", "name": "losses", "bytes": 10.0, "holders": ["losses[0]"]}
UNKNOWN = dict.fromkeys(("reserved_bytes", "free_bytes", "total_bytes", "attributed_ratio"))


def steps(now: float, gpu: str, kernel_id: str = "bad", **changes: Any) -> dict[str, Any]:
    """Return a report about one loop that runs well."""
    tally = {
        "loader": 1,
        "began_seconds": now - 0.5,
        "ended_seconds": now,
        "count": 10,
        "training_count": 10,
        "nested_count": 0,
        "samples_count": 320.0,
        "step_seconds": 0.5,
        "wait_seconds": 0.2,
        "event_step_seconds": 0.5,
        "event_idle_seconds": 0.15,
        "epoch_batches": 400,
        "bins": {"62": 10},
        "allocated_bytes": 2e9,
        "reserved_bytes": 3e9,
        "peak_allocated_bytes": 2.5e9,
        "followed": {
            "count": 4,
            "step_seconds": 0.2,
            "has_forward": True,
            "phases": {"forward": {"host_seconds": 0.1}},
            "work": {"tokens": {"amount": 4096.0, "steps": 4}},
        },
        **changes,
    }
    path = f"{kernel_id}.ipynb"
    return {
        "type": "steps",
        "kernel_id": kernel_id,
        "notebook_path": path,
        "loaders": [{**LOADER, "device_uuid": gpu}],
        "tallies": [tally],
    }


def messages(now: float, gpu: str) -> dict[str, dict[str, Any]]:
    """Return one message of each kind that a kernel can send."""
    memory = {"allocated_bytes": 1e9, "reserved_bytes": 2e9}
    return {
        # Two reasons to refuse it: no single change makes it run.
        "run": {
            "type": "run",
            "benchmark": "compute",
            "parameters": {"unknown": 1},
            "device": "GPU-none",
            "interpreter": "/nowhere/python",
            "environment": {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0"},
        },
        "cancel": {"type": "cancel"},
        "told": {"type": "told", "job": JOB},
        "holding": {"type": "holding", "devices": {gpu: memory}},
        "steps": steps(now, gpu),
        "cell": {
            "type": "cell",
            "kernel_id": "bad",
            "notebook_path": "bad.ipynb",
            "number": 3,
            "began_seconds": now - 5,
            "ended_seconds": now,
            "device_uuids": [gpu],
        },
        "attached": {"type": "attached", "kernel_id": "bad", "notebook_path": "bad.ipynb"},
        "memory-answer": {
            "type": "memory-answer",
            "number": 10**6,
            "owners": {"device": "cuda:0", **UNKNOWN, "allocated_bytes": 10.0, "owners": [OWNER]},
            "freeable": {"device": "cpu", "cleared": ["Out[2]"], "promised_bytes": 10.0},
            "error": {"code": "odd", "message": "Odd.", "hint": ""},
        },
        "memory-failure": {
            "type": "memory-failure",
            "device_uuid": gpu,
            "failure": {
                "device": "cuda:0",
                "requested_bytes": 10.0,
                "free_bytes": 1.0,
                "unused_bytes": None,
                "place": "cell [3]:2",
                "code": "y = x @ x",
                "held_by_exception_bytes": 1.0,
                "largest": [OWNER],
                "remedies": [{"action": "%gpumem free", "bytes": 10.0}],
            },
        },
    }


KINDS = tuple(messages(0.0, ""))
HUGE = 10**399
ODD_TEXTS = (
    *(
        "",
        "0",
        "-1",
        "9999",
        "a",
        "NaN",
        "\0",
        "\r",
        "a\nb",
        "\x1b[2J",
        "\u202e",
        "\x85",
        "🙂",
        "1" * 400,
    ),
    *("x" * 501, "y" * 60_000, "javascript:alert(1)", "../../etc/passwd", "{}", "{a}" * 900),
    *("__proto__", "constructor", "good", "done", "failed", "cancelled", "queued"),
)
INTEGERS = st.sampled_from(
    [0, -1, 255, 256, 9999, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, HUGE, -HUGE]
)
FLOATS = st.one_of(
    st.sampled_from([0.0, -0.0, 5e-324, 1e-7, -1e-7, 1e10, 1e12, 1e300, 1.7e308, -1e308, HUGE]),
    st.builds(lambda ahead: time.time() + ahead, st.sampled_from([-1e9, -60, 1, 9, 11, 3600, 1e9])),
    st.floats(allow_nan=False, allow_infinity=False),
)
NUMBERS = INTEGERS | FLOATS
TEXTS = st.sampled_from(ODD_TEXTS) | st.text(max_size=20)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


def nested(depth: int) -> Any:
    """Return a message within a message, ``depth`` times."""
    value: Any = "x"
    for _ in range(depth):
        value = {"template": "{a}" * 20, "parameters": {"a": value}}
    return value


@st.composite
def changed(draw: st.DrawFn, kind: str, gpu: str) -> dict[str, Any]:
    """Return a message of this kind with a few values replaced, removed, repeated or added, at any depth."""
    message = json.loads(json.dumps(messages(time.time(), gpu)[kind]))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        places = list(_places(message))
        if places:
            _change(draw, *draw(st.sampled_from(places)))
    return message


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield each place within a message: the dict or list, and the key. Inner places come several times."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from [*_places(inner, depth + 1)] * (2 if depth < 3 else 1)


def _change(draw: st.DrawFn, place: Any, key: Any) -> None:
    match draw(st.integers(0, 11)):
        case 0:
            del place[key]
        case 1 | 2 if isinstance(place, dict):
            place[draw(TEXTS)] = place.pop(key)
        case 3 if isinstance(place, list):
            place *= draw(st.sampled_from([2, 65, 300]))
        case 4:
            place[key] = nested(draw(st.integers(1, 40)))
        case 5:
            place[key] = draw(VALUES)
        case _:  # of the same type: these come furthest
            same = {str: TEXTS, int: st.integers() | INTEGERS, float: FLOATS}
            place[key] = draw(same.get(type(place[key]), VALUES))


@st.composite
def lines(draw: st.DrawFn, kind: str, gpu: str) -> bytes:
    """Return a line that is not quite a message of this kind; seldom one that is no JSON at all."""
    line = json.dumps(draw(changed(kind, gpu)), ensure_ascii=draw(st.booleans()))
    line = line.encode(errors="surrogatepass")
    match draw(st.integers(0, 24)):
        case 0:
            return line[: int(draw(st.floats(0, 1)) * len(line))]
        case 1:
            place = int(draw(st.floats(0, 1)) * len(line))
            return (line[:place] + draw(st.binary(max_size=5)) + line[place:]).replace(b"\n", b"")
        case 2:
            return b'{"type": "%s", "a": %s' % (kind.encode(), b"[" * draw(st.integers(1, 60_000)))
        case 3:
            return line + b" " * 70_000
        case 4:  # a number that JSON does not have, or that has more digits than Python converts
            odd = draw(st.sampled_from([b"NaN", b"Infinity", b"1e400", b"9" * 5000, b'"\\ud800"']))
            return line.replace(b"1.0", odd).replace(b"10", odd)
    return line
