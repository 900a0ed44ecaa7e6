"""What is within a layer: its parts, and how weights are made, listed, read and set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gazelle import constraints, initializers, regularizers
from gazelle._core import context
from gazelle._core.dtypes import is_float, standardize_dtype
from gazelle._core.errors import StateError
from gazelle._core.identity import unique, without
from gazelle._core.names import unique_name
from gazelle._core.seeds import SeedGenerator
from gazelle._core.variable import Variable, plain
from gazelle.layers._parts import flatten_layers, own_weights, search, set_own_trainable
from gazelle.layers._weights import checked_arrays, checked_shape, positional
from gazelle.metrics import Metric

if TYPE_CHECKING:
    from gazelle.layers._state import LayerState


class Weighted:
    """The half of `Layer` that is about its weights and other parts."""

    name: str
    built: bool
    variable_dtype: Any
    _layer_state: LayerState

    def add_weight(
        self,
        *args: Any,
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
            *args: `shape`, `initializer` and `dtype` may be positional.
            shape: Tuple of ints; `()` (or None) for a scalar.
            initializer: Name, config or callable; when None `glorot_uniform` for floats and `zeros`
                for other types.
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
            ArgumentError: `shape` is text (a name belongs in `name=`) or has unknown sizes, or an
                argument is given twice.
            ArgumentTypeError: More than three positional arguments.
            StateError: The layer is being called: a weight made then would not be trained.
        """
        if context.current_layer() is self:
            raise StateError(
                f"You cannot add new elements of state to layer {self.name!r} while it is called.",
                expected="weights made in __init__ or build",
                received=f"add_weight(name={name!r}) in call",
                fix="move add_weight to `def build(self, input_shape)`",
            )
        shape, initializer, dtype = positional(args, shape, initializer, dtype)
        shape = checked_shape(shape, name, self.name)
        dtype = self.variable_dtype if dtype is None else standardize_dtype(dtype)
        if initializer is None:
            initializer = "glorot_uniform" if is_float(dtype) else "zeros"
        name = name or unique_name("variable")
        in_own_scope = context.current_scope() == self.name
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
            path=context.variable_path(name if in_own_scope else f"{self.name}/{name}"),
            overwrite_with_gradient=overwrite_with_gradient,
        )
        state = self._layer_state
        variable.frozen = not state.trainable
        (state.trainable_weights if trainable else state.other_weights).append(variable)
        context.note_made(variable, plain(variable))
        return variable

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Another name of `add_weight`, which takes more arguments."""
        return self.add_weight(
            shape=shape,
            initializer=initializer,
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            regularizer=regularizer,
            constraint=constraint,
            name=name,
        )

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights. Setting it sets it for all layers within."""
        return self._layer_state.trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in flatten_layers(self):
            set_own_trainable(layer, value)

    @property
    def variables(self) -> list[Variable]:
        """All state: weights and the states of random generators."""
        return unique(v for layer in flatten_layers(self) for v in layer._own_variables())

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes; none of a frozen layer, nor of layers within it."""
        layers = flatten_layers(self, frozen=False)
        own = (v for layer in layers for v in layer._own_variables())
        return unique(v for v in own if v.trained_by_layer)

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that the optimizer does not change."""
        return without(self.variables, self.trainable_variables)

    @property
    def weights(self) -> list[Variable]:
        """Weights in the order of the layers; within a layer trainable ones first."""
        return unique(v for layer in flatten_layers(self) for v in own_weights(layer))

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes."""
        return self.trainable_variables

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that the optimizer does not change."""
        return without(self.weights, self.trainable_variables)

    def get_weights(self) -> list[np.ndarray]:
        """The weights as NumPy arrays, in the order of `weights`."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Set the weights from arrays in the order of `weights`. All or nothing is changed.

        Raises:
            ShapeError: The number of arrays or a shape does not match.
            ArgumentTypeError: Something that is not an array of numbers.
        """
        variables = self.weights
        arrays = checked_arrays(self.name, variables, weights, built=self.built)
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def count_params(self) -> int:
        """The number of elements of all weights.

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

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Put the layer's own weights, less those of layers within it, into `store`.

        A layer with other state overrides this method and `load_own_variables`.

        Args:
            store: An empty dict, to be filled with arrays by name: `"0"`, `"1"`, ...
        """
        store.update({str(i): v.numpy() for i, v in enumerate(own_weights(self))})

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Set the layer's own weights from what `save_own_variables` has put into `store`.

        Raises:
            ShapeError: The number of arrays or a shape does not match.
            ValueError: A name is not a number.
        """
        weights = own_weights(self)
        given = [store[key] for key in sorted(store, key=int)]
        arrays = checked_arrays(self.name, weights, given, built=self.built)
        for variable, array in zip(weights, arrays, strict=True):
            variable.assign(array)

    # ---- Parts ----

    def _parts(self) -> Iterator[Any]:
        """The layers, variables, metrics and generators among the attributes, in their order."""
        kinds = (Weighted, Variable, Metric, SeedGenerator)
        for value in vars(self).values():
            if isinstance(value, kinds):  # most are not; `search` would take longer to say so
                yield value
            elif isinstance(value, list | tuple | dict):
                yield from search(value, kinds)

    def _sublayers(self) -> Iterator[Any]:
        return (part for part in self._parts() if isinstance(part, Weighted))

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Any]:
        """Keras's name for the layer and the layers within it, which scripts use."""
        inner = list(flatten_layers(self))[1:] if recursive else list(self._sublayers())
        return [self, *inner] if include_self else inner

    def _own_variables(self) -> list[Variable]:
        """The layer's own variables: trainable weights, other weights, states of generators."""
        state = self._layer_state
        parts = list(self._parts())
        held = [part for part in parts if isinstance(part, Variable)]
        held = without(held, state.weights)
        trainable = [variable for variable in held if variable.trained_by_layer]
        other = [variable for variable in held if not variable.trained_by_layer]
        seeds = [part.state for part in parts if isinstance(part, SeedGenerator)]
        return unique([*state.trainable_weights, *trainable, *state.other_weights, *other, *seeds])

    @property
    def _seed_generators(self) -> list[SeedGenerator]:
        """The layer's own random generators. Keras's name."""
        return [part for part in self._parts() if isinstance(part, SeedGenerator)]
