"""A model's weights as a `.weights.h5` file in Keras 3's layout."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.variable import Variable
from gazelle._formats.h5 import write_weights
from gazelle._formats.keras_file import open_keras_file
from gazelle.layers import Layer
from gazelle.layers.parts import own_weights
from gazelle.models.loading import load_from, load_variables
from gazelle.models.paths import attribute_sublayers, keras_layers
from gazelle.models.trainable import Trainable

# Methods by which a layer of Keras writes and reads its state itself.
_OWN_WAYS = ("save_own_variables", "load_own_variables", "save_assets", "load_assets")


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
    write_weights(path, weights_tree(model), overwrite=overwrite)


def load_weights(model: Any, filepath: str | os.PathLike[str], skip_mismatch: bool = False) -> None:
    """Read the weights. If anything does not fit, nothing is changed.

    Raises:
        DataError: The file is missing, damaged or does not fit.
        StateError: The model is not built.
    """
    require_built(model, "load_weights")
    tree = weights_tree(model)
    if os.fspath(filepath).endswith(".keras"):
        with open_keras_file(filepath) as file:
            load_from(file.weights, tree, skip_mismatch=skip_mismatch)
    else:
        load_variables(filepath, tree, skip_mismatch=skip_mismatch)


def weights_tree(model: Any) -> dict[str, list[Variable]]:
    """The variables that a file holds, by their paths in it; the optimizer's if it is built.

    Raises:
        StateError: A layer defines its own way to save, which is not supported yet.
    """
    layers = keras_layers(model, _sublayers)
    for layer in layers.values():
        _check_protocol(layer)
    tree = {path: list(own_weights(layer)) for path, layer in layers.items()}
    optimizer = model.optimizer
    if optimizer is not None and optimizer.built:
        tree["optimizer"] = list(optimizer.variables)
    return {path: variables for path, variables in tree.items() if variables}


def _check_protocol(layer: Layer) -> None:
    for name in _OWN_WAYS:
        if hasattr(layer, name):
            raise StateError(
                f"The layer {layer.name!r} defines {name}(), which Gazelle does not call yet: its"
                " state would not be saved.",
                expected="layers whose state is in their weights",
                received=f"{name} in {type(layer).__name__}",
                fix="keep the state in weights (add_weight), and remove the method",
            )


def _sublayers(layer: Layer) -> Sequence[Any] | Mapping[str, Any] | None:
    if isinstance(layer, Trainable) and layer._graph is not None:
        return layer._graph_layers()
    return attribute_sublayers(layer, lambda value: isinstance(value, Layer))
