"""HostLayer: a layer that computes with NumPy on the host, because JAX has no text."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gazelle._core.errors import ArgumentTypeError, DataError
from gazelle._core.symbolic import KerasTensor, any_symbolic
from gazelle._text.tokens import objects
from gazelle.layers._base import Layer
from gazelle.layers._tf_graph import as_tf_step, in_tf_graph


class HostLayer(Layer):
    """A layer without trained weights whose `compute` takes and gives NumPy arrays.

    In a model, `gazelle.layers._host` runs it once on the data, before the compiled program.
    """

    supports_jit = False
    takes = "string"  # the dtype of the Input of a Sequential that starts with the layer

    def compute(self, inputs: Any) -> np.ndarray:
        """The outputs for NumPy arrays; text is `str` objects.

        Raises:
            NotImplementedError: A subclass does not define it.
        """
        raise NotImplementedError

    def __call__(self, inputs: Any) -> Any:
        """The outputs: JAX arrays; NumPy arrays where they are text.

        Raises:
            ArgumentTypeError: The layer is called in a compiled program.
        """
        if any_symbolic(inputs):
            return self._symbolic_call((inputs,), {})
        if in_tf_graph(inputs):
            return as_tf_step(self.on_host, inputs, self.compute_output_spec)
        outputs = self.on_host(inputs)
        return outputs if outputs.dtype == object else jnp.asarray(outputs)

    def on_host(self, inputs: Any) -> np.ndarray:
        """`compute` of any arrays, lists or tables."""
        for leaf in jax.tree.leaves(inputs):
            if isinstance(leaf, Tracer):
                raise ArgumentTypeError(
                    f"The layer {self.name!r} ({type(self).__name__}) computes on the host and"
                    " cannot run in a compiled program.",
                    expected="a functional or Sequential model, whose inputs it can take first",
                    received="a call within the call() of a model or layer of your own",
                    fix="call the layer on the data before fit, or build the model with Input(...)",
                )
        return self.compute(inputs)

    def build(self, input_shape: Any = None) -> None:
        """Nothing: there are no weights."""
        self.built = True

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.built = True

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """The symbolic output, for symbolic inputs."""
        raise NotImplementedError


def as_values(inputs: Any, what: str) -> np.ndarray:
    """Data as whole numbers, floats or text.

    Args:
        inputs: An array, a list or a table's column; text as `str` or `bytes` of any form.
        what: What it is for, in error texts: `"layer 'hashing'"`.

    Returns:
        An array; text as `str` objects.

    Raises:
        DataError: There are missing values or other objects among the text.
    """
    array = np.asarray(inputs.to_numpy() if hasattr(inputs, "to_numpy") else inputs)
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind in "US":
        flat = array.ravel().tolist()
    else:
        flat = array.astype(object).ravel().tolist()
    texts = [one.decode() if isinstance(one, bytes) else one for one in flat]
    if all(isinstance(one, int | np.integer) for one in texts):
        return np.array(texts, np.int64).reshape(array.shape)
    for place, one in enumerate(texts):
        if not isinstance(one, str):
            raise DataError(
                f"The data for {what} has a value that is not text.",
                expected="text in every row",
                received=f"{one!r} at position {place}",
                fix='replace missing values by a word of their own, such as ""',
            )
    return objects(texts).reshape(array.shape)


def as_text(inputs: Any, what: str) -> np.ndarray:
    """Data as text: `str` objects.

    Raises:
        DataError: It is not text.
    """
    values = as_values(inputs, what)
    if values.dtype != object and values.size:
        raise DataError(
            f"The data for {what} is not text.",
            expected="text",
            received=f"dtype {values.dtype}",
            fix="use IntegerLookup for whole numbers, or pass x.astype(str)",
        )
    return values.astype(object)
