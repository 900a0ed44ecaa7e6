"""Pace: how many steps make a chunk of about a tenth of a second."""

from __future__ import annotations

from dataclasses import dataclass

CHUNK_SECONDS = 0.1


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
            wanted = int(steps * CHUNK_SECONDS / max(seconds, 1e-6))
            self.size = max(1, min(wanted, 16 * max(self.size, steps)))
