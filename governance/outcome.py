"""What was decided about rows and what was true of them, counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trivet.governance.intervals import Count

Rows = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Outcome:
    """A decision and a truth a row, as masks of one length."""

    selected: Rows
    positive: Rows

    def of(self, members: Rows) -> Fate:
        """What became of some of the rows."""
        rows, positive = count(members), count(members & self.positive)
        kept = count(members & self.positive & self.selected)
        return Fate(
            selected=Count(count(members & self.selected), rows),
            not_denied=Count(kept, positive),
            denied=Count(positive - kept, positive),
        )

    @property
    def right(self) -> Count:
        """Rows that were decided as they truly are."""
        return Count(count(self.selected == self.positive), len(self.positive))

    @property
    def caught(self) -> Count:
        """Of the rows that are truly negative, those that were denied."""
        return Count(count(~self.selected & ~self.positive), count(~self.positive))

    @property
    def alike(self) -> Count:
        """Rows that would be decided rightly if all were decided alike, in the better of the two ways."""
        positive = count(self.positive)
        return Count(max(positive, len(self.positive) - positive), len(self.positive))


@dataclass(frozen=True)
class Fate:
    """What became of a group: of all its rows, and of those that are truly positive."""

    selected: Count
    not_denied: Count
    denied: Count


def count(rows: Rows) -> int:
    """How many rows a mask holds."""
    return int(np.count_nonzero(rows))
