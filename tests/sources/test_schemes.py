"""A source is found by the scheme of its address; what is wrong with an address is said, and ends nothing."""

from __future__ import annotations

import pytest
from push_source import BROKEN, SCHEME, PushSource

from jupyter_gpuperf import sources
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sources import SCHEMES, source_from, source_or_absent


@pytest.fixture
def others(monkeypatch):
    """Two sources of other packages, of which one is broken."""
    monkeypatch.setattr(sources, "all_schemes", lambda: (*SCHEMES, SCHEME, BROKEN))


@pytest.mark.parametrize(
    "address", ["", "replay", "replay:", "gpu", "NVML", "none:x", "auto:0", "telnet:node1"]
)
def test_an_unknown_address_is_refused_with_what_to_set(address):
    with pytest.raises(BadRequest) as refusal:
        source_from(address, METRICS)
    assert refusal.value.code == "unknown_source"
    for scheme in SCHEMES:
        assert scheme.form in refusal.value.hint


def test_another_packages_scheme_is_found_and_named_among_those_that_exist(others):
    source = source_from("push:cluster:8000", METRICS)
    assert isinstance(PushSource.made.pop(), type(source))
    assert source.argument == "cluster:8000"  # all that follows the first colon
    with pytest.raises(BadRequest) as refusal:
        source_from("push", METRICS)
    assert refusal.value.hint.endswith("ssh:HOST, slurm:[COMMAND], push:NAME, broken.")


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("gpu", "unknown_source", "Unknown source 'gpu'"),
        ("broken", "source_failed", "this package is broken"),
    ],
)
def test_what_is_wrong_becomes_the_reason_and_the_machine_is_read_still(
    others, caplog, address, code, said
):
    source = source_or_absent(address, METRICS)
    source.open()
    reason = source.devices().reason
    assert reason is not None
    assert reason.code == code
    assert said in reason.message
    assert said in caplog.text
    (sample,) = source.read()
    assert sample.devices == {}
    assert isinstance(sample.machine["host_memory_total_bytes"], float)
