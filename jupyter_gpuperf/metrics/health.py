"""Metrics that indicate a failing device: memory errors and XID errors."""

from __future__ import annotations

from functools import partial
from typing import Final

from jupyter_gpuperf.metrics.declaration import Kind, Metric

_metric = partial(Metric, family="health")

ECC_CORRECTED, ECC_UNCORRECTED, ECC_UNCORRECTED_EVER = 3, 4, 6
"""Field ids ``NVML_FI_DEV_ECC_SBE_VOL_TOTAL``, ``…_DBE_VOL_TOTAL`` and ``…_DBE_AGG_TOTAL``."""
RETIRED_PAGES: Final = (29, 30)
REMAPPED_CORRECTED, REMAPPED_UNCORRECTED, REMAP_PENDING, REMAP_FAILED = 142, 143, 144, 145


def _field(name: str, label: str, field_id: int, help_text: str, kind: Kind = "counter") -> Metric:
    # Each reading is cheap, but there are many, and they hardly ever change.
    read = lambda nvml: nvml("field_value", field_id)
    return _metric(name, label, help_text, read, kind=kind, cadence="slow")


METRICS: Final = (
    _field(
        "ecc_corrected_count",
        "ECC, corrected",
        ECC_CORRECTED,
        "Corrected memory errors since the driver was loaded. A few are normal.",
    ),
    _field(
        "ecc_uncorrected_count",
        "ECC, uncorrected",
        ECC_UNCORRECTED,
        "Uncorrected memory errors since the driver was loaded. Each ended a program; results may be wrong.",
    ),
    _field(
        "ecc_uncorrected_lifetime_count",
        "ECC, uncorrected (lifetime)",
        ECC_UNCORRECTED_EVER,
        "Uncorrected memory errors over the lifetime of the board.",
    ),
    _field(
        "remapped_rows_corrected_count",
        "Rows remapped, correctable",
        REMAPPED_CORRECTED,
        "Memory rows replaced by spares after correctable errors.",
    ),
    _field(
        "remapped_rows_uncorrected_count",
        "Rows remapped, uncorrectable",
        REMAPPED_UNCORRECTED,
        "Memory rows replaced by spares after uncorrectable errors.",
    ),
    _field(
        "remap_pending_count",
        "Remapping pending",
        REMAP_PENDING,
        "1: memory rows will be replaced when the GPU is reset.",
        kind="gauge",
    ),
    _field(
        "remap_failed_count",
        "Remapping failed",
        REMAP_FAILED,
        "1: no spare memory rows are left. Replace the board.",
        kind="gauge",
    ),
    _metric(
        "retired_pages_count",
        "Pages retired",
        "Memory pages disabled after errors; before Ampere.",
        lambda nvml: sum(nvml("field_value", each) for each in RETIRED_PAGES),
        kind="counter",
        cadence="slow",
    ),
    _metric(
        "xid_count",
        "XID errors",
        "Critical driver errors since the server started: by programs (13, 31, 43) or hardware (48, 74, 79).",
        lambda nvml: nvml("xid_count"),
        kind="counter",
    ),
    _metric(
        "xid_last_code",
        "Last XID",
        "Number of the last critical error; see NVIDIA's list of XID errors.",
        lambda nvml: nvml("xid_last_code"),
    ),
)
