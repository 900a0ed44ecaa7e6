"""Whole models and weights in the old `.h5` files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import gazelle
from gazelle import losses, metrics
from gazelle._core.errors import ArgumentError, CheckWarning, ModelFileError, StateError
from gazelle._core.registry import get_custom_objects, serialize
from gazelle._core.variable import Variable, views_of
from gazelle._formats.legacy_h5 import (
    OPTIMIZER,
    TOP_LEVEL,
    LegacyFile,
    is_legacy_name,
    named,
    open_legacy,
    write_legacy,
)
from gazelle._formats.old_configs import OldConfigs, weight_name
from gazelle.layers import Layer
from gazelle.layers._parts import own_weights
from gazelle.metrics._resolve import is_accuracy, is_crossentropy
from gazelle.models._legacy_optimizer import optimizer_state
from gazelle.models._loading import load_from, match

_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class LegacyModel:
    """A whole model in an open file, like a `KerasFile`.

    Args:
        label: The file, for messages.
        config: The config of the model, in the form of Keras 3.
        metadata: The version of Keras that wrote it.
        weights: The open file.
    """

    label: str
    config: dict[str, Any]
    metadata: dict[str, Any]
    weights: LegacyFile
    config_name: ClassVar[str] = "model_config"


def is_legacy(file: str | os.PathLike[str] | BinaryIO) -> bool:
    """Whether a file is to be read as an old one: by its name, or by what a file object holds."""
    if isinstance(file, str | os.PathLike):
        return is_legacy_name(os.fspath(file)) and not os.path.isdir(file)
    start = file.read(len(_HDF5))
    file.seek(0)
    return start == _HDF5


@contextmanager
def open_legacy_model(
    path: str | os.PathLike[str] | BinaryIO, custom_objects: dict[str, Any], compile: bool
) -> Iterator[LegacyModel]:
    """Open a whole model.

    Args:
        path: The file, or a seekable binary file object.
        custom_objects: The user's classes and functions by name.
        compile: Whether the arguments of `compile` are wanted.

    Raises:
        ModelFileError: The file does not exist, is damaged, or is not a whole model.
    """
    with open_legacy(path) as file:
        config = file.config()
        if config is None:
            raise ModelFileError(
                "h5-missing",
                file=file.label,
                where="model_config",
                found="weights alone, without a config",
                expected="a whole model",
                fix="build the model and call load_weights",
            )
        training = file.config("training_config") if compile else None
        known = {**get_custom_objects(), **custom_objects}
        modern = OldConfigs(file.label, file.version, known).model(config, training)
        yield LegacyModel(file.label, modern, {"keras_version": file.version}, file)


def load_legacy_state(model: Any, source: LegacyModel, allow_nonfinite: bool) -> None:
    """Load weights and optimizer state of a whole model, all or nothing.

    Raises:
        ModelFileError: The weights are not those of the model, or not finite.
    """
    file = source.weights
    if not model.built and any(file.keys.values()):
        raise ModelFileError(
            "h5-mismatch",
            file=file.label,
            where=source.config_name,
            found="weights, but no shape of the input",
            expected="a model that can be built",
            fix="build the model yourself and call load_weights",
        )
    pairs = _by_name(model, file)
    if pairs is None:
        # Layers without names in the config, and those of a user's own model, are counted.
        if all(_name_of(entry) for entry in source.config["config"].get("layers", [{}])):
            raise _mismatch(file, "layer_names", ", ".join(file.layers))
        pairs = _in_order(model, file)
    variables = _variables(model, file, pairs)
    matches = match(file, variables, {}, (OPTIMIZER,))
    for group, problem in matches.problems.items():
        raise _mismatch(file, group, problem)
    state, problem = optimizer_state(model, file)
    matches.assignments.extend(state)
    if not allow_nonfinite:
        matches.check_finite(file.label)
    matches.assign()
    if problem:
        warnings.warn(
            f"{file.label}: skipped the state of the optimizer, which starts fresh: {problem}.",
            CheckWarning,
            stacklevel=4,
        )


def load_legacy_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    *,
    by_name: bool = False,
    skip_mismatch: bool = False,
    allow_nonfinite: bool = False,
) -> None:
    """Load the weights of a whole model, or of an old file of weights alone.

    Args:
        model: The model.
        filepath: The file.
        by_name: Whether layers get the weights of layers with the same name, and all others keep
            theirs; otherwise the layers with weights are counted.
        skip_mismatch: Whether to skip layers that do not match, with a warning.
        allow_nonfinite: Whether weights may be NaN or infinite.

    Raises:
        DataError: The file is damaged or does not match the model; nothing is changed.
    """
    with open_legacy(filepath) as file:
        optional = [OPTIMIZER]
        if by_name:
            layers = {layer.name: layer for layer in model.layers}
            pairs = [(group, layers.get(name)) for name, group in file.layers.items()]
            optional += [group for group, layer in pairs if layer is None]
            pairs = [(group, layer) for group, layer in pairs if layer is not None]
        else:
            pairs = _in_order(model, file)
        _warn_of_names(file, pairs, by_name)
        variables = _variables(model, file, pairs)
        if by_name and file.top_level() is None:
            optional.append(TOP_LEVEL)
        load_from(
            file,
            variables,
            skip_mismatch=skip_mismatch,
            optional=optional,
            allow_nonfinite=allow_nonfinite,
        )


def _warn_of_names(file: LegacyFile, pairs: Sequence[tuple[str, Layer]], by_name: bool) -> None:
    """Warn where names say that the layers are not those that the user means."""
    names = {group: name for name, group in file.layers.items()}
    in_file = [names.get(group, "") for group, _ in pairs]
    in_model = [layer.name for _, layer in pairs]
    if by_name and not pairs:
        text = "no layer of the model has the name of a layer in the file, so nothing is loaded"
    elif in_file != in_model and sorted(in_file) == sorted(in_model):
        text = "the layers have the same names in another order; pass by_name=True to go by names"
    else:
        return
    warnings.warn(f"{file.label}: {text}.", CheckWarning, stacklevel=5)


# ---- Which weights belong to which layer ----

Pairs = list[tuple[str, Layer]]  # groups of the file and layers of the model


def _with_weights(model: Any) -> list[Layer]:
    return [layer for layer in model.layers if layer.weights]


def _name_of(entry: dict[str, Any]) -> Any:
    return entry.get("config", {}).get("name")


def _by_name(model: Any, file: LegacyFile) -> Pairs | None:
    """Groups and layers of the same names; None if the names differ."""
    groups = {name: group for name, group in file.layers.items() if file.keys[group]}
    layers = {layer.name: layer for layer in _with_weights(model)}
    return [(groups[n], layers[n]) for n in groups] if set(groups) == set(layers) else None


def _in_order(model: Any, file: LegacyFile) -> Pairs:
    """Groups and layers that have weights, counted.

    Raises:
        ModelFileError: There is not the same number of them.
    """
    groups = [group for group in file.layers.values() if file.keys[group]]
    layers = _with_weights(model)
    if len(groups) != len(layers):
        found = f"{len(groups)} layers with weights"
        raise _mismatch(file, "layer_names", found, f"the {len(layers)} of the model")
    return list(zip(groups, layers, strict=True))


def _mismatch(
    file: LegacyFile, where: str, found: str, expected: str = "the weights of the model"
) -> ModelFileError:
    return ModelFileError(
        "h5-mismatch",
        file=file.label,
        where=where,
        found=found,
        expected=expected,
        fix="get the file again, or load it into its own model",
    )


def _variables(model: Any, file: LegacyFile, pairs: Pairs) -> dict[str, list[Variable]]:
    """Group -> variables in the order of the file."""
    variables = {group: _in_order_of(layer, file, group) for group, layer in pairs}
    return {**variables, file.top_level() or TOP_LEVEL: own_weights(model)}


def _in_order_of(layer: Layer, file: LegacyFile, group: str) -> list[Variable]:
    """The variables of a layer in the order of the file, as far as names tell.

    Raises:
        ModelFileError: The names in the file are those of the layer in another order.
    """
    usual = [*layer.trainable_weights, *layer.non_trainable_weights]
    # A frozen model within a model of Keras 2 had this order.
    other = sorted(layer.weights, key=lambda variable: not variable.trained_by_layer)
    paths = [weight_name(name) for name in file.keys[group]]
    for order in (usual, other):
        if [_path(variable) for variable in order] == paths:
            return order
    # The layers of a model within the model may be in another order.
    known = {_path(variable): variable for variable in usual}
    if isinstance(layer, gazelle.Model) and len(known) == len(usual) and set(known) == set(paths):
        return [known[path] for path in paths]
    # Names of layers may differ, those of weights not.
    bases = [path[-1] for path in paths]
    for order in (usual, other):
        if [variable.name for variable in order] == bases:
            return order
    if sorted(bases) == sorted(variable.name for variable in usual):
        found = f"weights in the order {', '.join(bases)}"
        raise _mismatch(file, group, found, ", ".join(variable.name for variable in usual))
    return usual


def _path(variable: Variable) -> tuple[str, str]:
    """The names of a weight's layer and of the weight."""
    return weight_name(variable.path)


# ---- Writing ----


def save_legacy_model(
    model: Any, path: str, *, overwrite: bool, include_optimizer: bool, own_state: Sequence[Layer]
) -> None:
    """Write a whole model, which Keras 3 opens too, with a warning that the format is old.

    Args:
        model: The model.
        path: The file.
        overwrite: Whether to replace an existing file.
        include_optimizer: Whether to write the arguments of `compile` and the optimizer's state.
        own_state: The layers that save their state themselves, for which there is no place.

    Raises:
        StateError: A layer saves its state itself.
        ArgumentError: The file exists and `overwrite` is False, or a name cannot be written.
    """
    for layer in own_state:
        raise StateError(
            f"The layer {layer.name!r} saves its state itself, which a .h5 file cannot hold.",
            expected="layers whose state is in their weights",
            received=f"save_own_variables in {type(layer).__name__}",
            fix="use a path that ends in .keras",
        )
    _check_names(model)
    warnings.warn(
        f"{path}: .h5 files are an old format of Keras. Save to a path that ends in .keras: it is"
        " verified, and holds more.",
        CheckWarning,
        stacklevel=4,
    )
    config = serialize(model)
    compiled = config.pop("compile_config", None)
    optimizer = model.optimizer if include_optimizer and compiled else None
    write_legacy(
        path,
        config,
        None if optimizer is None else _training_config(compiled),
        {layer.name: _weights(layer) for layer in model.layers},
        _named_arrays(own_weights(model)),
        {} if optimizer is None else _named_arrays(optimizer.variables),
        writer=f"gazelle {gazelle.__version__}",
        overwrite=overwrite,
    )


def save_legacy_weights(model: Any, path: str, *, overwrite: bool = True) -> None:
    """Write the weights alone, as Keras 2 did; `load_legacy_weights` reads them.

    Args:
        model: The model.
        path: The file, whatever its name ends in.
        overwrite: Whether to replace an existing file.

    Raises:
        ArgumentError: The file exists and `overwrite` is False, or a name cannot be written.
    """
    _check_names(model)
    write_legacy(
        path,
        None,
        None,
        {layer.name: _weights(layer) for layer in model.layers},
        _named_arrays(own_weights(model)),
        {},
        writer=f"gazelle {gazelle.__version__}",
        overwrite=overwrite,
    )


def _check_names(model: Any) -> None:
    names = [layer.name for layer in model.layers]
    if len(set(names)) < len(names):
        raise ArgumentError(
            "Two layers have the same name, so a .h5 file cannot tell their weights apart.",
            received=max(names, key=names.count),
            fix="give one of them another name, or use a path that ends in .keras",
        )


def _weights(layer: Layer) -> dict[str, Any]:
    return _named_arrays([*layer.trainable_weights, *layer.non_trainable_weights])


def _named_arrays(variables: Sequence[Variable]) -> dict[str, Any]:
    return named(views_of(variables), [variable.path for variable in variables])


def _training_config(compiled: Any) -> dict[str, Any]:
    """The arguments of `compile` in a form that Keras 3 can read again.

    It cannot read the short names that it writes, such as "mse".
    """
    config = {key: value for key, value in compiled.items() if key != "optimizer"}
    config["loss"] = _spelled_out(config["loss"], _loss)
    for key in ("metrics", "weighted_metrics"):
        config[key] = _spelled_out(config[key], _metric)
    optimizer = compiled["optimizer"]
    return {**config, "optimizer_config": optimizer}


def _spelled_out(value: Any, spell: Any) -> Any:
    if isinstance(value, str):
        return spell(value)
    if isinstance(value, list):
        return [_spelled_out(item, spell) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _spelled_out(item, spell) for key, item in value.items()}
    return value


def _loss(name: str) -> Any:
    return name if name in get_custom_objects() else serialize(losses.get(name))


def _metric(name: str) -> Any:
    """A metric as an object that has the name by which the user knows it."""
    if name in get_custom_objects() or is_accuracy(name) or is_crossentropy(name):
        return name
    config = serialize(metrics.get(name))
    if isinstance(config, dict) and "class_name" in config and isinstance(config["config"], dict):
        config["config"]["name"] = name
    return config
