"""A model's weights in the files of Keras 3."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, CheckWarning, StateError
from gazelle._core.identity import is_among, without
from gazelle._core.variable import Variable, views_of
from gazelle._formats import tensors
from gazelle._formats.h5 import LORA, TRAINING, WeightsFile, open_weights, write_weights
from gazelle._formats.keras_file import open_keras_file
from gazelle._formats.plain import encode
from gazelle._formats.sharded import ENDING, ShardedWeights, open_sharded, write_sharded
from gazelle.layers import Layer
from gazelle.layers._graph import Graph
from gazelle.layers._lora import LowRank, low_rank
from gazelle.layers._parts import own_weights
from gazelle.models._assets import warn_of_assets
from gazelle.models._legacy import is_legacy, load_legacy_weights
from gazelle.models._loading import load_from, moved_layers
from gazelle.models._paths import attribute_sublayers, keras_layers
from gazelle.optimizers._state import inner_optimizers


def require_built(model: Any, what: str) -> None:
    """Refuse a model without weights.

    Args:
        model: The model.
        what: What needs them, for the error text.

    Raises:
        StateError: The model is not built.
    """
    if not model.built:
        raise StateError(
            f"{what}: the model {model.name!r} is not built, so it has no weights yet.",
            expected="a built model",
            fix=(
                "give the input shape (Input(shape=...)), call model.build((None, ...)), or call"
                " it on data first"
            ),
        )


def save_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    max_shard_size: float | None = None,
    *,
    objects_to_skip: Sequence[Any] | None = None,
) -> None:
    """Write the weights and, when it is built, the optimizer's state.

    Args:
        model: The model.
        filepath: A path that ends in `.weights.h5`; in `.safetensors`, for the weights alone; or in
            `.weights.json`, if `max_shard_size` is given, for an index of several files beside it.
        overwrite: Whether to replace an existing file.
        max_shard_size: GiB of arrays per file, at most; None for one file.
        objects_to_skip: Layers of the model, or its optimizer, to leave out.

    Raises:
        ArgumentError: The path has another ending, or is there and `overwrite` is False; or an
            array is larger than `max_shard_size`; or objects are left out of a `.safetensors` file.
        StateError: The model is not built.
        OSError: Writing failed; an old file is unchanged.
    """
    path = _checked_path(os.fspath(filepath), max_shard_size)
    require_built(model, "save_weights")
    warn_of_assets(layers_by_path(model), path)
    skip = objects_to_skip or ()
    if path.endswith(tensors.ENDING):
        _check_no_skip(path, objects_to_skip)
        tensors.write_tensors(path, named_weights(model), overwrite=overwrite)
        return
    names = given_names(model)
    if max_shard_size is None:
        write_weights(path, state_tree(model, skip), overwrite=overwrite, names=names)
        return
    tree = saved_state(model, skip).tree()
    most = float(max_shard_size) * 2**30
    write_sharded(path, tree, most, overwrite=overwrite, names=names)


def _check_no_skip(path: str, objects_to_skip: Any) -> None:
    if objects_to_skip is not None:
        raise ArgumentError(
            "`objects_to_skip` only supports '.weights.h5' files.",
            received=path,
            fix="leave it out",
        )


def state_tree(model: Any, skip: Sequence[Any] = ()) -> dict[str, Any]:
    """What a file holds of a model, for `write_weights`; in a fit also the state of the fit.

    Args:
        model: The model.
        skip: Layers, or the optimizer, to leave out; the fit cannot be resumed then.
    """
    saved = saved_state(model, skip)
    tree = saved.tree()
    trainer = None if skip else getattr(model, "_trainer", None)
    fit = None if trainer is None else trainer.state_of_fit(saved.flat)
    if fit is not None:
        text, arrays = encode(fit)
        tree[TRAINING] = [np.frombuffer(text, np.uint8), *arrays]
    return tree


def _checked_path(path: str, max_shard_size: float | None) -> str:
    if max_shard_size is None and not path.endswith((".weights.h5", tensors.ENDING)):
        raise ArgumentError(
            "The filename must end in `.weights.h5` (or `.safetensors`).",
            received=path,
            fix=f"use {path.removesuffix('.h5')}.weights.h5",
        )
    if max_shard_size is None or path.endswith(ENDING):
        return path
    if not path.endswith(".weights.h5"):
        raise ArgumentError(
            "The filename must end in `.weights.json` when `max_shard_size` is specified.",
            received=path,
            fix=f"use {os.path.splitext(path)[0]}{ENDING}",
        )
    index = path.removesuffix(".h5") + ".json"
    warnings.warn(
        f"Weights in several files have an index that ends in .json: {index}.",
        CheckWarning,
        stacklevel=4,
    )
    return index


def load_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    skip_mismatch: bool = False,
    *,
    by_name: bool | None = None,
    allow_nonfinite: bool = False,
    objects_to_skip: Sequence[Any] | None = None,
) -> None:
    """Read the weights. If anything does not fit, nothing is changed.

    Raises:
        DataError: The file is missing, damaged, does not fit, or holds values that are not finite.
        ArgumentError: `by_name` for a file whose layers are not named, or `objects_to_skip` for a
            file of another kind.
        StateError: The model is not built.
    """
    require_built(model, "load_weights")
    if is_legacy(filepath):
        _check_no_skip(os.fspath(filepath), objects_to_skip)
        load_legacy_weights(
            model,
            filepath,
            by_name=bool(by_name),
            skip_mismatch=skip_mismatch,
            allow_nonfinite=allow_nonfinite,
        )
        return
    if by_name is not None:
        raise ArgumentError(
            "`by_name` only supports loading legacy '.h5' or '.hdf5' files.",
            received=os.fspath(filepath),
            fix="leave it out",
        )
    if os.fspath(filepath).endswith(tensors.ENDING):
        _check_no_skip(os.fspath(filepath), objects_to_skip)
        named = {name: [variable] for name, variable in named_weights(model).items()}
        with tensors.open_tensors(filepath) as file:
            load_from(file, named, skip_mismatch=skip_mismatch, allow_nonfinite=allow_nonfinite)
        return
    skip = objects_to_skip or ()
    state = saved_state(model, skip)
    skipped = layers_by_path(model).keys() - layers_by_path(model, skip).keys()
    with open_by_name(filepath) as weights:
        load_from(
            weights,
            state.variables,
            state.loaders,
            moved=moved_layers(weights.names(), given_names(model)),
            skip_mismatch=skip_mismatch,
            optional=("optimizer", *skipped),
            allow_nonfinite=allow_nonfinite,
        )


@contextmanager
def open_by_name(filepath: str | os.PathLike[str]) -> Iterator[WeightsFile | ShardedWeights]:
    """Open the weights in a file of any kind, which its name says."""
    path = os.fspath(filepath)
    if path.endswith(".keras"):
        with open_keras_file(path) as file:
            yield file.weights
    elif path.endswith(ENDING):
        with open_sharded(path) as weights:
            yield weights
    else:
        with open_weights(path) as weights:
            yield weights


@dataclass(frozen=True)
class SavedState:
    """What a file holds of a model, by paths in the file.

    Args:
        variables: The variables of the layers, and of the optimizer if it is built.
        layers: The layers that save and load their state themselves.
        additions: Those of layers with LoRA, whose weight in `variables` is the sum in a file.
    """

    variables: dict[str, list[Variable]]
    layers: dict[str, Layer]
    additions: dict[str, LowRank]

    @property
    def flat(self) -> list[Variable]:
        """All variables, but not those of `layers`."""
        parts = [part for addition in self.additions.values() for part in (addition.a, addition.b)]
        return [variable for found in self.variables.values() for variable in found] + parts

    @property
    def _themselves(self) -> dict[str, Layer | LowRank]:
        """What saves and loads itself."""
        low_rank = {f"{path}/{LORA}".lstrip("/"): one for path, one in self.additions.items()}
        return {**self.layers, **low_rank}

    def tree(self) -> dict[str, Any]:
        """The values, for `write_weights`."""
        stores: dict[str, dict[str, Any]] = {path: {} for path in self._themselves}
        for path, one in self._themselves.items():
            one.save_own_variables(stores[path])
        own: dict[str, list[Any]] = {
            path: views_of(variables) for path, variables in self.variables.items()
        }
        for path, addition in self.additions.items():
            place = next(i for i, v in enumerate(self.variables[path]) if v is addition.weight)
            own[path][place] = addition.merged()
        return {**own, **stores}

    @property
    def loaders(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """The methods that load what saves itself."""
        return {path: one.load_own_variables for path, one in self._themselves.items()}


def saved_state(model: Any, skip: Sequence[Any] = ()) -> SavedState:
    """What a file holds of a model.

    Args:
        model: The model.
        skip: Layers, or the optimizer, to leave out.
    """
    layers = layers_by_path(model, skip)
    themselves = {path: layer for path, layer in layers.items() if _saves_itself(layer)}
    variables = {
        path: list(own_weights(layer)) for path, layer in layers.items() if path not in themselves
    }
    additions = {path: low_rank(layers[path]) for path in variables}
    additions = {path: one for path, one in additions.items() if one is not None}
    for path, one in additions.items():
        variables[path] = without(variables[path], [one.a, one.b])
    optimizer = optimizer_of(model)
    if optimizer is not None and optimizer.built and not is_among(optimizer, skip):
        variables |= optimizer_variables(optimizer)
    variables = {path: found for path, found in variables.items() if found}
    return SavedState(variables, themselves, additions)


def optimizer_of(model: Any) -> Any:
    """The optimizer of a model; None where there is none, as of a `FeatureSpace`."""
    return getattr(model, "optimizer", None)


def optimizer_variables(optimizer: Any, path: str = "optimizer") -> dict[str, list[Variable]]:
    """The variables of an optimizer and of those within it, by their paths in a file.

    As in Keras's files, an optimizer's variables are those of the optimizers within it, too.
    """
    found = {path: list(optimizer.variables)}
    for name, inner in inner_optimizers(optimizer).items():
        found |= optimizer_variables(inner, f"{path}/{name}")
    return found


def layers_by_path(model: Any, skip: Sequence[Any] = ()) -> dict[str, Layer]:
    """A model and its layers by their paths in a file, but not those in `skip`."""
    return keras_layers(model, _sublayers, skip)


def given_names(model: Any) -> dict[str, str]:
    """The names that users gave to layers, by the layers' paths in a file.

    Automatic names are left out: the same model made twice in a program has others.
    """
    layers = layers_by_path(model).items()
    return {path: layer.name for path, layer in layers if path and not _is_automatic(layer, path)}


def _is_automatic(layer: Layer, path: str) -> bool:
    """Whether a name is made of the name of the class, as a path is."""
    kind = re.sub(r"_\d+$", "", path.split("/")[-1])
    return re.fullmatch(re.escape(kind) + r"(_\d+)?", layer.name) is not None


def named_weights(model: Any) -> dict[str, Variable]:
    """The weights by names for people: `dense/kernel`, `inner/dense_1/bias`.

    Raises:
        StateError: A layer saves its state itself, so its weights may not be all of it.
    """
    layers = layers_by_path(model)
    named: dict[str, Variable] = {}
    names = {"": ""}  # of the layers, by their paths, with a slash at the end
    for path, layer in layers.items():
        if path:
            within = max((p for p in names if not p or path.startswith(f"{p}/")), key=len)
            names[path] = f"{names[within]}{layer.name}/"
        if _saves_itself(layer):
            raise StateError(
                f"The layer {layer.name!r} saves its state itself, which a .safetensors file cannot"
                " hold.",
                expected="layers whose state is in their weights",
                received=f"save_own_variables in {type(layer).__name__}",
                fix="use a path that ends in .weights.h5",
            )
        for variable in own_weights(layer):
            name = names[path] + variable.name
            number = 1
            while name in named:
                number += 1
                name = f"{names[path]}{variable.name}_{number}"
            named[name] = variable
    return named


def _saves_itself(layer: Layer) -> bool:
    kind = type(layer)
    return (
        kind.save_own_variables is not Layer.save_own_variables
        or kind.load_own_variables is not Layer.load_own_variables
    )


def _sublayers(layer: Any) -> Sequence[Any] | Mapping[str, Any] | None:
    if isinstance(getattr(layer, "_graph", None), Graph):  # a model; others have no such attribute
        return layer._graph_layers()
    return attribute_sublayers(layer, lambda value: isinstance(value, Layer))
