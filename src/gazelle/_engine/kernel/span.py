"""Span: which batches one call of a program takes. kernel.cpp has the same `Span`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Span(NamedTuple):
    """Which batches of the data one call of a program takes.

    Args:
        row: The first row.
        batches: Number of whole batches.
        tail: Samples of the shorter last batch that follows; 0 for none.
        fresh: Whether the state of the metrics is reset first.
    """

    row: Any
    batches: Any
    tail: Any
    fresh: Any

    def packed(self) -> np.ndarray:
        """The four numbers as one argument of a program, int32 `(4,)`."""
        return np.array(self, np.int32)

    @classmethod
    def unpacked(cls, numbers: Any) -> Span:
        """The span that `packed` made, in a program."""
        row, batches, tail, fresh = (numbers[place] for place in range(4))
        return cls(row, batches, tail, fresh > 0)
