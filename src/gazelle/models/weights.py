"""A model's weights as a `.weights.h5` file in Keras 3's layout."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.variable import Variable
from gazelle._formats.h5 import open_weights, write_weights
from gazelle._formats.keras_file import KerasFile, open_keras_file
from gazelle.layers import Layer
from gazelle.layers.parts import own_weights
from gazelle.models.loading import load_from
from gazelle.models.paths import attribute_sublayers, keras_layers
from gazelle.models.trainable import Trainable


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


def save_weights(model: Any, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write the weights and, when it is built, the optimizer's state.

    Raises:
        ArgumentError: The path does not end in `.weights.h5`, or is there and `overwrite` is False.
        StateError: The model is not built.
    """
    path = os.fspath(filepath)
    if not path.endswith(".weights.h5"):
        raise ArgumentError(
            "The filename must end in `.weights.h5`.",
            received=path,
            fix=f"use {path.removesuffix('.h5')}.weights.h5",
        )
    require_built(model, "save_weights")
    write_weights(path, saved_state(model).tree(), overwrite=overwrite)


def load_weights(model: Any, filepath: str | os.PathLike[str], skip_mismatch: bool = False) -> None:
    """Read the weights. If anything does not fit, nothing is changed.

    Raises:
        DataError: The file is missing, damaged or does not fit.
        StateError: The model is not built.
    """
    require_built(model, "load_weights")
    state = saved_state(model)
    open_file = open_keras_file if os.fspath(filepath).endswith(".keras") else open_weights
    with open_file(filepath) as file:
        weights = file.weights if isinstance(file, KerasFile) else file
        load_from(weights, state.variables, state.loaders, skip_mismatch=skip_mismatch)


@dataclass(frozen=True)
class SavedState:
    """What a file holds of a model, by paths in the file.

    Args:
        variables: The variables of the layers, and of the optimizer if it is built.
        layers: The layers that save and load their state themselves.
    """

    variables: dict[str, list[Variable]]
    layers: dict[str, Layer]

    def tree(self) -> dict[str, Any]:
        """The values, for `write_weights`."""
        stores: dict[str, dict[str, Any]] = {path: {} for path in self.layers}
        for path, layer in self.layers.items():
            layer.save_own_variables(stores[path])
        return {**self.variables, **stores}

    @property
    def loaders(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """The methods that load the state of `layers`."""
        return {path: layer.load_own_variables for path, layer in self.layers.items()}


def saved_state(model: Any) -> SavedState:
    """What a file holds of a model.

    Raises:
        StateError: A layer has assets, which are not supported yet.
    """
    layers = keras_layers(model, _sublayers)
    for layer in layers.values():
        _check_assets(layer)
    themselves = {path: layer for path, layer in layers.items() if _saves_itself(layer)}
    variables = {
        path: list(own_weights(layer)) for path, layer in layers.items() if path not in themselves
    }
    optimizer = model.optimizer
    if optimizer is not None and optimizer.built:
        variables["optimizer"] = list(optimizer.variables)
    return SavedState({path: found for path, found in variables.items() if found}, themselves)


def _saves_itself(layer: Layer) -> bool:
    kind = type(layer)
    return (
        kind.save_own_variables is not Layer.save_own_variables
        or kind.load_own_variables is not Layer.load_own_variables
    )


def _check_assets(layer: Layer) -> None:
    for name in ("save_assets", "load_assets"):
        if hasattr(layer, name):
            raise StateError(
                f"The layer {layer.name!r} defines {name}(), which Gazelle does not call yet: its"
                " state would not be saved.",
                expected="layers whose state is in arrays",
                received=f"{name} in {type(layer).__name__}",
                fix="save the state as arrays, in save_own_variables and load_own_variables",
            )


def _sublayers(layer: Layer) -> Sequence[Any] | Mapping[str, Any] | None:
    if isinstance(layer, Trainable) and layer._graph is not None:
        return layer._graph_layers()
    return attribute_sublayers(layer, lambda value: isinstance(value, Layer))
