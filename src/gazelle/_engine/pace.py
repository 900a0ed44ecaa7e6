"""Pace: how many steps make a chunk of about a tenth of a second, of up to half a second where steps are slow.

Each program asks the system for its memory anew: with large batches a chunk of a single step spent
a quarter of its time on that.
"""

from __future__ import annotations

from dataclasses import dataclass

CHUNK_SECONDS = 0.1
SLOW_CHUNK_SECONDS = 0.5
SLOW_STEPS = 4  # so many steps may take that long


@dataclass
class Pace:
    """Steps a chunk, learned from the chunks before."""

    size: int = 1
    chunks: int = 0

    def learn(self, steps: int, seconds: float) -> None:
        """Take a chunk's time into account; the first one, which compiles, says nothing."""
        self.chunks += 1
        if self.chunks == 1:
            self.size = 8
        elif steps:
            rate = steps / max(seconds, 1e-6)
            wanted = max(int(rate * CHUNK_SECONDS), min(int(rate * SLOW_CHUNK_SECONDS), SLOW_STEPS))
            self.size = max(1, min(wanted, 16 * max(self.size, steps)))
