"""Files as Keras 1, Keras 2 and tf.keras wrote them, and what their layers compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Arrays = dict[str, np.ndarray]


def write(
    path: Path,
    config: Any,
    weights: dict[str, Arrays],
    *,
    training: Any = None,
    optimizer: Arrays | None = None,
    version: str = "2.2.4",
    base: str = "model_weights",
) -> Path:
    """Write a file.

    Args:
        path: The file.
        config: `model_config`; None for weights alone.
        weights: The arrays of each layer by their names, in the order of the model.
        training: `training_config`.
        optimizer: The state of the optimizer.
        version: `keras_version`; `""` for none.
        base: The group of the weights; `""` for the top.
    """
    with h5py.File(path, "w") as file:
        if version:
            file.attrs["keras_version"] = version.encode()
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
        if training is not None:
            file.attrs["training_config"] = json.dumps(training).encode()
        group = file.create_group(base) if base else file
        if version:
            group.attrs["backend"] = b"tensorflow"
        group.attrs["layer_names"] = _names(weights)
        for layer, arrays in weights.items():
            _write_arrays(group.create_group(layer), arrays)
        if optimizer is not None:
            _write_arrays(file.create_group("optimizer_weights"), optimizer)
    return path


def _names(values: Any) -> Any:
    """Names as they were written: strings of fixed length, or numbers for an empty list."""
    names = [name.encode() for name in values]
    return np.array(names) if names else []


def _write_arrays(group: h5py.Group, arrays: Arrays) -> None:
    group.attrs["weight_names"] = _names(arrays)
    for name, array in arrays.items():
        group.create_dataset(name, data=array)


class Numbers:
    """Weights that are drawn one after the other."""

    def __init__(self, seed: int = 0):
        self._rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return self._rng.uniform(0.2, 1.0, shape).astype(np.float32) * self._signs(shape)

    def positive(self, *shape: int) -> np.ndarray:
        return self._rng.uniform(0.5, 1.5, shape).astype(np.float32)

    def _signs(self, shape: tuple[int, ...]) -> np.ndarray:
        return self._rng.choice(np.array([-1, 1], np.float32), shape)


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def normalized(x: np.ndarray, gamma: Any, beta: Any, mean: Any, variance: Any) -> np.ndarray:
    return gamma * (x - mean) / np.sqrt(variance + 0.001) + beta


# ---- Keras 1 ----


def dense_1(name: str, units: int, activation: str = "linear", **more: Any) -> dict[str, Any]:
    config = {
        "name": name, "trainable": True, "output_dim": units, "init": "glorot_uniform",
        "activation": activation, "W_regularizer": None, "b_regularizer": None,
        "activity_regularizer": None, "W_constraint": None, "b_constraint": None, "bias": True,
        "input_dim": None, **more,
    }  # fmt: skip
    return {"class_name": "Dense", "config": config}


def layer_1(kind: str, name: str, **options: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, "trainable": True, **options}}


# ---- Keras 2 and tf.keras ----


def dense_2(name: str, units: int, activation: str = "linear", **more: Any) -> dict[str, Any]:
    scaling = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}
    config = {
        "name": name, "trainable": True, "units": units, "activation": activation,
        "use_bias": True,
        "kernel_initializer": {"class_name": "VarianceScaling", "config": scaling},
        "bias_initializer": {"class_name": "Zeros", "config": {}},
        "kernel_regularizer": None, "bias_regularizer": None, "activity_regularizer": None,
        "kernel_constraint": None, "bias_constraint": None, **more,
    }  # fmt: skip
    return {"class_name": "Dense", "config": config}


def batch_norm_2(name: str, **more: Any) -> dict[str, Any]:
    config = {
        "name": name, "trainable": True, "axis": -1, "momentum": 0.99, "epsilon": 0.001,
        "center": True, "scale": True,
        "beta_initializer": {"class_name": "Zeros", "config": {}},
        "gamma_initializer": {"class_name": "Ones", "config": {}},
        "moving_mean_initializer": {"class_name": "Zeros", "config": {}},
        "moving_variance_initializer": {"class_name": "Ones", "config": {}},
        "beta_regularizer": None, "gamma_regularizer": None, "beta_constraint": None,
        "gamma_constraint": None, **more,
    }  # fmt: skip
    return {"class_name": "BatchNormalization", "config": config}


def input_2(name: str, size: int, **more: Any) -> dict[str, Any]:
    config = {
        "batch_input_shape": [None, size], "dtype": "float32", "sparse": False, "name": name, **more
    }  # fmt: skip
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def called(entry: dict[str, Any], *nodes: Any) -> dict[str, Any]:
    """A layer of a graph, with its calls."""
    name = entry["config"]["name"] if isinstance(entry["config"], dict) else entry["name"]
    return {**entry, "name": name, "inbound_nodes": list(nodes)}


def graph(name: str, kind: str, layers: Any, inputs: Any, outputs: Any) -> dict[str, Any]:
    config = {
        "name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs
    }  # fmt: skip
    return {"class_name": kind, "config": config}
