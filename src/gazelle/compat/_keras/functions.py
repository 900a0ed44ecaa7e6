"""`K.function` and `K.gradients`: computations between symbolic tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """The gradients of the sum of a tensor by tensors or variables of its graph."""

    def __init__(self, loss: KerasTensor, variables: Sequence[Any], sources: list[KerasTensor]):
        super().__init__()
        self._by = variables
        self._tensors = [v for v in variables if isinstance(v, KerasTensor)]
        given = {id(tensor) for tensor in self._tensors}
        rest = [source for source in sources if id(source) not in given]
        # The loss as a function of the tensors that it is derived by, and of all other inputs.
        self._inner = Function([*self._tensors, *rest], [loss])
        self._outer = Function(sources, self._tensors) if self._tensors else None
        self._rest = [next(i for i, s in enumerate(sources) if s is one) for one in rest]

    def call(self, values: Any) -> Any:
        """The gradients for arrays in the order of the sources."""
        values = list(values)
        points = list(self._outer(values)) if self._outer is not None else []
        rest = [values[i] for i in self._rest]
        weights = [v for v in self._by if isinstance(v, Variable)]

        def total(tensors: list[Any], arrays: list[Any]) -> Any:
            run = pure(lambda: jnp.sum(self._inner([*tensors, *rest])[0]), weights)
            return run(arrays)[0]

        by_tensor, by_weight = jax.grad(total, argnums=(0, 1))(
            points, [weight.value for weight in weights]
        )
        tensors, arrays = iter(by_tensor), iter(by_weight)
        return [next(tensors if isinstance(v, KerasTensor) else arrays) for v in self._by]

    def compute_output_spec(self, values: Any) -> Any:
        """Symbolic gradients, of the shapes of what they are by."""
        return [KerasTensor(tuple(v.shape), str(v.dtype)) for v in self._by]


def gradients(loss: Any, variables: Any) -> list[Any]:
    """The gradients of the sum of `loss` by each of `variables`, symbolic tensors.

    Args:
        loss: A symbolic tensor.
        variables: Symbolic tensors of its graph, or variables; one or a list.
    """
    listed = list(variables) if isinstance(variables, list | tuple) else [variables]
    sources = get_source_inputs(loss)
    return _Gradient(loss, listed, sources)(sources)
