"""The arguments that every optimizer takes, and their checks."""

from __future__ import annotations

import inspect
import math
import warnings
from typing import Any, TypedDict

from gazelle._core.checks import in_range
from gazelle._core.errors import ArgumentError


class WithoutDecay(TypedDict, total=False):
    """The arguments that every optimizer takes, less `weight_decay`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


class Common(WithoutDecay, total=False):
    """The arguments that every optimizer takes; they are explained at `Optimizer`."""

    weight_decay: float | None


def check_arguments(owner: str, name: Any, unknown: dict[str, Any]) -> None:
    """Refuse arguments that no optimizer has and names that cannot be one.

    Raises:
        ArgumentError: There is such an argument.
    """
    if unknown.pop("decay", None) is not None:
        warnings.warn("Argument `decay` is no longer supported and will be ignored.", stacklevel=4)
    if unknown:
        raise ArgumentError(
            f"{owner}: Argument(s) not recognized: {unknown}",
            fix="use learning_rate=" if "lr" in unknown else f"see help({owner})",
        )
    if name is not None and (not isinstance(name, str) or "/" in name):
        raise ArgumentError(
            f"{owner}: Argument `name` must be a string and cannot contain character `/`.",
            received=repr(name),
        )


def above_zero(name: str, value: Any, owner: str) -> float | None:
    """`value` as a float > 0, or None when it is None.

    Raises:
        ArgumentError: It is neither.
    """
    if value is None:
        return None
    value = in_range(name, value, 0, math.inf, owner)
    if value == 0:
        raise ArgumentError(
            f"{owner}: {name} must be above zero.", received=value, fix="leave it None for none"
        )
    return value


def spell_out(init: Any, base: Any) -> None:
    """Let `help` and notebooks show the arguments of `base` that `**common` stands for in `init`."""
    signature = inspect.signature(init)
    if "common" in signature.parameters:
        own = [parameter for name, parameter in signature.parameters.items() if name != "common"]
        names = {"kwargs", *(parameter.name for parameter in own)}
        rest = [
            parameter
            for name, parameter in inspect.signature(base).parameters.items()
            if name not in names
        ]
        rest = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in rest]
        init.__signature__ = signature.replace(parameters=[*own, *rest])
