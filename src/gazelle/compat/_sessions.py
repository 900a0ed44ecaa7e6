"""What a session of TensorFlow 1 was to scripts: its `run` gives values."""

from __future__ import annotations

from typing import Any

import numpy as np


class Session:
    """A session whose `run` gives the values of variables and arrays as NumPy arrays."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.graph = None

    def run(self, fetches: Any, feed_dict: Any = None, **kwargs: Any) -> Any:
        """The values of a variable or array, or of each of a list."""
        if isinstance(fetches, list | tuple):
            return [self.run(fetch) for fetch in fetches]
        return None if fetches is None else np.asarray(fetches)

    def close(self) -> None:
        """Nothing."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        pass
