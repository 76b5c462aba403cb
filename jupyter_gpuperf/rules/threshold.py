"""Numbers that rules compare with, each with its reason."""

from __future__ import annotations


class Threshold(float):
    """A number that a rule compares with, and why it is this one.

    Parameters
    ----------
    value
        The number; its unit is in the constant's name.
    reason
        The physics or the measurement that it follows from.
    margin
        How far measured cases on both sides are from it.
    """

    reason: str
    margin: str

    def __new__(cls, value: float, *, reason: str, margin: str) -> Threshold:  # noqa: PYI034
        """Make the number, and put the words beside it."""
        number = super().__new__(cls, value)
        number.reason, number.margin = reason, margin
        return number
