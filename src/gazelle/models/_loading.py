"""Loading a weights file into variables: first check everything, then assign all or nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np

from gazelle._core.dtypes import is_float
from gazelle._core.errors import DataError, ModelFileError, short
from gazelle._core.variable import Variable, plain
from gazelle._formats.h5 import LORA, Spec, WeightsFile
from gazelle._formats.legacy_h5 import LegacyFile
from gazelle._formats.sharded import ShardedWeights
from gazelle._formats.tensors import TensorsFile


def load_from(
    file: WeightsLike,
    variables: Mapping[str, Sequence[Variable]],
    loaders: Mapping[str, Loader] | None = None,
    *,
    moved: Mapping[str, str] | None = None,
    skip_mismatch: bool = False,
    optional: Collection[str] = ("optimizer",),
    allow_nonfinite: bool = False,
) -> list[str]:
    """Load variables from a file. If anything does not match, no variable is changed.

    Args:
        file: The open file.
        variables: Group path -> variables.
        loaders: Group path -> the method of a layer that loads its state itself.
        moved: Groups that do not match because of `moved_layers`.
        skip_mismatch: Whether to skip groups that do not match, with a warning, instead of raising
            an error.
        optional: Groups (including those below them), such as the optimizer's state, that may be
            missing from the file or the model, and are skipped with a warning if they do not match.
        allow_nonfinite: Whether values may be NaN or infinite.

    Returns:
        The groups that were skipped because they do not match.

    Raises:
        DataError: The file fails a check, cannot be read, does not match `variables`, or holds
            values that are not finite.
    """
    matches = match(file, variables, loaders or {}, optional, moved or {})
    problems = matches.problems
    fatal = {g: problem for g, problem in problems.items() if not _is_optional(g, optional)}
    _report(file.label, problems, fatal, skip_mismatch)
    if not allow_nonfinite:
        matches.check_finite(file.label)
    matches.assign()
    return list(problems)


WeightsLike = WeightsFile | ShardedWeights | TensorsFile | LegacyFile
Loader = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Matches:
    """What a file has for a model.

    Args:
        assignments: Variables and their new values.
        stores: The loaders of layers that load their state themselves, and what they get.
        problems: What does not match, by group.
    """

    assignments: list[tuple[Variable, np.ndarray]]
    stores: list[tuple[Loader, dict[str, Any]]]
    problems: dict[str, str]

    def check_finite(self, label: str) -> None:
        """Refuse weights that are NaN or infinite.

        Raises:
            ModelFileError: The first of them.
        """
        for variable, array in self.assignments:
            if is_float(array.dtype) and not np.isfinite(array).all():
                raise ModelFileError(
                    "h5-nonfinite",
                    file=label,
                    where=variable.path,
                    found="NaN or infinite values",
                    expected="finite weights",
                    fix="pass allow_nonfinite=True to load them",
                )

    def assign(self) -> None:
        """Set the variables, then call the loaders; if one fails, the variables are set back."""
        before = [(variable, plain(variable)) for variable, _ in self.assignments]
        try:
            for variable, array in self.assignments:
                variable.take(array)
            for load, store in self.stores:
                load(store)
        except BaseException:
            for variable, value in before:
                variable.assign(value)
            raise


def match(
    file: WeightsLike,
    variables: Mapping[str, Sequence[Variable]],
    loaders: Mapping[str, Loader],
    optional: Collection[str],
    moved: Mapping[str, str] = MappingProxyType({}),
) -> Matches:
    """What a file has for variables and loaders; arguments as in `load_from`."""
    assignments: list[tuple[Variable, np.ndarray]] = []
    problems: dict[str, str] = {}
    for group in sorted((set(variables) | set(file.specs)) - set(loaders)):
        own = variables.get(group, ())
        if (not own or group not in file.specs) and _is_optional(group, optional):
            continue
        if not own and group.split("/")[-1] == LORA:  # a model without LoRA takes the sum
            continue
        problem = _mismatch(own, file.specs.get(group, [])) or moved.get(group)
        if problem is None and own:
            arrays, problem = _converted(file, group, own)
            if problem is None:
                assignments.extend(zip(own, arrays, strict=True))
        if problem is not None:
            problems[group] = problem
    stores = [(load, _store(file, group)) for group, load in loaders.items()]
    return Matches(assignments, stores, problems)


def moved_layers(saved: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """The layers that have changed places in a model since its file was written.

    Values go by position. So those of two layers of equal shapes would be confused, if the names
    that users gave them did not tell.

    Args:
        saved: Group path -> name of the layer when the file was written.
        names: Group path -> name that a user gave to the layer in the model.

    Returns:
        Group path -> what does not match.
    """
    return {
        path: f"the weights of the layer {saved[path]!r} in the file, of {name!r} in the model"
        for path, name in names.items()
        if path in saved and saved[path] != name and saved[path] in names.values()
    }


def _store(file: WeightsLike, group: str) -> dict[str, Any]:
    """The arrays of a group by their names; empty where the file has none."""
    if group not in file.specs:
        return {}
    return dict(zip(file.keys[group], file.read(group), strict=True))


def _is_optional(group: str, optional: Collection[str]) -> bool:
    return any(group == name or group.startswith(f"{name}/") for name in optional)


def _mismatch(variables: Sequence[Variable], specs: Sequence[Spec]) -> str | None:
    """How a group in the file differs from the model in number, shapes or kinds, or None."""
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
        if not _is_convertible(spec.dtype, variable.dtype):
            return f"{variable.name} is {spec.dtype} in the file, {variable.dtype} in the model"
    return None


def _is_convertible(source: Any, target: Any) -> bool:
    """Whether two dtypes are of the same kind, or integers can be converted to floats."""
    source_kind, target_kind = _kind(source), _kind(target)
    return source_kind == target_kind or (source_kind, target_kind) == ("int", "float")


def _kind(dtype: Any) -> str:
    dtype = np.dtype(jnp.dtype(dtype))
    if dtype == np.bool_:
        return "bool"
    return "float" if is_float(dtype) else "int"


def _converted(
    file: WeightsLike, group: str, variables: Sequence[Variable]
) -> tuple[list[np.ndarray], str | None]:
    """The arrays of a group in the variables' dtypes, or an error text if values do not fit."""
    arrays = []
    for variable, array in zip(variables, file.read(group), strict=True):
        if array.dtype == jnp.dtype(variable.dtype):
            arrays.append(array)
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            value = array.astype(jnp.dtype(variable.dtype))
            if is_float(array.dtype):
                lost = np.isinf(value) & np.isfinite(array)
            else:
                lost = value.astype(array.dtype) != array
        if lost.any():
            example = array[lost].flat[0]
            return [], f"{variable.name} holds {example!s}, which {variable.dtype} cannot hold"
        arrays.append(value)
    return arrays, None


def _report(
    label: str, problems: Mapping[str, str], fatal: Mapping[str, str], skip_mismatch: bool
) -> None:
    """Raise an error for `fatal` problems, or warn of all problems.

    Raises:
        DataError: There are fatal problems and `skip_mismatch` is false.
    """
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
            f"{label} does not match the model. A total of {len(fatal)} objects could not be"
            " loaded.",
            expected="the same layers in the same order",
            received=details + more,
            fix="build the same architecture, or pass skip_mismatch=True to load what matches",
        )
    warnings.warn(
        f"{label}: skipped objects that do not match the model: {details}{more}",
        UserWarning,
        stacklevel=4,
    )
