from __future__ import annotations

from jupyter_gpuperf.sampling import Subscribers


def test_each_listener_is_served_at_its_own_pace():
    subscribers = Subscribers()
    fast: list[bytes] = []
    slow: list[bytes] = []
    subscribers.add(lambda message, _topic: fast.append(message), 100)
    subscribers.add(lambda message, _topic: slow.append(message), 1000)
    for tick in range(21):
        subscribers.publish(lambda: b"frame", tick * 0.1)
    assert len(fast) == 21
    assert len(slow) == 3


def test_a_frame_is_encoded_once_for_all_and_not_at_all_for_none():
    subscribers = Subscribers()
    encoded = 0

    def encode() -> bytes:
        nonlocal encoded
        encoded += 1
        return b"frame"

    subscribers.publish(encode, 0.0)
    assert encoded == 0
    for _ in range(8):
        subscribers.add(lambda message, topic: None, 100)
    subscribers.publish(encode, 1.0)
    assert encoded == 1


def test_the_fastest_listener_sets_the_pace_and_its_leaving_is_noticed():
    changes = 0

    def changed() -> None:
        nonlocal changes
        changes += 1

    subscribers = Subscribers(changed)
    assert subscribers.shortest_interval_ms() is None
    slow = subscribers.add(lambda message, topic: None, 5000)
    fast = subscribers.add(lambda message, topic: None, 200)
    assert subscribers.shortest_interval_ms() == 200
    subscribers.remove(fast)
    subscribers.remove(fast)
    assert subscribers.shortest_interval_ms() == 5000
    subscribers.change_interval(slow, 300)
    assert subscribers.shortest_interval_ms() == 300
    assert changes == 5
