"""What two real devices did over a stretch of the past: its own time counts, and none before it."""

from __future__ import annotations

import pytest
from recorded_pairs import PHASES, RANKS, recorded

from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.schemas import Frame

BEGAN = 1_700_000_000.0
METRICS = ["graphics_active_percent", "utilization_percent", "power_watts"]


class Played:
    """The ranks' recording, played into a history up to some second."""

    def __init__(self, until_seconds, leave_out=()):
        recording = recorded(RANKS, 0.0, until_seconds)
        self.uuids = [each.uuid for each in recording.devices(0.0)]
        self._history = HistoryStore(
            seconds=200, shortest_interval_seconds=0.1, device_metrics=METRICS, host_metrics=[]
        )
        for seconds in recording.seconds:
            readings = recording.read(seconds)
            frame = Frame(
                time_seconds=BEGAN + seconds,
                devices={
                    uuid: each | dict.fromkeys(leave_out, "not_supported")
                    for uuid, each in readings.items()
                },
                host={},
                host_cores_percent=[],
            )
            self._history.append(frame)
        self.share = DeviceUsage(self._history, now=lambda: BEGAN + recording.seconds[-1])

    def busy(self, index, from_seconds, until_seconds):
        return self.share.busy(self.uuids[index], BEGAN + from_seconds, BEGAN + until_seconds)


@pytest.mark.parametrize("seconds", [2.0, 4.0, 6.0, 8.0, 10.0, 12.0])
def test_a_device_that_works_from_a_loops_start_on_is_busy_from_then_on(seconds):
    """GPM's share that is shown then is of the seconds before: 6 % and 0 %."""
    played = Played(seconds)
    for index in (0, 1):
        share = played.busy(index, max(0.0, seconds - 10.0), seconds)
        assert share.percent == pytest.approx(94.5, abs=2)


def test_ten_seconds_after_a_change_nothing_of_before_is_left():
    changed = PHASES["balanced again"][0] + 0.7  # the mode is read at the loop's next batch
    share = Played(changed + 10.0).busy(1, changed, changed + 10.0)
    assert share.percent == pytest.approx(95.5, abs=1.5)


@pytest.mark.parametrize("ended", [40.0, 41.0, 42.0, 43.0, 44.0, 45.0, 46.0])
def test_ten_seconds_hold_a_whole_reading_of_gpm_wherever_they_end(ended):
    share = Played(ended).busy(1, ended - 10.0, ended)
    assert share.metric == "graphics_active_percent"
    assert share.percent == pytest.approx(95.5, abs=1.5)


def test_over_a_long_stretch_both_shares_agree():
    gpm = Played(86.0).busy(1, 0.0, 86.0)
    driver = Played(86.0, leave_out=METRICS[:1]).busy(1, 0.0, 86.0)
    assert (gpm.metric, driver.metric) == ("graphics_active_percent", "utilization_percent")
    assert gpm.percent == pytest.approx(driver.percent, abs=5)


def test_without_the_drivers_own_share_gpms_counts_as_it_is_shown():
    share = Played(46.0, leave_out=METRICS[1:2]).busy(1, 43.0, 46.0)
    assert share.metric == "graphics_active_percent"
    assert share.percent == pytest.approx(95.5, abs=1.5)


def test_energy_is_mean_power_times_time():
    played = Played(14.0)
    joules = played.share.energy_joules(played.uuids[0], BEGAN + 4.0, BEGAN + 14.0)
    assert joules == pytest.approx(5600, rel=0.02)
