"""What tells a failing device from a healthy one."""

from __future__ import annotations

from typing import Final, Literal

from jupyter_gpuperf.metrics.declaration import Calls, Metric

ECC_CORRECTED, ECC_UNCORRECTED, ECC_UNCORRECTED_EVER = 3, 4, 6
"""``NVML_FI_DEV_ECC_SBE_VOL_TOTAL``, ``…_DBE_VOL_TOTAL``, ``…_DBE_AGG_TOTAL``."""
RETIRED_CORRECTED, RETIRED_UNCORRECTED = 29, 30
REMAPPED_CORRECTED, REMAPPED_UNCORRECTED, REMAP_PENDING, REMAP_FAILED = 142, 143, 144, 145

Kind = Literal["gauge", "counter"]


def _field(name: str, label: str, field_id: int, kind: Kind, help_text: str) -> Metric:
    return Metric(
        name=name,
        family="health",
        label=label,
        unit="count",
        kind=kind,
        cadence="slow",  # cheap each, but many, and they hardly ever change
        help=help_text,
        read=lambda nvml: nvml("field_value", field_id),
        recorded=lambda reading, _static: reading.get(name),
    )


def _retired(nvml: Calls) -> float:
    return float(nvml("field_value", RETIRED_CORRECTED) + nvml("field_value", RETIRED_UNCORRECTED))


METRICS: Final = (
    _field(
        "ecc_corrected_count",
        "ECC, corrected",
        ECC_CORRECTED,
        "counter",
        "Memory errors that were corrected since the driver was loaded. A few are normal.",
    ),
    _field(
        "ecc_uncorrected_count",
        "ECC, uncorrected",
        ECC_UNCORRECTED,
        "counter",
        "Memory errors that could not be corrected since the driver was loaded. Any one is bad: a "
        "result may be wrong, and the program that met it was ended.",
    ),
    _field(
        "ecc_uncorrected_lifetime_count",
        "ECC, uncorrected, ever",
        ECC_UNCORRECTED_EVER,
        "counter",
        "Memory errors that could not be corrected, over the life of the board.",
    ),
    _field(
        "remapped_rows_corrected_count",
        "Rows remapped, correctable",
        REMAPPED_CORRECTED,
        "counter",
        "Rows of memory replaced by spare ones after errors that could be corrected.",
    ),
    _field(
        "remapped_rows_uncorrected_count",
        "Rows remapped, uncorrectable",
        REMAPPED_UNCORRECTED,
        "counter",
        "Rows of memory replaced by spare ones after errors that could not be corrected.",
    ),
    _field(
        "remap_pending_count",
        "Remapping pending",
        REMAP_PENDING,
        "gauge",
        "1 when rows wait to be replaced: the device must be reset for it.",
    ),
    _field(
        "remap_failed_count",
        "Remapping failed",
        REMAP_FAILED,
        "gauge",
        "1 when no spare row was left: the board should be replaced.",
    ),
    Metric(
        name="retired_pages_count",
        family="health",
        label="Pages retired",
        unit="count",
        kind="counter",
        cadence="slow",
        help="Pages of memory taken out of use after errors; boards before Ampere.",
        read=_retired,
        recorded=lambda reading, _static: reading.get("retired_pages"),
    ),
    Metric(
        name="xid_count",
        family="health",
        label="XID errors",
        unit="count",
        kind="counter",
        help="Critical errors that the driver told since this server listens. Some are a program's "
        "own fault (13, 31, 43), others the hardware's (48, 74, 79).",
        read=lambda nvml: nvml("xid_count"),
        recorded=lambda reading, _static: reading.get("xid_count"),
    ),
    Metric(
        name="xid_last_code",
        family="health",
        label="XID, the last",
        unit="code",
        help="Number of the last critical error; what it means is in NVIDIA's table of XID errors.",
        read=lambda nvml: nvml("xid_last_code"),
        recorded=lambda reading, _static: reading.get("xid_last_code"),
    ),
)
