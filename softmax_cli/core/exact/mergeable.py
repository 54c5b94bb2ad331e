"""Counts and sums that are merged, and written as JSON without losing a digit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np


@dataclass
class Mergeable:
    """Settings, and counts of rows that can be added to the counts of other rows.

    Counts are numbers, arrays, lists, exact sums, or truth values, of which one is enough. The
    order in which they are merged does not matter.

    merged  the names of the fields that are counts
    """

    merged: ClassVar[tuple[str, ...]] = ()

    def merge(self, other: Self) -> None:
        """Add the counts of other rows: those of another block, or of another shard."""
        for name in self.merged:
            mine, others = getattr(self, name), getattr(other, name)
            if isinstance(mine, bool):
                mine = mine or others
            elif isinstance(mine, Mergeable):
                mine.merge(others)
            else:
                mine += others
            setattr(self, name, mine)

    def state(self) -> dict[str, Any]:
        """Return the counts for JSON, which loses no digit of them."""
        return {name: _to_json(getattr(self, name)) for name in self.merged}

    def from_state(self, state: dict[str, Any], first: int = 0) -> Self:
        """Return the counts that a state holds, of rows from row number `first` on."""
        del first
        counts = {name: _from_json(getattr(self, name), state[name]) for name in self.merged}
        return replace(self, **counts)

    def merge_state(self, state: dict[str, Any], first: int = 0) -> None:
        """Add the counts that a state holds, of rows from row number `first` on."""
        self.merge(self.from_state(state, first))


def _to_json(count: Any) -> Any:
    if isinstance(count, Counter):
        return {str(key): number for key, number in sorted(count.items()) if number}
    if isinstance(count, np.ndarray):
        return count.tolist()
    return count if isinstance(count, (int, list)) else count.state()


def _from_json(like: Any, state: Any) -> Any:
    """Return the count that `_to_json` wrote; `like` has its type."""
    if isinstance(like, Counter):
        return Counter({int(key): number for key, number in state.items()})
    if isinstance(like, np.ndarray):
        return np.array(state, like.dtype)
    return state if isinstance(like, (int, list)) else like.from_state(state)
