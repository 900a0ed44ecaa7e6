"""Names for the types that many rooms share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

# A shape; None for an axis of unknown size.
Shape = tuple[int | None, ...]

# What may be given as a shape.
ShapeLike = Sequence[int | None]

# Nested lists, tuples and dicts with tensors (or what belongs to each) as leaves.
Structure = Any

# What `compile` takes as a loss for one output: a name, a function of (y_true, y_pred) or a `Loss`.
LossLike = str | Callable[..., Any]
