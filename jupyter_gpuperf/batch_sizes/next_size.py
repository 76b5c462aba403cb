"""Which batch size to run next: twice the largest so far, until a size does not fit, or the law says where it ends.

Pure functions only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

BITS: Final = 4
"""Sizes have this many significant bits: 21 becomes 20, and 1000 becomes 960."""
FIRST_SHARE: Final = 4
"""The first size is the loader's own divided by this, so that small batches are seen as well."""
GROWTH: Final = 2
FLAT_GROWTH: Final = 4
"""How much larger the next size may be; more if larger batches are no longer faster."""
FLAT_RATIO: Final = 1.03
FLAT_SIZES: Final = 2


def rounded(size: float) -> int:
    """Return a size rounded down to four significant bits."""
    whole = max(1, int(size))
    shift = max(0, whole.bit_length() - BITS)
    return whole >> shift << shift


def size_above(size: int) -> int:
    """Return the next larger rounded size."""
    return rounded(size) + (1 << max(0, size.bit_length() - BITS))


@dataclass
class Sizes:
    """What is known of the sizes that were run.

    Attributes
    ----------
    rates
        Size that ran → its samples per second.
    failed
        Sizes that did not fit.
    most
        Upper limit, such as the number of samples in the dataset.
    """

    most: int | None = None
    rates: dict[int, float] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)

    @property
    def is_flat(self) -> bool:
        """Whether the last sizes were not faster than smaller ones."""
        rates = [rate for _, rate in sorted(self.rates.items())]
        if len(rates) <= FLAT_SIZES:
            return False
        return max(rates[-FLAT_SIZES:]) < FLAT_RATIO * max(rates[:-FLAT_SIZES])

    def next(self, wanted: int | None) -> int | None:
        """Return the size to run next; ``None`` if nothing is left to try.

        Parameters
        ----------
        wanted
            The largest size that should fit, according to the law; ``None`` if that is not known.
        """
        smallest_failed = min(self.failed, default=None)
        if not self.rates:
            assert smallest_failed is not None
            return smallest_failed // 2 or None
        top = max(self.rates)
        size = (FLAT_GROWTH if self.is_flat else GROWTH) * top
        if wanted is not None:
            size = min(size, rounded(wanted))
        if self.most is not None:
            size = min(size, self.most)
        if smallest_failed is not None and size >= smallest_failed:
            size = max(size_above(top), rounded((top + smallest_failed) / 2))
            if size >= smallest_failed:
                return None
        return None if size in self.rates else size
