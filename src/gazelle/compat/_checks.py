"""Data that Gazelle refuses and any Keras trained on: a warning instead of an error."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from gazelle._core.errors import CheckWarning, DataError
from gazelle._engine import preflight, runner
from gazelle.compat._patches import Patches
from gazelle.models import _trainer as trainer


def install_checks(patches: Patches) -> None:
    """Warn of values that cannot be trained on, such as NaN, where Gazelle refuses them."""
    before = _warning(preflight.check_before_training)
    patches.attribute(trainer, "check_before_training", before)
    patches.attribute(runner, "check_values", _warning(preflight.check_values))


def _warning(check: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(check)
    def call(*args: Any, **kwargs: Any) -> None:
        try:
            check(*args, **kwargs)
        except DataError as error:
            if "There are no targets" in str(error):
                raise
            warnings.warn(str(error), CheckWarning, stacklevel=2)

    return call
