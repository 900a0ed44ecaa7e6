"""Layers of text and categories in the functions of a `tf.data.Dataset`, such as `dataset.map`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from gazelle._core.symbolic import KerasTensor


def in_tf_graph(inputs: Any) -> bool:
    """Whether there is a tensor without values of TensorFlow's among the inputs."""
    return "tensorflow" in sys.modules and any(map(_is_symbolic, jax.tree.leaves(inputs)))


def as_tf_step(
    function: Callable[[Any], Any],
    inputs: Any,
    spec: Callable[[Any], Any],
    single: tuple[int | None, ...] | None = None,
) -> Any:
    """A step of a TensorFlow graph that runs `function` on arrays.

    Args:
        function: Gives arrays for arrays, in any structure.
        inputs: TensorFlow's tensors.
        spec: Gives the outputs as symbolic tensors for the inputs as symbolic tensors.
        single: The shape that `spec` knows the inputs by; None for their own. With it, inputs
            without axes give outputs without the first.
    """
    tf = sys.modules["tensorflow"]
    flat, structure = jax.tree.flatten(inputs)
    shapes = [tuple(tensor.shape) for tensor in flat]
    described = [
        KerasTensor(single or shape, tensor.dtype.name)
        for shape, tensor in zip(shapes, flat, strict=True)
    ]
    outputs = spec(jax.tree.unflatten(structure, described))
    wanted, output_structure = jax.tree.flatten(outputs)
    types = [tf.as_dtype(_tf_name(output.dtype)) for output in wanted]

    def run(*arrays: Any) -> list[np.ndarray]:
        found = jax.tree.leaves(function(jax.tree.unflatten(structure, arrays)))
        return [
            np.asarray(array).astype(kind.as_numpy_dtype)
            for array, kind in zip(found, types, strict=True)
        ]

    results = tf.numpy_function(run, flat, types)
    for result, output in zip(results, wanted, strict=True):
        shape = output.shape
        if single is not None:
            shape = shape[1:] if not shapes[0] else (shapes[0][0], *shape[1:])
        result.set_shape(shape)
    return jax.tree.unflatten(output_structure, results)


def _is_symbolic(leaf: Any) -> bool:
    kind = type(leaf)
    return kind.__module__.startswith("tensorflow.") and kind.__name__ == "SymbolicTensor"


def _tf_name(dtype: Any) -> str:
    return str(np.dtype(dtype)) if dtype != "string" else "string"
