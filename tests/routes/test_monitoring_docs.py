"""The dashboard and the alerts that the docs show. See also tests/integration/prometheus."""

from __future__ import annotations

import re
from pathlib import Path

from jupyter_gpuperf.metrics import all_metrics, catalog_of
from jupyter_gpuperf.sampling.openmetrics import LOOP_FIGURES, exported_name

DOCS = Path(__file__).parents[2] / "docs" / "monitoring"


def test_the_dashboard_and_the_alerts_name_only_metrics_that_exist():
    exist = {
        exported_name(metric)[0] + ("_total" if metric.kind == "counter" else "")
        for metric in catalog_of(all_metrics()).metrics
    } | {
        "gpuperf_build_info",
        "gpuperf_device_info",
        "gpuperf_device_state",
        "gpuperf_kernel_memory_used_bytes",
        *(f"gpuperf_loop_{each[0]}" for each in LOOP_FIGURES),
    }
    shown = (DOCS / "grafana-dashboard.json").read_text() + (DOCS / "prometheus.md").read_text()
    named = set(re.findall(r"\bgpuperf_[a-z0-9_]*[a-z0-9]", shown))
    assert named - exist == set()
