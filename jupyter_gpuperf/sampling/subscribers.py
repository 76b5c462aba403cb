"""The sampler's listeners, and how often each gets readings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

FRAMES: Final = "frames"
"""Topic of the readings."""

DEVICES: Final = "devices"
"""Topic of the list of devices."""

TRAINING: Final = "training"
"""Topic of the watched training loops."""

ALERTS: Final = "alerts"
"""Topic of the current alerts."""

FINDINGS: Final = "findings"
"""Topic of the diagnosis."""

OFTEN_INTERVAL_MS: Final = 500
"""The longest interval between readings after :meth:`Subscribers.read_often`."""

DUE_RATIO: Final = 0.9
"""A listener is due if this share of its interval has passed, so that a slightly early tick still serves it."""


class Subscription:
    """One listener and its interval."""

    def __init__(self, deliver: Callable[[bytes, str], None], interval_ms: int) -> None:
        self.deliver = deliver
        self.interval_ms = interval_ms
        self._due_seconds = 0.0

    def take_turn(self, now_seconds: float) -> bool:
        """Return whether this listener is due for a frame. If it is, the frame counts as delivered."""
        if now_seconds < self._due_seconds:
            return False
        self._due_seconds = now_seconds + DUE_RATIO * self.interval_ms / 1000
        return True


class Subscribers:
    """The set of listeners. Thread-safe.

    Parameters
    ----------
    on_change
        Called whenever the shortest interval may have changed, so that the sampler wakes up.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.on_change = on_change
        self._lock = threading.Lock()
        self._subscriptions: set[Subscription] = set()
        self._often = Subscription(lambda message, topic: None, OFTEN_INTERVAL_MS)

    def add(self, deliver: Callable[[bytes, str], None], interval_ms: int) -> Subscription:
        """Add a listener. ``deliver`` takes a message and its topic; the sampler's thread calls it, so it must not block."""
        subscription = Subscription(deliver, interval_ms)
        with self._lock:
            self._subscriptions.add(subscription)
        self.on_change()
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Remove a listener; do nothing if it is already gone."""
        with self._lock:
            self._subscriptions.discard(subscription)
        self.on_change()

    def read_often(self, active: bool) -> None:
        """Start or stop reading the devices often, for a caller that does not listen to the frames."""
        with self._lock:
            change = self._subscriptions.add if active else self._subscriptions.discard
            change(self._often)
        self.on_change()

    def change_interval(self, subscription: Subscription, interval_ms: int) -> None:
        """Change a listener's interval from now on."""
        subscription.interval_ms = interval_ms
        self.on_change()

    def shortest_interval_ms(self) -> int | None:
        """Return the shortest interval of all listeners, or ``None`` without listeners."""
        with self._lock:
            return min((each.interval_ms for each in self._subscriptions), default=None)

    def publish(self, encode: Callable[[], bytes], now_seconds: float) -> None:
        """Send a frame to every listener that is due; the frame is encoded only once, if at all."""
        with self._lock:
            due = [each for each in self._subscriptions if each.take_turn(now_seconds)]
        frame = encode() if due else b""
        for subscription in due:
            subscription.deliver(frame, FRAMES)

    def announce(self, message: bytes, topic: str) -> None:
        """Send a message to every listener, due or not. A slow listener may skip all but the latest of a topic."""
        with self._lock:
            everyone = list(self._subscriptions)
        for subscription in everyone:
            subscription.deliver(message, topic)
