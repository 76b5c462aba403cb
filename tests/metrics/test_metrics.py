from __future__ import annotations

import pytest

from jupyter_gpuperf.metrics import METRICS, Metric, catalog_of


def test_names_are_unique():
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))


def test_every_number_wears_its_unit():
    for metric in METRICS:
        assert metric.name.endswith(f"_{metric.unit}")


def test_a_metric_without_its_unit_in_the_name_is_refused():
    with pytest.raises(ValueError, match="must end with its unit"):
        Metric(
            name="power",
            label="Power",
            family="power",
            unit="watts",
            help="",
            read=lambda nvml: 0.0,
        )


def test_the_unit_is_the_one_that_the_name_ends_in():
    def unit_of(name):
        return Metric(name, "", "", lambda nvml: 0.0, family="power").unit

    assert unit_of("power_watts") == "watts"
    assert unit_of("disk_read_bytes_per_second") == "bytes_per_second"
    assert unit_of("context_switches_count_per_second") == "count_per_second"
    with pytest.raises(ValueError, match="must end with its unit"):
        unit_of("power")


def test_a_value_that_can_not_be_is_a_reason_and_a_share_above_its_whole_is_the_whole():
    by_name = {metric.name: metric for metric in METRICS}
    assert by_name["power_watts"].to_reading(4e9) == "implausible"
    assert by_name["power_watts"].to_reading(float("nan")) == "implausible"
    assert by_name["temperature_margin_celsius"].to_reading(-12) == -12.0
    assert by_name["sm_active_percent"].to_reading(100.4) == 100.0


def test_a_scale_that_another_metric_gives_exists_in_the_same_scope():
    by_name = {metric.name: metric for metric in METRICS}
    for metric in METRICS:
        if metric.maximum_metric is not None:
            top = by_name[metric.maximum_metric]
            assert (top.scope, top.unit, top.kind) == (metric.scope, metric.unit, "limit")


def test_the_catalogue_holds_what_a_page_needs_to_draw():
    catalog = {info.name: info for info in catalog_of(METRICS).metrics}
    memory = catalog["memory_used_bytes"]
    assert (memory.label, memory.unit, memory.maximum_metric) == (
        "Memory",
        "bytes",
        "memory_total_bytes",
    )
    assert catalog["clock_event_flags"].flags["4"] == "power limit"
    assert all(info.help.endswith(".") for info in catalog.values())
