"""From a weights file into variables: everything is checked first, then everything is assigned, or nothing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any, BinaryIO

import jax.numpy as jnp
import numpy as np

from gazelle._core.dtypes import is_float
from gazelle._core.errors import DataError, short
from gazelle._core.variable import Variable
from gazelle.saving.h5 import Spec, WeightsFile, open_weights


def load_variables(
    path: str | os.PathLike[str] | BinaryIO,
    variables: Mapping[str, Sequence[Variable]],
    *,
    skip_mismatch: bool = False,
    optional: Collection[str] = ("optimizer",),
) -> list[str]:
    """Set variables from a weights file. If anything does not fit, no variable is changed.

    NaN and infinite values are loaded as they are.

    Args:
        path: The file, or a seekable binary file object.
        variables: Group path -> variables, as `keras_paths` gives them.
        skip_mismatch: Whether groups that do not fit are left out with a warning instead of
            refused.
        optional: Groups (with all below) that the file or the model may lack, and that are left out
            with a warning when they do not fit: an optimizer's state.

    Returns:
        The groups that were left out because they do not fit.

    Raises:
        DataError: The file cannot be trusted or read, or does not fit `variables`.
    """
    assignments: list[tuple[Variable, np.ndarray]] = []
    problems: dict[str, str] = {}
    with open_weights(path) as file:
        for group in sorted(set(variables) | set(file.specs)):
            own = variables.get(group, ())
            if (not own or group not in file.specs) and _is_optional(group, optional):
                continue
            problem = _mismatch(own, file.specs.get(group, []))
            if problem is None and own:
                arrays, problem = _converted(file, group, own)
                assignments.extend(zip(own, arrays, strict=True) if problem is None else ())
            if problem is not None:
                problems[group] = problem
        label = file.label
    _report(
        label,
        problems,
        {g: p for g, p in problems.items() if not _is_optional(g, optional)},
        skip_mismatch,
    )
    for variable, array in assignments:
        variable.assign(array)
    return list(problems)


def _is_optional(group: str, optional: Collection[str]) -> bool:
    return any(group == name or group.startswith(f"{name}/") for name in optional)


def _mismatch(variables: Sequence[Variable], specs: Sequence[Spec]) -> str | None:
    """How a group of the file differs from the model's, or None; only numbers, shapes and types are compared."""
    if len(specs) != len(variables):
        if not specs:
            return f"not in the file; the model has {len(variables)} arrays there"
        if not variables:
            return f"{len(specs)} arrays in the file, none in the model"
        return f"{len(specs)} arrays in the file, {len(variables)} in the model"
    for variable, spec in zip(variables, specs, strict=True):
        if spec.shape != variable.shape:
            return (
                f"{variable.name} has shape {spec.shape} in the file, {variable.shape} in the model"
            )
        if _kind(spec.dtype) != _kind(variable.dtype) and (
            _kind(spec.dtype),
            _kind(variable.dtype),
        ) != (
            "int",
            "float",
        ):
            return f"{variable.name} is {spec.dtype} in the file, {variable.dtype} in the model"
    return None


def _kind(dtype: Any) -> str:
    dtype = np.dtype(jnp.dtype(dtype))
    return "bool" if dtype == np.bool_ else "float" if is_float(dtype) else "int"


def _converted(
    file: WeightsFile, group: str, variables: Sequence[Variable]
) -> tuple[list[np.ndarray], str | None]:
    """A group's arrays in the variables' types, and what cannot be represented in them."""
    arrays = []
    for variable, array in zip(variables, file.read(group), strict=True):
        with np.errstate(over="ignore", invalid="ignore"):
            value = array.astype(jnp.dtype(variable.dtype))
            lost = (
                np.isinf(value) & np.isfinite(array)
                if is_float(array.dtype)
                else value.astype(array.dtype) != array
            )
        if lost.any():
            example = array[lost].flat[0]
            return [], f"{variable.name} holds {example!s}, which {variable.dtype} cannot hold"
        arrays.append(value)
    return arrays, None


def _report(
    label: str, problems: Mapping[str, str], fatal: Mapping[str, str], skip_mismatch: bool
) -> None:
    if not problems:
        return
    shown = fatal if fatal and not skip_mismatch else problems
    named = [
        f"{short(group, 60) or 'the model itself'}: {short(text)}"
        for group, text in list(shown.items())[:3]
    ]
    details = "; ".join(named)
    more = f"; and {len(shown) - 3} more" if len(shown) > 3 else ""
    if fatal and not skip_mismatch:
        raise DataError(
            f"{label} does not fit the model. A total of {len(fatal)} objects could not be loaded.",
            expected="the same layers in the same order",
            received=details + more,
            fix="build the same architecture, or pass skip_mismatch=True to load what fits",
        )
    warnings.warn(
        f"{label}: left out what does not fit the model: {details}{more}", UserWarning, stacklevel=3
    )
