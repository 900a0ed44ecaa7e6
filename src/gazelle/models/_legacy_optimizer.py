"""The state of an optimizer in the old `.h5` files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gazelle._core.dtypes import is_float
from gazelle._core.variable import Variable
from gazelle._formats.legacy_h5 import OPTIMIZER, LegacyFile
from gazelle._formats.old_names import SCALARS, SLOTS, Slots
from gazelle.optimizers._state import step_counter

Assignments = list[tuple[Variable, np.ndarray]]


class _UnclearError(Exception):
    """The state cannot be told apart; the text says why."""


def optimizer_state(model: Any, file: LegacyFile) -> tuple[Assignments, str]:
    """The variables of a model's optimizer with their values, and why there are none.

    The optimizer is built if the file has the state of its slots.

    Returns:
        The assignments, and `""` or a reason why the state of the file is not used.
    """
    optimizer = model.optimizer
    names = file.keys.get(OPTIMIZER)
    if optimizer is None or not names or not model.built:
        return [], ""
    if len(names) > len(optimizer.variables) or not _is_new(names):
        optimizer.build(model.trainable_variables)
    values = file.read(OPTIMIZER)
    try:
        if _is_new(names):
            return _checked(zip(_new(optimizer, names), values, strict=True)), ""
        return _checked(_old(optimizer, model.trainable_variables, names, values)), ""
    except _UnclearError as error:
        return [], str(error)


def _is_new(names: Sequence[str]) -> bool:
    """Whether the names are those of Keras 3: `adam/iteration`, `adam/learning_rate`, ..."""
    return names[0].endswith("/iteration") and not any(name.endswith(":0") for name in names)


def _new(optimizer: Any, names: Sequence[str]) -> list[Variable]:
    """The variables by their names or, if those differ, in order where they end alike."""
    variables = optimizer.variables
    known = {variable.name: variable for variable in variables}
    last = [name.rpartition("/")[2] for name in names]
    if len(known) == len(variables) and set(known) == set(last):
        return [known[name] for name in last]
    if len(variables) != len(names):
        raise _UnclearError(f"{len(names)} arrays, the optimizer has {len(variables)}")
    for variable, name in zip(variables, names, strict=True):
        is_named = "/" in name  # Keras 3 leaves some without a name
        if is_named and _last_word(variable.name) != _last_word(name):
            raise _UnclearError(f"{name} where the optimizer has {variable.name}")
    return variables


def _last_word(name: str) -> str:
    return name.replace("/", "_").rpartition("_")[2]


def _checked(pairs: Iterable[tuple[Variable, np.ndarray]]) -> Assignments:
    """Variables and values, if each has the shape of its variable, which can hold it."""
    checked = []
    for variable, value in pairs:
        if value.shape != variable.shape:
            raise _UnclearError(f"{variable.name} has shape {value.shape}, not {variable.shape}")
        with np.errstate(all="ignore"):
            converted = value.astype(variable.dtype)
        if is_float(variable.dtype):
            is_held = (
                value.dtype.kind != "b" and not (np.isinf(converted) & np.isfinite(value)).any()
            )
        else:  # the number of steps, which was a float in Keras 1
            is_held = np.array_equal(converted, value)
        if not is_held:
            raise _UnclearError(f"{variable.name} cannot hold {value.dtype} values of the file")
        checked.append((variable, converted))
    return checked


# ---- Keras 1, Keras 2 and tf.keras ----


def _old(
    optimizer: Any,
    weights: Sequence[Variable],
    names: Sequence[str],
    values: Sequence[np.ndarray],
) -> Assignments:
    kind = type(optimizer).__name__
    if kind not in SLOTS:
        raise _UnclearError(f"{kind} keeps another state today")
    slots = SLOTS[kind]
    paths = [name.partition(":")[0].split("/") for name in names]
    found: dict[str, list[tuple[list[str], np.ndarray]]] = {}
    for path, value in zip(paths, values, strict=True):
        found.setdefault(_slot(path, slots), []).append((path, value))
    if "" in found:
        return _counted(optimizer, weights, slots, values)
    scalars = _scalars(optimizer, found)
    state = {slots.names[key]: items for key, items in found.items() if key in slots.names}
    return [*scalars, *_slots(optimizer, weights, slots.names.values(), state)]


def _slot(path: Sequence[str], slots: Slots) -> str:
    """What an array is by its name: a slot, one of `SCALARS`, or `""`."""
    if path[-1] in slots.names:  # Adam/dense/kernel/m
        return path[-1]
    if path[-1] in SCALARS:
        return path[-1]
    for part in path[:2]:  # Adam/m/dense/kernel
        if part in slots.names:
            return part
    return ""


def _scalars(
    optimizer: Any, found: Mapping[str, Sequence[tuple[Sequence[str], np.ndarray]]]
) -> Assignments:
    """The number of steps; the optimizer's config has the other numbers."""
    scalars = []
    for key, items in found.items():
        if SCALARS.get(key) and len(items) == 1:
            scalars.append((step_counter(optimizer), items[0][1]))
    return scalars


def _slots(
    optimizer: Any,
    weights: Sequence[Variable],
    names: Iterable[str],
    state: Mapping[str, Sequence[tuple[Sequence[str], np.ndarray]]],
) -> Assignments:
    """The slots with their values, which are in the order of the weights."""
    assignments = []
    for slot in dict.fromkeys(names):
        variables = _variables_of(optimizer, slot)
        if not variables:
            continue  # an option that is off, whose state is empty
        items = state.get(slot, ())
        if len(items) != len(weights) or len(variables) != len(weights):
            raise _UnclearError(f"{len(items)} arrays of {slot} for {len(weights)} weights")
        for variable, weight, (path, value) in zip(variables, weights, items, strict=True):
            if path and weight.name not in path[-2:]:
                raise _UnclearError(f"{'/'.join(path)} where {weight.name} is expected")
            assignments.append((variable, value))
    if len(assignments) + _own_count(optimizer) != len(optimizer.variables):
        raise _UnclearError("the optimizer keeps more state than the file has")
    return assignments


def _variables_of(optimizer: Any, slot: str) -> list[Variable]:
    return [variable for variable in optimizer.variables if variable.name.endswith(f"_{slot}")]


def _own_count(optimizer: Any) -> int:
    """How many variables an optimizer has that belong to no weight."""
    return sum(variable.name in ("iteration", "learning_rate") for variable in optimizer.variables)


def _counted(
    optimizer: Any, weights: Sequence[Variable], slots: Slots, values: Sequence[np.ndarray]
) -> Assignments:
    """The state of Keras 1 and 2, where only the order says what an array is."""
    needed = {slot for slot in slots.order if _variables_of(optimizer, slot)}
    steps = (1,) if slots.counts_steps else (0, 1)
    ways = [
        (kinds, first)
        for kinds in range(1, len(slots.order) + 1)
        for first in steps
        if needed <= set(slots.order[:kinds]) and len(values) == first + kinds * len(weights)
    ]
    if len(ways) != 1:
        raise _UnclearError(f"{len(values)} arrays without names for {len(weights)} weights")
    kinds, first = ways[0]
    state = {}
    for number, slot in enumerate(slots.order[:kinds]):
        start = first + number * len(weights)
        state[slot] = [((), value) for value in values[start : start + len(weights)]]
    counted = [(step_counter(optimizer), value) for value in values[:first]]
    return [*counted, *_slots(optimizer, weights, slots.order, state)]
