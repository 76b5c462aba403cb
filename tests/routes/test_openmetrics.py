"""What Prometheus reads is what the panel shows, in base units."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Sequence

import msgspec
import pytest
from made import steps
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families
from tornado.httpclient import HTTPClientError

from jupyter_gpuperf.metrics import all_metrics, catalog_of
from jupyter_gpuperf.sampling.openmetrics import FrameCollector
from jupyter_gpuperf.schemas import Catalog, Devices, Frame, Processes, Version
from jupyter_gpuperf.schemas.training import LoopSteps

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.2"
DEVICE_LABELS = {"gpu", "UUID", "pci_bus_id", "modelName", "hostname"}
BASE_UNITS = [("_percent", "_ratio", 0.01), ("_mhz", "_hertz", 1e6), ("_count", "", 1.0)]


def exported(metric: dict) -> tuple[str, float]:
    """Return a metric's name and factor as docs/monitoring/prometheus.md tells them."""
    name, factor = f"gpuperf_{metric['name']}", 1.0
    for suffix, base_suffix, base_factor in BASE_UNITS:
        if name.endswith(suffix):
            name, factor = name.removesuffix(suffix) + base_suffix, base_factor
    return name + ("_total" if metric["kind"] == "counter" else ""), factor


def samples_of(families) -> dict[str, list]:
    samples = {}
    for family in families:
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    return samples


@pytest.fixture
def scrape(jp_fetch):
    async def scrape(accept: str = OPENMETRICS):
        response = await jp_fetch("gpuperf", "metrics", headers={"Accept": accept})
        return response.headers["Content-Type"], response.body.decode()

    return scrape


@pytest.fixture
def scrape_of_a_frame(scrape, get):
    """Scrape, and return the frame that the scrape shows."""

    async def scrape_of_a_frame():
        for _ in range(50):
            before = await get("latest")
            _, text = await scrape()
            if await get("latest") == before:
                return before, samples_of(openmetrics_parser.text_string_to_metric_families(text))
        pytest.fail("A new frame came with every scrape.")

    return scrape_of_a_frame


async def test_every_reading_of_a_frame_is_there_in_base_units_and_no_other(scrape_of_a_frame, get):
    catalog = (await get("catalog"))["metrics"]
    frame, samples = await scrape_of_a_frame()
    missing = 0
    for metric in catalog:
        if metric["kind"] == "flags":
            continue
        name, factor = exported(metric)
        if metric["scope"] == "device":
            readings = {uuid: each[metric["name"]] for uuid, each in frame["devices"].items()}
        else:
            readings = {None: frame["host"][metric["name"]]}
        known = {
            uuid: pytest.approx(reading * factor)
            for uuid, reading in readings.items()
            if not isinstance(reading, str)
        }
        found = {each.labels.get("UUID"): each.value for each in samples.get(name, [])}
        assert found == known, name
        missing += len(readings) - len(known)
    assert missing > 0  # a recording does not hold everything: that part was tested too


async def test_labels_join_with_those_of_dcgm_exporter(scrape_of_a_frame, get):
    devices = {each["uuid"]: each for each in (await get("devices"))["devices"]}
    _, samples = await scrape_of_a_frame()
    for sample in samples["gpuperf_power_watts"]:
        device = devices[sample.labels["UUID"]]
        assert set(sample.labels) == DEVICE_LABELS
        assert sample.labels["gpu"] == str(device["index"])
        assert sample.labels["modelName"] == device["name"]
        assert sample.labels["hostname"] == socket.gethostname()
    (host,) = samples["gpuperf_host_memory_used_bytes"]
    assert set(host.labels) == {"hostname"}


async def test_flags_are_one_series_per_reason(scrape_of_a_frame, get):
    catalog = (await get("catalog"))["metrics"]
    (reasons,) = (each["flags"] for each in catalog if each["name"] == "clock_event_flags")
    frame, samples = await scrape_of_a_frame()
    for uuid, readings in frame["devices"].items():
        found = {
            each.labels["reason"]: each.value
            for each in samples["gpuperf_clock_event"]
            if each.labels["UUID"] == uuid
        }
        mask = int(readings["clock_event_flags"])
        assert found == {word: bool(mask & int(bit)) for bit, word in reasons.items()}


async def test_a_device_tells_what_it_is_and_its_state(scrape_of_a_frame):
    _, samples = await scrape_of_a_frame()
    for sample in samples["gpuperf_device_info"]:
        assert sample.value == 1
        assert sample.labels["replayed"] == "true"
        assert re.match(r"\d+\.\d+", sample.labels["driver_version"])
    states = {
        (each.labels["UUID"], each.labels["state"]): each.value
        for each in samples["gpuperf_device_state"]
    }
    assert len(states) == 6
    assert all(value == (state == "ok") for (_, state), value in states.items())


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        (
            OPENMETRICS,
            "application/openmetrics-text",
            openmetrics_parser.text_string_to_metric_families,
        ),
        ("*/*", "text/plain; version=0.0.4", text_string_to_metric_families),
        ("text/plain;version=none", "text/plain; version=0.0.4", text_string_to_metric_families),
    ],
)
async def test_the_format_is_the_one_asked_for(scrape, accept, content_type, parse):
    found_type, text = await scrape(accept)
    assert found_type.startswith(content_type)
    assert text.endswith("# EOF\n") == ("openmetrics" in content_type)
    names = samples_of(parse(text))
    assert "gpuperf_power_watts" in names
    # Those of the server itself are at its own address.
    assert all(name.startswith("gpuperf_") for name in names)


async def test_a_token_in_the_address_works_as_in_the_header(
    jp_serverapp, http_server_client, jp_base_url
):
    token = jp_serverapp.identity_provider.token
    response = await http_server_client.fetch(f"{jp_base_url}gpuperf/metrics?token={token}")
    assert b"gpuperf_power_watts" in response.body
    with pytest.raises(HTTPClientError) as error:
        await http_server_client.fetch(f"{jp_base_url}gpuperf/metrics")
    assert error.value.code == 403
    assert json.loads(error.value.response.body)["code"] == "forbidden"


async def test_a_scrape_is_no_activity(scrape, jp_serverapp):
    before = jp_serverapp.web_app.last_activity()
    await scrape()
    assert jp_serverapp.web_app.last_activity() == before


class TestWithoutGpu:
    @pytest.fixture
    def jp_server_config(self):
        return {
            "ServerApp": {"jpserver_extensions": {"jupyter_gpuperf": True}},
            "GpuPerf": {"source": "none"},
        }

    async def test_the_host_is_there_and_no_device_is(self, scrape):
        samples = samples_of(openmetrics_parser.text_string_to_metric_families((await scrape())[1]))
        assert samples["gpuperf_host_memory_total_bytes"][0].value > 0
        assert not any("UUID" in each.labels for found in samples.values() for each in found)


def device(index: int, **changes: object) -> dict:
    return {
        "uuid": f"GPU-{index}",
        "index": index,
        "name": "NVIDIA H100 80GB HBM3",
        "state": "ok",
        "driver_version": "580.159.04",
        "pci_bus_id": f"00000000:0{index}:00.0",
        "compute_capability": "9.0",
        "parent_uuid": None,
        "unified_memory": False,
        "memory_total_bytes": 8e10,
        "power_limit_watts": 700.0,
        "clock_sm_max_mhz": 1980.0,
        "clock_memory_max_mhz": 2619.0,
        "replayed": False,
        **changes,
    }


def process(kernel_id: str | None, memory_used_bytes: float | str) -> dict:
    kernel = {
        "kernel_id": kernel_id,
        "kernel_name": "python3",
        "execution_state": "idle",
        "idle_seconds": 1.0,
        "notebook_path": "private/secret plans.ipynb",
        "session_name": None,
    }
    return {
        "pid": 4242,
        "driver_pid": 4242,
        "kinds": ["compute"],
        "memory_used_bytes": memory_used_bytes,
        "sm_utilization_percent": "not_supported",
        "user": "alice",
        "command": "python train.py",
        "started_seconds": 1.0,
        "kernel": kernel if kernel_id else None,
        "kernel_found_by": "process_tree" if kernel_id else None,
    }


def collected(
    devices: list[dict],
    readings: dict[str, dict],
    processes: dict[str, list[dict]] | None = None,
    catalog: Catalog | None = None,
    loops: Sequence[LoopSteps] = (),
) -> dict[str, list]:
    collector = FrameCollector(
        catalog=catalog or catalog_of(all_metrics()),
        hostname="node1",
        version=Version(version="1.0", api_version=1, source="nvml"),
        devices=msgspec.convert({"devices": devices, "reason": None}, Devices),
        frame=Frame(time_seconds=1.0, devices=readings, host={}, host_cores_percent=[]),
        processes=None
        if processes is None
        else msgspec.convert(
            {
                "time_seconds": 1.0,
                "devices": {
                    uuid: {"processes": found, "reason": None} for uuid, found in processes.items()
                },
            },
            Processes,
        ),
        loops=loops,
    )
    return samples_of(collector.collect())


def test_loops_have_the_labels_of_their_device_and_what_is_unknown_has_no_sample():
    known = steps(
        device_uuid="GPU-0",
        notebook_key="k1",
        tokens_per_second=12300.0,
        flops_utilization_ratio=0.41,
        step_seconds=0.05,
        rank=1,
    )
    other = steps(device_uuid="GPU-0", notebook_key="k2", loader="held_out", step_seconds=0.02)
    samples = collected([device(0)], {}, loops=[known, other, steps(device_uuid=None)])
    (tokens,) = samples["gpuperf_loop_tokens_per_second"]
    assert tokens.value == 12300
    assert (tokens.labels["UUID"], tokens.labels["kernel_id"]) == ("GPU-0", "k1")
    assert (tokens.labels["loop"], tokens.labels["rank"]) == (known.loader, "1")
    (used,) = samples["gpuperf_loop_flops_utilization_ratio"]
    assert used.value == 0.41
    assert [each.value for each in samples["gpuperf_loop_step_seconds"]] == [0.05, 0.02]


def test_memory_is_told_per_kernel_by_its_id_and_never_by_pid_or_path():
    samples = collected(
        [device(0), device(1)],
        {},
        {
            "GPU-0": [
                process("k1", 3e9),
                process("k1", 1e9),
                process("k2", 5e9),
                process(None, 7e9),
            ],
            "GPU-1": [process("k1", 2e9)],
        },
    )
    found = {
        (each.labels["UUID"], each.labels["kernel_id"]): each.value
        for each in samples["gpuperf_kernel_memory_used_bytes"]
    }
    assert found == {("GPU-0", "k1"): 4e9, ("GPU-0", "k2"): 5e9, ("GPU-1", "k1"): 2e9}
    labels = {
        value
        for each in samples["gpuperf_kernel_memory_used_bytes"]
        for value in each.labels.values()
    }
    assert not any("4242" in value or "secret" in value for value in labels)


def test_a_kernel_with_a_process_of_unknown_memory_has_no_figure():
    samples = collected(
        [device(0)], {}, {"GPU-0": [process("k1", 3e9), process("k1", "not_supported")]}
    )
    assert "gpuperf_kernel_memory_used_bytes" not in samples


def test_a_lost_device_says_so_and_shows_no_figures():
    samples = collected(
        [device(0, state="device_lost"), device(1)],
        {"GPU-0": {"power_watts": "device_lost"}, "GPU-1": {"power_watts": 300.0}},
    )
    assert [each.labels["UUID"] for each in samples["gpuperf_power_watts"]] == ["GPU-1"]
    lost = {
        each.labels["UUID"]: each.value
        for each in samples["gpuperf_device_state"]
        if each.labels["state"] == "device_lost"
    }
    assert lost == {"GPU-0": 1, "GPU-1": 0}


def test_two_metrics_that_would_have_one_name_are_not_told_twice():
    (first,) = (
        each for each in catalog_of(all_metrics()).metrics if each.name == "utilization_percent"
    )
    second = msgspec.structs.replace(first, name="utilization_ratio", unit="ratio")
    samples = collected(
        [device(0)],
        {"GPU-0": {"utilization_percent": 50.0, "utilization_ratio": 0.7}},
        catalog=Catalog(metrics=[first, second]),
    )
    assert [each.value for each in samples["gpuperf_utilization_ratio"]] == [0.5]


def test_every_name_is_one_that_promtools_rules_allow():
    metrics = all_metrics()
    readings = {each.name: 1.0 for each in metrics if each.scope == "device"}
    for name in collected([device(0)], {"GPU-0": readings}):
        assert re.fullmatch(r"gpuperf_[a-z0-9_]+", name)
        assert not name.endswith(("_count", "_percent", "_mhz", "_flags"))
