"""The arguments that every optimizer takes, and their checks."""

from __future__ import annotations

import inspect
import math
import warnings
from typing import Any, TypedDict

from gazelle._core.checks import in_range
from gazelle._core.errors import ArgumentError


class WithoutDecay(TypedDict, total=False):
    """The arguments that every optimizer takes, except `weight_decay`."""

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
    """The arguments that every optimizer takes, documented in `Optimizer`."""

    weight_decay: float | None


def check_arguments(owner: str, name: Any, unknown: dict[str, Any]) -> None:
    """Check for unknown arguments and invalid names.

    Raises:
        ArgumentError: An argument is unknown, or `name` is not a valid name.
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
    """`value` as a float > 0, or None if it is None.

    Raises:
        ArgumentError: It is neither.
    """
    if value is None:
        return None
    value = in_range(name, value, 0, math.inf, owner)
    if value == 0:
        raise ArgumentError(
            f"{owner}: {name} must be above zero.", received=value, fix="use None to switch it off"
        )
    return value


def adam_arguments(
    optimizer: object, beta_1: float, beta_2: float, epsilon: float
) -> tuple[float, float, float]:
    """Checks the arguments that Adam and the optimizers derived from it share.

    Raises:
        ArgumentError: A beta is not in [0, 1], or epsilon is negative.
    """
    owner = type(optimizer).__name__
    return (
        in_range("beta_1", beta_1, 0, 1, owner),
        in_range("beta_2", beta_2, 0, 1, owner),
        in_range("epsilon", epsilon, 0, math.inf, owner),
    )


def spell_out(init: Any, base: Any) -> None:
    """Replace `**common` in the signature of `init` with the arguments of `base` that it holds.

    So `help` and notebooks show them.
    """
    signature = inspect.signature(init)
    if "common" not in signature.parameters:
        return
    own = [parameter for name, parameter in signature.parameters.items() if name != "common"]
    own_names = {parameter.name for parameter in own}
    inherited = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(base).parameters.items()
        if name not in own_names and name != "kwargs"
    ]
    init.__signature__ = signature.replace(parameters=[*own, *inherited])
