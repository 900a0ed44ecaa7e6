"""Pace: how many steps make a chunk of about a tenth of a second, or up to half a second.

Each program asks the system for its memory again. With large batches, a chunk of one step spent a
quarter of its time on that, so slow steps get longer chunks.
"""

from __future__ import annotations

from dataclasses import dataclass

CHUNK_SECONDS = 0.1
SLOW_CHUNK_SECONDS = 0.5
SLOW_STEPS = 4  # a chunk of at most so many steps may take SLOW_CHUNK_SECONDS
_FIRST_STEPS = 8  # after the first chunk, which compiled
_GROWTH = 16  # a chunk has at most so many times the steps of the one before


@dataclass
class Pace:
    """Steps per chunk, learned from the chunks before."""

    size: int = 1
    chunks: int = 0

    def learn(self, steps: int, seconds: float) -> None:
        """Take a chunk's time into account; the first one compiles, so its time says nothing."""
        self.chunks += 1
        if self.chunks == 1:
            self.size = _FIRST_STEPS
        elif steps:
            rate = steps / max(seconds, 1e-6)
            slow = min(int(rate * SLOW_CHUNK_SECONDS), SLOW_STEPS)
            wanted = max(int(rate * CHUNK_SECONDS), slow)
            self.size = max(1, min(wanted, _GROWTH * max(self.size, steps)))
