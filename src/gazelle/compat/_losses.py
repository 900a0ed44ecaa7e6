"""Losses take the reductions that they had in tf.keras."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from gazelle.compat._patches import Patches
from gazelle.compat._telling import tell
from gazelle.losses import Loss

REDUCTIONS = {"auto": "sum_over_batch_size"}


def install_losses(patches: Patches) -> None:
    """Let losses take `reduction="auto"`."""
    patches.attribute(Loss, "__init__", _with_old_reduction(Loss.__init__))


def _with_old_reduction(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def call(
        self: Loss,
        name: Any = None,
        reduction: Any = "sum_over_batch_size",
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if isinstance(name, str) and name in (*REDUCTIONS, "none", "sum", "sum_over_batch_size"):
            name, reduction = None, name  # tf.keras: super().__init__(reduction)
        if reduction in REDUCTIONS:
            tell("reduction='auto'", "reduction='sum_over_batch_size'")
            reduction = REDUCTIONS[reduction]
        init(self, name, reduction, *args, **kwargs)

    return call
