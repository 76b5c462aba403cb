"""Numbers that rules compare measurements with, each with a reason for its value."""

from __future__ import annotations


class Threshold(float):
    """A number that a rule compares a measurement with, and the reason for its value.

    Parameters
    ----------
    value
        The number; its unit is in the constant's name.
    reason
        The physics or the measurement from which the value follows.
    margin
        How far the value is from measured cases on both sides.
    """

    reason: str
    margin: str

    def __new__(cls, value: float, *, reason: str, margin: str) -> Threshold:  # noqa: PYI034
        """Create the number and attach its reason and margin."""
        number = super().__new__(cls, value)
        number.reason, number.margin = reason, margin
        return number
