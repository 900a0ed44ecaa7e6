"""A config and its weights, compiled into a flat list of steps on numbered values.

Each step is also run once on inputs of 0 rows, which costs nothing. So all shapes are known, and
what does not match is found when the file is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gazelle._core.errors import DataError, reason, short
from gazelle._formats.h5 import LORA
from gazelle.runtime._configs import (
    ELSEWHERE,
    MODELS,
    Entry,
    Key,
    Place,
    Source,
    check_known,
    dtype_of,
    flat,
    groups,
    inputs_of,
    key_of,
    map_places,
    map_structure,
    output_places,
    unlisted,
)
from gazelle.runtime._layers import KEEPS_DTYPE, LAYERS, same
from gazelle.runtime._masks import TAKING, USING, masked_merging, output_mask
from gazelle.runtime._merging import MERGING
from gazelle.runtime._operators import (
    TENSOR,
    bound,
    constant,
    is_operator,
    keeps_rows_apart,
    narrowed,
)
from gazelle.runtime._sequences import reversible_embedding
from gazelle.runtime._weights import Weights

_MOST_CALLS = 100_000  # models within models may repeat calls without end
_ANY = 3  # the size that is tried for axes of any size


class Slot(int):
    """The number of a value; another class than `int`, so that constants are not taken for it."""


@dataclass(frozen=True)
class Step:
    """`values[target] = function(*(values[source] for source in sources))`."""

    function: Callable[..., np.ndarray]
    sources: tuple[int, ...]
    target: int


class Program:
    """What a model computes.

    Args:
        entry: The config of the model, `{"class_name", "config", ...}`.
        arrays: Group path -> arrays.

    Attributes:
        inputs: The structure of the inputs: a `Source`, or lists and dicts of them.
        outputs: The structure of the outputs: slots.
        steps: The steps in order. The inputs are in slots 0, 1, ..., the results follow.
        slots: The number of slots.
        shared: The places among the outputs of those that may share memory with an input or another
            output.
        widest: The most numbers per row of a value; of values with a known shape.
        rows_apart: Whether each row of the outputs depends only on the same row of the inputs.

    Raises:
        DataError: The config is damaged or names something unknown, or the weights do not match it.
    """

    def __init__(self, entry: Entry, arrays: dict[str, list[np.ndarray]]):
        check_known(entry)
        self.steps: list[Step] = []
        self.rows_apart = True
        self._arrays = arrays
        self._calls = 0
        self._used: set[str] = set()
        self._samples: list[np.ndarray | None] = []
        self._masks: dict[Slot, Slot] = {}  # of values that have one
        self._groups = dict(groups(entry, (), "", set()))
        self.inputs = unlisted(inputs_of(entry))
        if self.inputs is None:
            raise DataError(
                "The config has no shape of the input.",
                expected="an Input, or the config of a model that was built",
                fix="build the model before it is saved",
            )
        self._has_any_size = any(None in source.shape[1:] for source in flat(self.inputs))
        slots = map_structure(self._add_input, self.inputs)
        self.outputs = self._model(entry, (), slots)
        self._leave_out_unused()
        self.slots = len(self._samples)
        self.shared = self._find_shared()
        known = [sample for sample in self._samples if sample is not None]
        self.widest = max(math.prod(sample.shape[1:]) for sample in known)
        self._check_all_used()

    # ---- Values ----

    def _add_input(self, source: Source) -> Slot:
        sizes = [_ANY if n is None else n for n in source.shape[1:]]
        self._samples.append(np.zeros((0, *sizes), source.dtype))
        return Slot(len(self._samples) - 1)

    def _add(
        self, label: str, function: Callable[..., np.ndarray], sources: tuple[Slot, ...]
    ) -> Slot:
        """Add a step, try it on 0 rows, and return its slot."""
        if function is same:
            return sources[0]
        target = Slot(len(self._samples))
        self.steps.append(Step(function, sources, target))
        samples = [self._samples[source] for source in sources]
        known = [sample for sample in samples if sample is not None]
        self._samples.append(
            self._tried(label, function, known) if len(known) == len(samples) else None
        )
        return target

    def _tried(self, label: str, function: Any, samples: list[np.ndarray]) -> np.ndarray | None:
        try:
            with np.errstate(all="ignore"):
                return function(*samples)
        except (ValueError, TypeError, IndexError, OverflowError, MemoryError) as error:
            if self._has_any_size:
                return None  # it may fit other sizes than the one that was tried
            shapes = ", ".join(str((None, *sample.shape[1:])) for sample in samples)
            raise DataError(
                f"{label} cannot be computed as the config says.",
                expected="inputs that match the layer",
                received=f"shapes {shapes}: {reason(error)}",
                fix="save the model again",
            ) from None

    def _cast(self, slot: Slot, dtype: np.dtype) -> Slot:
        sample = self._samples[slot]
        if sample is not None and sample.dtype == dtype:
            return slot
        converted = self._add("A conversion", lambda x: x.astype(dtype, copy=False), (slot,))
        self._set_mask("A conversion", converted, self._masks.get(slot))
        return converted

    def _leave_out_unused(self) -> None:
        """Drop the steps that no output needs, such as masks that no layer uses."""
        needed = set(flat(self.outputs))
        for step in reversed(self.steps):
            if step.target in needed:
                needed.update(step.sources)
        self.steps = [step for step in self.steps if step.target in needed]

    def _find_shared(self) -> list[int]:
        owners = [_owner(self._samples[place]) for place in range(len(flat(self.inputs)))]
        found = []
        for place, slot in enumerate(flat(self.outputs)):
            owner = _owner(self._samples[slot])
            if owner is None or any(owner is other for other in owners):
                found.append(place)
            owners.append(owner)
        return found

    def _check_all_used(self) -> None:
        for group, found in self._arrays.items():
            owner, _, last = group.rpartition("/")
            is_addition = last == LORA and owner in self._used  # which the layer's weight includes
            if group in self._used or is_addition or group.partition("/")[0] == "optimizer":
                continue
            shapes = ", ".join(str(array.shape) for array in found)
            raise DataError(
                "The file has weights that no layer of the config takes.",
                expected=f"weights of {', '.join(sorted(self._used)[:8]) or 'no layer'}",
                received=f"also {short(group) or 'the model itself'}: arrays of shape {shapes}",
                fix="load the weights that were saved with this config",
            )

    # ---- Models ----

    def _model(self, entry: Entry, key: Key, inputs: Any) -> Any:
        """The slots of a model's outputs, for the slots of its inputs."""
        config, wanted = entry["config"], inputs_of(entry)
        if wanted is not None:
            inputs = self._entered(config["name"], wanted, inputs)
        if entry["class_name"] == "Sequential":
            for inner in config["layers"]:
                if inner["class_name"] != "InputLayer":
                    inputs = self._call(inner, key_of(inner, key), [inputs], {})
            return inputs
        places: list[Place] = []
        map_places(places.append, config["input_layers"])
        tensors = dict(zip(places, flat(inputs), strict=True))
        calls = [
            (inner, number, call)
            for inner in config["layers"]
            for number, call in enumerate(inner["inbound_nodes"])
        ]
        self._make_calls(calls, key, tensors)
        return unlisted(map_structure(lambda place: tensors[place], output_places(config)))

    def _make_calls(
        self, calls: list[tuple[Entry, int, Entry]], key: Key, tensors: dict[Place, Slot]
    ) -> None:
        """Add the calls of a functional model, each after those that it needs."""
        while calls:
            waiting = []
            for inner, number, call in calls:
                name = inner["config"]["name"]
                try:
                    args, kwargs = (_decoded(call[part], tensors) for part in ("args", "kwargs"))
                except _NotYetError:
                    waiting.append((inner, number, call))
                    continue
                outputs = self._call(inner, key_of(inner, key), args, kwargs)
                for index, slot in enumerate(flat(outputs)):
                    tensors[name, number, index] = slot
            if len(waiting) == len(calls):
                names = ", ".join(str(inner["config"]["name"]) for inner, _, _ in waiting)
                raise DataError(
                    "The config is damaged: some calls need tensors that nothing gives.",
                    received=short(names),
                )
            calls = waiting

    def _entered(self, model: str, wanted: Any, given: Any) -> Any:
        """The slots of a model's inputs, with the rank and the dtype of its `Input`s."""
        sources = flat(wanted)
        if isinstance(given, dict):
            keys = sorted(wanted) if isinstance(wanted, dict) else [s.name for s in sources]
            slots = [given[key] for key in keys]
        else:
            slots = flat(given)
        if len(slots) != len(sources):
            raise DataError(
                f"The config is damaged: the model {short(model, 60)!r} is called with the wrong"
                " number of inputs.",
                expected=len(sources),
                received=len(slots),
            )
        label = f"The input of the model {short(model, 60)!r}"
        entered = iter(
            [self._fitted(label, source, slot) for source, slot in zip(sources, slots, strict=True)]
        )
        return map_structure(lambda source: next(entered), wanted)

    def _fitted(self, label: str, source: Source, slot: Slot) -> Slot:
        slot = self._cast(slot, source.dtype)
        sample, mask = self._samples[slot], self._masks.get(slot)
        if sample is None:
            return slot
        if sample.ndim == len(source.shape) - 1 and source.shape[-1] == 1:
            slot = self._add(label, lambda x: x[..., None], (slot,))
        elif sample.ndim == len(source.shape) + 1 and sample.shape[-1] == 1:
            slot = self._add(label, lambda x: np.squeeze(x, -1), (slot,))
        self._set_mask(label, slot, mask)
        sample = self._samples[slot]
        if sample is None or self._has_any_size or fits(sample.shape, source.shape):
            return slot
        raise DataError(
            f"{label} has another shape than the config says.",
            expected=source.shape,
            received=(None, *sample.shape[1:]),
        )

    # ---- Calls ----

    def _call(self, entry: Entry, key: Key, args: list[Any], kwargs: Mapping[str, Any]) -> Any:
        """Add a call of a layer, a model or an operator; returns the slots of its outputs."""
        kind, config = entry["class_name"], entry["config"]
        self._calls += 1
        if self._calls > _MOST_CALLS:
            raise DataError("The model has too many layers.", expected=f"{_MOST_CALLS:,} calls")
        if is_operator(entry):
            return self._operator(kind, config, [*args, *kwargs.values()])
        group = self._groups[key]
        label = f"The layer {short(config['name'], 60)!r} ({kind}, {group})"
        given = _mask(label, kind, args, kwargs)
        masks = [self._masks.get(slot) for slot in flat(args[0])] if given is None else flat(given)
        if kind in MODELS:
            self._masks |= {
                slot: mask for slot, mask in zip(flat(args[0]), masks, strict=False) if mask
            }
            return self._model(entry, key, args[0])
        if isinstance(args[0], list) != (kind in MERGING):
            raise DataError(
                f"{label} is called on the wrong number of inputs.",
                expected="a list" if kind in MERGING else "one tensor",
                received="a list" if isinstance(args[0], list) else "one tensor",
            )
        dtype, slots = dtype_of(entry), flat(args[0])
        samples = [self._samples[slot] for slot in slots]
        kinds = {"f" if sample is None else sample.dtype.kind for sample in samples}
        if kind not in KEEPS_DTYPE or "f" in kinds:
            slots = [self._cast(slot, dtype) for slot in slots]
        sample = self._samples[slots[0]]
        shape = None if sample is None else sample.shape
        weights = Weights(label, self._arrays, group, dtype, shape, self._used)
        if kwargs.get("reverse") is True:
            function = reversible_embedding(config, weights, reverse=True)
        else:
            function = LAYERS[kind](config, weights)
        if shape is None or len(shape) < 2 or _uses_batch_axis(config, len(shape)):
            self.rows_apart = False
        used = [mask for mask in masks if mask is not None] if kind in USING else []
        if used and kind in MERGING:
            function = masked_merging(kind, function, masks)
        target = self._add(label, function, (*slots, *used))
        if kwargs.get("reverse") is not True:
            self._set_mask(label, target, output_mask(kind, config, flat(args[0]), masks))
        return target

    def _set_mask(self, label: str, target: Slot, mask: Any) -> None:
        """Let a value have a mask: a slot, or a function and the slots of its arguments."""
        if isinstance(mask, tuple):
            function, sources = mask
            mask = self._add(f"{label}: its mask", function, tuple(sources))
        if mask is not None:
            self._masks[target] = mask

    def _operator(self, kind: str, config: Entry, args: list[Any]) -> Slot:
        label = f"The operator {short(config['name'], 60)!r} ({kind})"
        slots = tuple(arg for arg in flat(args) if isinstance(arg, Slot))
        arguments = [_argument(arg, index=kind == "GetItem") for arg in args]
        options = {key: value for key, value in config.items() if key != "name"}
        function = bound(kind, arguments, options)
        known = [sample for slot in slots if (sample := self._samples[slot]) is not None]
        if not any(sample.dtype == np.float64 for sample in known):
            function = narrowed(function)
        ranks = [sample.ndim for sample in known]
        if len(known) < len(slots) or not keeps_rows_apart(kind, arguments, ranks):
            self.rows_apart = False
        return self._add(label, function, slots)


def fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether a shape matches that of an input, in which None is any size, as is the batch axis."""
    return len(shape) == len(wanted) and all(
        size in (None, found) for found, size in zip(shape[1:], wanted[1:], strict=True)
    )


def _argument(arg: Any, *, index: bool) -> Any:
    """An argument of an operator: a place for a tensor, a list with such places, or a constant."""
    if isinstance(arg, Slot):
        return TENSOR
    if isinstance(arg, list) and any(isinstance(item, Slot) for item in arg):
        return [_argument(item, index=index) for item in arg]
    return constant(arg, index=index)


class _NotYetError(Exception):
    """A tensor is not there yet."""


def _decoded(config: Any, tensors: Mapping[Place, Slot]) -> Any:
    """The arguments of a call, with slots for tensors; constants stay configs."""
    if isinstance(config, list):
        return [_decoded(item, tensors) for item in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config:
        return {key: _decoded(value, tensors) for key, value in config.items()}
    if config["class_name"] != "__keras_tensor__":
        return config
    place = tuple(config["config"]["keras_history"])
    if place not in tensors:
        raise _NotYetError
    return tensors[place]


def _mask(label: str, kind: str, args: list[Any], kwargs: Mapping[str, Any]) -> Any:
    """The masks that a layer is called with; None for none. Other arguments are refused."""
    given = {**{f"argument {n}": arg for n, arg in enumerate(args[1:], 2)}, **kwargs}
    mask = None
    for name, value in given.items():
        leaves = flat(value)
        is_absent = all(leaf is None for leaf in leaves)
        if is_absent or (name == "training" and value is False):
            continue
        is_mask = name in ("mask", "argument 2") and all(
            leaf is None or isinstance(leaf, Slot) for leaf in leaves
        )
        if is_mask and (kind in TAKING or kind in MODELS):
            mask = value
        elif not (kind == "ReversibleEmbedding" and name == "reverse" and value in (True, False)):
            raise DataError(
                f"{label} is called with {name}={short(value, 60)}.",
                expected="inputs alone",
                fix=ELSEWHERE,
            )
    return mask


def _uses_batch_axis(config: Mapping[str, Any], ndim: int) -> bool:
    """Whether a layer, or the layer that is its activation, works along axis 0."""
    axis = config.get("axis", -1)
    if any(one % ndim == 0 for one in (axis if isinstance(axis, list) else [axis])):
        return True
    activation = config.get("activation")
    return isinstance(activation, dict) and _uses_batch_axis(activation["config"], ndim)


def _owner(array: np.ndarray | None) -> np.ndarray | None:
    """The array whose memory an array uses."""
    while array is not None and isinstance(array.base, np.ndarray):
        array = array.base
    return array
