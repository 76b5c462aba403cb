"""Signs of a failing device: memory errors and XID errors."""

from __future__ import annotations

from functools import partial
from typing import Final

from jupyter_gpuperf.metrics.declaration import Kind, Metric

_metric = partial(Metric, family="health")

ECC_CORRECTED, ECC_UNCORRECTED, ECC_UNCORRECTED_EVER = 3, 4, 6
"""``NVML_FI_DEV_ECC_SBE_VOL_TOTAL``, ``…_DBE_VOL_TOTAL``, ``…_DBE_AGG_TOTAL``."""
RETIRED: Final = (29, 30)
REMAPPED_CORRECTED, REMAPPED_UNCORRECTED, REMAP_PENDING, REMAP_FAILED = 142, 143, 144, 145


def _field(name: str, label: str, field_id: int, help_text: str, kind: Kind = "counter") -> Metric:
    # Each is cheap, but there are many and they hardly ever change.
    read = lambda nvml: nvml("field_value", field_id)
    return _metric(name, label, help_text, read, kind=kind, cadence="slow")


METRICS: Final = (
    _field(
        "ecc_corrected_count",
        "ECC, corrected",
        ECC_CORRECTED,
        "Memory errors that were corrected since the driver was loaded. A few are normal.",
    ),
    _field(
        "ecc_uncorrected_count",
        "ECC, uncorrected",
        ECC_UNCORRECTED,
        "Memory errors that could not be corrected since the driver was loaded. Any one is bad: a "
        "result may be wrong, and the program that met it was ended.",
    ),
    _field(
        "ecc_uncorrected_lifetime_count",
        "ECC, uncorrected, ever",
        ECC_UNCORRECTED_EVER,
        "Memory errors that could not be corrected, over the life of the board.",
    ),
    _field(
        "remapped_rows_corrected_count",
        "Rows remapped, correctable",
        REMAPPED_CORRECTED,
        "Rows of memory replaced by spare ones after errors that could be corrected.",
    ),
    _field(
        "remapped_rows_uncorrected_count",
        "Rows remapped, uncorrectable",
        REMAPPED_UNCORRECTED,
        "Rows of memory replaced by spare ones after errors that could not be corrected.",
    ),
    _field(
        "remap_pending_count",
        "Remapping pending",
        REMAP_PENDING,
        "1 when rows wait to be replaced: the device must be reset for it.",
        kind="gauge",
    ),
    _field(
        "remap_failed_count",
        "Remapping failed",
        REMAP_FAILED,
        "1 when no spare row was left: the board should be replaced.",
        kind="gauge",
    ),
    _metric(
        "retired_pages_count",
        "Pages retired",
        "Pages of memory taken out of use after errors; boards before Ampere.",
        lambda nvml: sum(nvml("field_value", each) for each in RETIRED),
        kind="counter",
        cadence="slow",
    ),
    _metric(
        "xid_count",
        "XID errors",
        "Critical errors that the driver told since this server listens. Some are a program's "
        "own fault (13, 31, 43), others the hardware's (48, 74, 79).",
        lambda nvml: nvml("xid_count"),
        kind="counter",
    ),
    _metric(
        "xid_last_code",
        "XID, the last",
        "Number of the last critical error; what it means is in NVIDIA's table of XID errors.",
        lambda nvml: nvml("xid_last_code"),
    ),
)
