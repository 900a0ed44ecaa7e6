"""`K.function` and `K.gradients`: computations between symbolic tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core import context
from gazelle._core.operation import Operation
from gazelle._core.pure import pure
from gazelle._core.symbolic import KerasTensor, get_source_inputs
from gazelle._core.variable import Variable
from gazelle.layers._function import Function


def function(inputs: Any, outputs: Any, updates: Any = None, **kwargs: Any) -> Callable[..., Any]:
    """A function that takes a list of arrays and returns the list of outputs, NumPy arrays.

    Args:
        inputs: Symbolic tensors; a learning phase among them says whether layers train.
        outputs: A list of symbolic tensors, variables or arrays; or one of them.
        updates: What assigns variables, which has happened already.
        **kwargs: Options of TensorFlow's sessions, without effect.
    """
    listed = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    places = [i for i, tensor in enumerate(listed) if isinstance(tensor, KerasTensor)]
    phases = [i for i, tensor in enumerate(listed) if not isinstance(tensor, KerasTensor)]
    wanted = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    symbolic = [tensor for tensor in wanted if isinstance(tensor, KerasTensor)]
    graph = Function([listed[i] for i in places], symbolic) if symbolic else None

    def run(values: Any) -> Any:
        values = list(values) if isinstance(values, list | tuple) else [values]
        training = any(bool(values[i]) for i in phases if i < len(values))
        fed = [jnp.asarray(values[i]) for i in places]
        found = iter(_run(graph, fed, training) if graph is not None else ())
        results = [
            np.asarray(next(found) if isinstance(tensor, KerasTensor) else tensor)
            for tensor in wanted
        ]
        return results if isinstance(outputs, list | tuple) else results[0]

    return run


def _run(graph: Function, values: list[Any], training: bool) -> list[Any]:
    if not training:
        return graph(values)
    with context.training_mode(True):
        return graph(values)


class _Gradient(Operation):
    """The gradient of the sum of a tensor by a tensor or a variable of its graph."""

    def __init__(self, loss: KerasTensor, by: Any, sources: list[KerasTensor]):
        super().__init__()
        self._by = by
        if isinstance(by, Variable):
            self._loss = Function(sources, [loss])
            return
        # The loss as a function of the tensor and of all inputs, and the tensor as one of these.
        self._rest = [i for i, source in enumerate(sources) if source is not by]
        self._loss = Function([by, *(sources[i] for i in self._rest)], [loss])
        self._tensor = Function(sources, [by])

    def call(self, values: Any) -> Any:
        """The gradient for arrays in the order of the sources."""
        values = list(values)
        if isinstance(self._by, Variable):
            run = pure(lambda: jnp.sum(self._loss(values)[0]), [self._by])
            return jax.grad(lambda value: run([value])[0])(self._by.value)
        rest = [values[i] for i in self._rest]
        point = self._tensor(values)[0]
        return jax.grad(lambda value: jnp.sum(self._loss([value, *rest])[0]))(point)

    def compute_output_spec(self, values: Any) -> Any:
        """A symbolic gradient, of the shape of what it is by."""
        return KerasTensor(tuple(self._by.shape), str(self._by.dtype))


def gradients(loss: Any, variables: Any) -> list[Any]:
    """The gradients of the sum of `loss` by each of `variables`, symbolic tensors.

    Args:
        loss: A symbolic tensor.
        variables: Symbolic tensors of its graph, or variables; one or a list.
    """
    listed = list(variables) if isinstance(variables, list | tuple) else [variables]
    sources = get_source_inputs(loss)
    return [_Gradient(loss, by, sources)(sources) for by in listed]
