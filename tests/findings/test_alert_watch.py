"""Alerts: each on frames that show its trouble, and none on those that don't."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.findings.alert_watch import AlertWatch
from jupyter_gpuperf.rules import RULES, Rule
from jupyter_gpuperf.schemas import Frame

GPU, OTHER = "GPU-0000", "GPU-0001"
GIB = float(1 << 30)
HEALTHY = {
    "utilization_percent": 97.0,
    "power_watts": 690.0,
    "memory_used_bytes": 20 * GIB,
    "memory_total_bytes": 80 * GIB,
    "clock_event_flags": 4.0,  # at the power limit: normal at full load
    "clock_lost_power_cap_ratio": 0.9,
    "clock_lost_thermal_software_ratio": 0.0,
    "clock_lost_thermal_hardware_ratio": 0.0,
    "clock_lost_power_brake_ratio": 0.0,
    "xid_count": 0.0,
    "xid_last_code": "not_yet",
    "ecc_uncorrected_count": 0.0,
    "remap_failed_count": 0.0,
    "pcie_link_generation": 5.0,
    "pcie_link_max_generation": 5.0,
    "pcie_link_lanes": 16.0,
    "pcie_link_max_lanes": 16.0,
}
HOST = {
    "host_shm_used_bytes": 1 * GIB,
    "host_shm_total_bytes": 64 * GIB,
    "host_disk_used_bytes": 100 * GIB,
    "host_disk_total_bytes": 500 * GIB,
}


class Machine:
    """A machine whose readings the test changes while time passes."""

    def __init__(self) -> None:
        self.watch = AlertWatch(RULES)
        self.now = 1_000_000.0
        self.devices = {GPU: dict(HEALTHY), OTHER: dict(HEALTHY)}
        self.host = dict(HOST)

    def run(self, seconds, change=lambda second: None):
        """Let time pass, a frame a second; return the alerts at its end."""
        for second in range(seconds):
            change(second)
            self.now += 1.0
            self.watch.message_after(
                Frame(
                    time_seconds=self.now,
                    devices={uuid: dict(readings) for uuid, readings in self.devices.items()},
                    host=dict(self.host),
                    host_cores_percent=[],
                )
            )
        return [(alert.code, alert.device) for alert in self.watch.current.alerts]

    def alert(self):
        (alert,) = self.watch.current.alerts
        return alert


@pytest.fixture
def machine():
    return Machine()


def test_a_device_at_full_load_needs_no_attention(machine):
    assert machine.run(120) == []


def test_missing_readings_are_no_reason_to_worry(machine):
    machine.devices[GPU] = dict.fromkeys(HEALTHY, "not_supported")
    machine.host = dict.fromkeys(HOST, "not_supported")
    assert machine.run(120) == []


def test_memory_nearly_full_is_told_after_a_while_and_taken_back(machine):
    machine.devices[GPU]["memory_used_bytes"] = 77 * GIB
    assert machine.run(4) == []
    assert machine.run(4) == [("memory_nearly_full", GPU)]
    assert machine.alert().evidence == {"used_bytes": 77 * GIB, "total_bytes": 80 * GIB}
    machine.devices[GPU]["memory_used_bytes"] = 20 * GIB
    assert machine.run(5) == [("memory_nearly_full", GPU)]
    assert machine.run(15) == []


def test_a_moment_is_no_alert(machine):
    def flicker(second):
        machine.devices[GPU]["memory_used_bytes"] = (78 if second % 20 == 0 else 20) * GIB

    assert machine.run(100, flicker) == []


def test_memory_that_grows_is_told_before_it_is_full(machine):
    def leak(second):
        machine.devices[GPU]["memory_used_bytes"] = (60 + 0.25 * second) * GIB

    assert machine.run(15, leak) == []  # grows, but is far from full
    assert machine.run(30, lambda second: leak(second + 15)) == [("memory_nearly_full", GPU)]
    seconds_left = machine.alert().evidence["full_in_seconds"]
    assert seconds_left == pytest.approx((80 - 71) / 0.25, rel=0.05)


def test_memory_that_rises_and_falls_is_no_leak(machine):
    """The alert once saw a trend where the finding of the same trouble saw none."""
    machine.run(
        50,
        lambda second: machine.devices[GPU].update(
            memory_used_bytes=(64 + 0.2 * second + 3 * (second % 2)) * GIB
        ),
    )
    assert machine.watch.current.alerts == []


def test_memory_that_has_stopped_growing_is_not_told(machine):
    machine.run(
        60,
        lambda second: machine.devices[GPU].update(
            memory_used_bytes=(60 + 0.4 * min(second, 15)) * GIB
        ),
    )
    machine.devices[GPU]["memory_used_bytes"] = 66 * GIB
    assert machine.run(12) == []


def test_one_large_allocation_is_no_trend(machine):
    machine.run(10)
    machine.devices[GPU]["memory_used_bytes"] = 70 * GIB
    assert machine.run(40) == []


@pytest.mark.parametrize(
    ("metric", "severity", "reason"),
    [
        ("clock_lost_thermal_software_ratio", "warning", "heat_driver"),
        ("clock_lost_thermal_hardware_ratio", "critical", "heat_hardware"),
        ("clock_lost_power_brake_ratio", "critical", "power_brake"),
    ],
)
def test_clocks_that_are_lost_to_heat_or_power_are_told(machine, metric, severity, reason):
    machine.devices[GPU][metric] = 0.4
    assert machine.run(25) == [("throttled", GPU)]
    alert = machine.alert()
    assert (alert.severity, alert.evidence["reason"]) == (severity, reason)
    assert alert.evidence["lost_ratio"] == pytest.approx(0.4)
    assert "40 %" in alert.summary


def test_the_hardwares_brake_is_critical_also_where_the_driver_brakes_more(machine):
    """The alert once went by the larger share alone; the finding of the same trouble never did."""
    machine.devices[GPU] |= {
        "clock_lost_thermal_software_ratio": 0.4,
        "clock_lost_thermal_hardware_ratio": 0.07,
    }
    assert machine.run(25) == [("throttled", GPU)]
    alert = machine.alert()
    assert (alert.severity, alert.evidence["reason"]) == ("critical", "heat_driver")


def test_a_brake_that_takes_no_clock_costs_nothing(machine):
    """The alert once said that time is lost; the finding of the same trouble looked at the clock."""
    machine.devices[GPU] |= {
        "clock_lost_thermal_software_ratio": 0.4,
        "clock_sm_mhz": 1975.0,
        "clock_sm_max_mhz": 1980.0,
    }
    assert machine.run(25) == []
    machine.devices[GPU]["clock_sm_mhz"] = 1500.0
    assert machine.run(25) == [("throttled", GPU)]


def test_without_counters_the_share_comes_from_the_bits(machine):
    for metric in HEALTHY:
        if metric.startswith("clock_lost"):
            machine.devices[GPU][metric] = "not_recorded"

    def half_of_the_time(second):
        machine.devices[GPU]["clock_event_flags"] = float(0x20 if second % 2 else 0x4)

    assert machine.run(30, half_of_the_time) == [("throttled", GPU)]
    assert machine.alert().evidence["lost_ratio"] == pytest.approx(0.5, abs=0.06)


def test_a_lost_device_is_told_at_once(machine):
    machine.run(3)
    machine.devices[GPU] = dict.fromkeys(HEALTHY, "device_lost")
    assert machine.run(1) == [("device_lost", GPU)]
    assert machine.alert().severity == "critical"
    machine.devices[GPU] = dict(HEALTHY)
    assert machine.run(1) == []


@pytest.mark.parametrize(("code", "severity"), [(31, "warning"), (79, "critical")])
def test_an_xid_error_is_told_for_ten_minutes(machine, code, severity):
    machine.run(3)
    machine.devices[GPU] |= {"xid_count": 1.0, "xid_last_code": float(code)}
    assert machine.run(1) == [("xid", GPU)]
    alert = machine.alert()
    assert alert.severity == severity
    assert str(code) in alert.summary
    assert machine.run(590) == [("xid", GPU)]
    assert machine.run(20) == []


def test_memory_errors_that_could_not_be_corrected_are_told(machine):
    machine.devices[GPU]["ecc_uncorrected_count"] = 2.0
    assert machine.run(1) == [("ecc", GPU)]
    assert machine.alert().evidence == {"errors_count": 2.0}


def test_a_slow_link_is_told_under_load_only(machine):
    machine.devices[GPU] |= {"pcie_link_generation": 1.0, "utilization_percent": 0.0}
    assert machine.run(60) == []  # an idle device saves power
    machine.devices[GPU]["utilization_percent"] = 90.0
    assert machine.run(60) == [("pcie_below_link", GPU)]
    evidence = machine.alert().evidence
    assert (evidence["generation"], evidence["generation_max"]) == (1.0, 5.0)


def test_missing_lanes_are_told_always(machine):
    machine.devices[GPU] |= {"pcie_link_lanes": 8.0, "utilization_percent": 0.0}
    assert machine.run(60) == [("pcie_below_link", GPU)]
    assert "8 of 16 lanes" in machine.alert().summary


def test_a_full_disk_and_full_shared_memory_are_told(machine):
    machine.host |= {"host_disk_used_bytes": 499 * GIB, "host_shm_used_bytes": 60 * GIB}
    assert machine.run(10) == [("shm_nearly_full", None), ("disk_nearly_full", None)]


def test_a_device_that_is_gone_takes_its_alerts_with_it(machine):
    machine.devices[GPU]["ecc_uncorrected_count"] = 2.0
    machine.run(2)
    del machine.devices[GPU]
    assert machine.run(1) == []


def test_a_rule_that_raises_leaves_the_others_alone(machine, caplog):
    def broken(_view):
        raise ValueError("of another package")

    other = Rule(code="other", needs=(), check=broken, notify=True)
    machine.watch = AlertWatch((other, *RULES))
    machine.devices[GPU]["ecc_uncorrected_count"] = 2.0
    assert machine.run(1) == [("ecc", GPU)]
    assert "The rule other failed." in caplog.text


def test_the_worst_alert_comes_first(machine):
    machine.devices[GPU] |= {"memory_used_bytes": 79 * GIB}
    machine.devices[OTHER] |= {"clock_lost_thermal_hardware_ratio": 0.4}
    machine.host["host_shm_used_bytes"] = 60 * GIB
    codes = ["throttled", "memory_nearly_full", "shm_nearly_full"]
    assert [code for code, _ in machine.run(25)] == codes


def test_a_clock_that_is_set_back_does_not_stop_the_watch(machine):
    machine.run(5)
    machine.now -= 3600
    machine.devices[GPU]["memory_used_bytes"] = 79 * GIB
    assert machine.run(8) == [("memory_nearly_full", GPU)]


def test_every_alert_says_what_to_do(machine):
    machine.devices[GPU] |= {"ecc_uncorrected_count": 1.0, "memory_used_bytes": 79 * GIB}
    machine.run(10)
    assert len(machine.watch.current.alerts) == 2
    for alert in machine.watch.current.alerts:
        assert alert.summary.endswith(".")
        assert alert.advice.endswith(".")
        assert alert.since_seconds <= machine.now
