"""Save states that functions read and write, and notice what differs afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

PLAIN: Final = {int, float, complex, bool, str, bytes, bytearray, type(None), range, slice}


def alike(now: Any, before: Any) -> bool:
    """Return whether two states are the same: plain values by value, sequences by members, objects by identity.

    No code of the compared objects runs: it may raise, or have side effects.
    """
    if now is before:
        return True
    if type(now) is not type(before):
        return False
    if type(now) in PLAIN:
        return bool(now == before)
    if isinstance(now, (list, tuple)):
        return len(now) == len(before) and all(map(alike, now, before))
    if type(now) is dict:
        return alike(list(now.items()), list(before.items()))
    return type(now).__module__ == "array" and bool(now == before)


class Access(NamedTuple):
    """Functions that read and write the state of one object; ``write`` is ``None`` when it can only be compared."""

    read: Callable[[], Any]
    write: Callable[[Any], object] | None = None
    alike: Callable[[Any, Any], bool] = alike


class SavedValues:
    """The states of objects.

    Parameters
    ----------
    makers
        Pairs of path and a function that makes the access.
    """

    def __init__(self, makers: Iterable[tuple[str, Callable[[], Access]]]) -> None:
        self._before: list[tuple[str, Access, Any]] = []
        for path, make in makers:
            with contextlib.suppress(Exception):  # closed, say; then it can't be used either
                access = make()
                self._before.append((path, access, access.read()))
        self.not_restored: dict[str, None] = {}
        """Paths of what had changed and could not be restored, in order."""

    def changed_for_good(self) -> list[str]:
        """Return the paths of what differs now and can't be written."""
        return [
            path
            for path, each, before in self._before
            if each.write is None and not each.alike(each.read(), before)
        ]

    def restore(self) -> None:
        """Write what has changed; note what is then still different."""
        for path, access, before in self._before:
            try:
                is_restored = access.alike(access.read(), before)
                if not is_restored and access.write is not None:
                    access.write(before)
                    is_restored = access.alike(access.read(), before)
            except Exception:  # any kind of object, in any condition  # noqa: BLE001
                is_restored = False
            if not is_restored:
                self.not_restored[path] = None
