"""Holder: the half of a layer that holds its weights, random states, metrics and the layers within it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np

from gazelle import constraints, initializers, regularizers
from gazelle._core import context
from gazelle._core.dtypes import DTypePolicy, is_float, standardize_dtype
from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError, StateError
from gazelle._core.names import unique_name
from gazelle._core.seeds import SeedGenerator
from gazelle._core.variable import Variable
from gazelle.metrics import Metric

# Attributes that hold no parts of the layer itself.
_NOT_PARTS = frozenset({"inbound_nodes", "_losses", "_config", "_trained", "_fixed", "optimizer"})


class Holder:
    """Methods that `Layer` gets: see there."""

    name: str
    built: bool
    dtype_policy: DTypePolicy
    _trainable: bool

    def __init__(self) -> None:
        self._trained: list[Variable] = []  # weights that were made as trainable ones
        self._fixed: list[Variable] = []
        self._losses: list[Any] = []

    # ---- Weights ----

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Make a weight, in `__init__` or `build`.

        Args:
            shape: Tuple of ints; `()` (or None) for a scalar.
            initializer: Name, config or callable; `glorot_uniform` for floats and `zeros` for
                others when None.
            dtype: Its type; the layer's variable dtype when None.
            trainable: Whether training changes it.
            autocast: Whether `call` reads it in the layer's compute dtype.
            regularizer: Penalty on its value, added to the loss.
            constraint: Projection applied after each update.
            aggregation: Kept for Keras's signature.
            overwrite_with_gradient: Kept for Keras's signature.
            name: Its name.

        Returns:
            The variable.

        Raises:
            ArgumentError: `shape` is text (the name belongs to `name=`), or no shape with known
                sizes.
            StateError: The layer is being called: a weight that is made then would not be trained.
        """
        if context.current_layer() is self:
            raise StateError(
                f"You cannot add new elements of state to layer {self.name!r} while it is called.",
                expected="weights made in __init__ or build",
                received=f"add_weight(name={name!r}) in call",
                fix="move add_weight to `def build(self, input_shape)`",
            )
        shape = _checked_shape(shape, name, self.name)
        dtype = standardize_dtype(dtype) if dtype is not None else self.dtype_policy.variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if is_float(dtype) else "zeros"
        name = name or unique_name("variable")
        inside = context.current_scope() == self.name
        variable = Variable(
            initializers.get(initializer),
            shape=shape,
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            aggregation=aggregation,
            name=name,
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
            path=context.variable_path(name if inside else f"{self.name}/{name}"),
            overwrite_with_gradient=overwrite_with_gradient,
        )
        (self._trained if trainable else self._fixed).append(variable)
        context.note_made(variable, variable._value)
        return variable

    def add_loss(self, loss: Any) -> None:
        """Add a term to the training loss: a scalar array (or a list of them), computed in `call`.

        Raises:
            ArgumentTypeError: `loss` is no array.
        """
        terms = [term._value if isinstance(term, Variable) else term for term in _as_list(loss)]
        for term in terms:
            if not isinstance(term, jax.Array):
                raise ArgumentTypeError(
                    "add_loss needs a scalar array.",
                    expected="what jax.numpy computes from the inputs or the weights",
                    received=f"{term!r} of type {type(term).__name__}",
                )
            if (collected := context.collector()) is not None:
                collected.append(term)
            else:
                self._losses.append(term)

    @property
    def losses(self) -> list[Any]:
        """Penalties: what the last call added, and the regularizers of the trainable weights."""
        added = [loss for layer in self._flatten_layers() for loss in layer._losses]
        return added + self.regularization_losses()

    def regularization_losses(self) -> list[jax.Array]:
        """The weight regularizers' terms, one a regularised trainable weight."""
        return [
            v.regularizer(v._value) for v in self.trainable_variables if v.regularizer is not None
        ]

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights. Setting it sets it for all layers within."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)

    @property
    def variables(self) -> list[Variable]:
        """All state: weights and the states of random generators."""
        return _unique(v for layer in self._flatten_layers() for v in layer._own_variables())

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes; none of a layer that is frozen, whatever is within it."""
        layers = self._flatten_layers(frozen=False)
        return _unique(v for layer in layers for v in layer._own_variables() if v.trainable)

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that the optimizer does not change."""
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in trained]

    @property
    def weights(self) -> list[Variable]:
        """Weights in order of the layers; within a layer trainable ones first."""
        return _unique(v for layer in self._flatten_layers() for v in own_weights(layer))

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes."""
        return self.trainable_variables

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that the optimizer does not change."""
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.weights if id(variable) not in trained]

    def get_weights(self) -> list[np.ndarray]:
        """The weights as NumPy arrays, in the order of `weights`."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Set the weights from arrays in the order of `weights`. All or nothing is changed.

        Raises:
            ShapeError: The number of arrays or a shape does not fit.
            ArgumentTypeError: Something that is not an array of numbers.
        """
        variables = self.weights
        if len(weights) != len(variables):
            raise ShapeError(
                f"You called `set_weights(weights)` on layer {self.name!r} with a weight list of"
                f" length {len(weights)}, but the layer was expecting {len(variables)} weights.",
                expected=f"{len(variables)} arrays: {[v.shape for v in variables]}",
                received=f"{len(weights)} arrays",
                fix=(
                    "build the layer first"
                    if not self.built
                    else "pass one array a weight, in the order of `weights`"
                ),
            )
        arrays = []
        for variable, weight in zip(variables, weights, strict=True):
            try:
                array = np.asarray(weight).astype(variable.dtype)
            except (TypeError, ValueError):
                raise ArgumentTypeError(
                    f"set_weights: what is given for {variable.path!r} is not an array of numbers.",
                    received=repr(weight)[:80],
                ) from None
            if array.shape != variable.shape:
                raise ShapeError(
                    f"set_weights: layer {self.name!r} weight shape {variable.shape} is not"
                    f" compatible with provided weight shape {array.shape} (weight"
                    f" {variable.path!r}).",
                    expected=variable.shape,
                    received=array.shape,
                )
            arrays.append(array)
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def count_params(self) -> int:
        """The number of numbers in the weights.

        Raises:
            StateError: The layer is not built yet.
        """
        if not self.built:
            raise StateError(
                f"You tried to call `count_params` on layer {self.name!r}, but the layer isn't"
                " built.",
                expected="a layer with weights",
                fix="build it first: layer.build(input_shape), or call it on data",
            )
        return sum(variable.size for variable in self.weights)

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that the layer and the layers within it hold as attributes."""
        return self._held_metrics()

    def _held_metrics(self) -> list[Metric]:
        found = [
            m for layer in self._flatten_layers() for m in layer._parts() if isinstance(m, Metric)
        ]
        return list({id(metric): metric for metric in found}.values())

    # ---- Parts ----

    def _parts(self) -> Iterator[Any]:
        """Layers, variables and metrics held by the attributes, lists and dicts among them, in order of assignment."""
        for key, value in self.__dict__.items():
            if key not in _NOT_PARTS:
                yield from _search(value)

    def _sublayers(self) -> Iterator[Any]:
        return (part for part in self._parts() if isinstance(part, Holder))

    def _flatten_layers(self, *, frozen: bool = True) -> Iterator[Any]:
        """This layer and all layers within it, each once, depth first; without `frozen`, only what is trained."""
        seen: set[int] = set()
        stack: list[Holder] = [self]
        while stack:
            layer = stack.pop()
            if id(layer) not in seen and (frozen or layer._trainable):
                seen.add(id(layer))
                yield layer
                stack.extend(reversed(list(layer._sublayers())))

    def _own_variables(self) -> list[Variable]:
        """The layer's own variables: trainable weights, other weights, states of random generators."""
        parts = list(self._parts())
        held = [part for part in parts if isinstance(part, Variable)]
        own = {id(variable) for variable in (*self._trained, *self._fixed)}
        trained = [v for v in held if v.trainable and id(v) not in own]
        fixed = [v for v in held if not v.trainable and id(v) not in own]
        seeds = [part.state for part in parts if isinstance(part, SeedGenerator)]
        return _unique([*self._trained, *trained, *self._fixed, *fixed, *seeds])


def own_weights(layer: Holder) -> list[Variable]:
    """A layer's own weights, without those of layers within it: those made as trainable ones first."""
    return [v for v in layer._own_variables() if v.name != "seed_generator_state"]


def _unique(variables: Iterable[Variable]) -> list[Variable]:
    return list({id(variable): variable for variable in variables}.values())


def _search(value: Any) -> Iterator[Any]:
    if isinstance(value, Holder | Variable | Metric | SeedGenerator):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _search(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _search(item)


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [item for inner in value for item in _as_list(inner)]
    return [value]


def _checked_shape(shape: Any, name: str | None, owner: str) -> tuple[int, ...]:
    if isinstance(shape, str):
        raise ArgumentError(
            "add_weight: the first argument is the shape.",
            received=repr(shape),
            fix=f"write name={shape!r}, shape=(...)",
        )
    sizes = () if shape is None else tuple(shape) if isinstance(shape, Iterable) else (shape,)
    if not all(hasattr(n, "__index__") for n in sizes):
        raise ArgumentError(
            f"add_weight: the shape of weight {name!r} of layer {owner!r} has unknown sizes.",
            expected="ints",
            received=repr(shape),
            fix="give the input's sizes in Input(shape=...)",
        )
    return tuple(int(n) for n in sizes)
