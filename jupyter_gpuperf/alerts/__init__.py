"""What needs the user's attention now. A new alert is one rule in its family's file.

Pure: frames in, alerts out; the frames' own times are the clock.
"""

from __future__ import annotations

from jupyter_gpuperf.alerts import health, memory, throttling
from jupyter_gpuperf.alerts.declaration import AlertRule, Found, Window
from jupyter_gpuperf.findings.alert_watch import AlertWatch

__all__ = ["RULES", "AlertRule", "AlertWatch", "Found", "Window"]

RULES: tuple[AlertRule, ...] = (*health.RULES, *throttling.RULES, *memory.RULES)
"""Every rule, the most urgent first."""
