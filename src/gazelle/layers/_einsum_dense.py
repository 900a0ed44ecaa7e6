"""EinsumDense: a trained kernel that is multiplied with the input as an einsum equation says."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle import activations, constraints, initializers, regularizers
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.registry import builtin
from gazelle._core.variable import Variable
from gazelle.initializers import VarianceScaling
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._embedding import check_not_given
from gazelle.layers._lora import LoraLayer
from gazelle.layers._spec import InputSpec

Shape = tuple[int | None, ...]

# "ab,bc->ac", "...a,ab->...b" or "ab...,bc->ac..."
_EQUATION = re.compile(
    r"(?P<left>\.\.\.)?(?P<inputs>[a-zA-Z]+)(?P<right>\.\.\.)?,(?P<kernel>[a-zA-Z]+)"
    r"->(?(left)\.\.\.)(?P<outputs>[a-zA-Z]+)(?(right)\.\.\.)"
)


@builtin("keras.layers")
class EinsumDense(LoraLayer):
    """`activation(einsum(equation, inputs, kernel) + bias)`.

    `EinsumDense("ab,bc->ac", 64)` is `Dense(64, use_bias=False)`; `"abc,cd->abd"` is a Dense layer
    on the last of three axes. `...` on the left or right stands for any axes that stay.

    Args:
        equation: `"inputs,kernel->outputs"`, one letter per axis, the batch axis first.
        output_shape: Shape of one sample of the output, without the batch axis and the axes of
            `...`: an int or a tuple, with None for axes that have the size of the input.
        activation: Activation function: a name, a callable, or None for none.
        bias_axes: The letters of the output's axes that have a bias, `"c"`; None for no bias.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Penalty on the kernel.
        bias_regularizer: Penalty on the bias.
        kernel_constraint: Projection of the kernel after each update.
        bias_constraint: Projection of the bias after each update.
        lora_rank: Rank of a trained low-rank addition to a frozen kernel (LoRA, Hu et al. 2021);
            None for none.
        lora_alpha: That addition is scaled by `lora_alpha / lora_rank`; None for `lora_rank`.
        gptq_unpacked_column_size: Not supported; must be None.
        quantization_config: Not supported; must be None.
        **kwargs: `name`, `dtype`, `trainable`, `input_shape`.

    Raises:
        ArgumentError: The equation is not of this form, or an argument is not supported.

    Example:
        >>> import gazelle
        >>> layer = gazelle.layers.EinsumDense("abc,cd->abd", (None, 64), bias_axes="d")
        >>> layer(gazelle.Input((32, 128))).shape
        (None, 32, 64)
    """

    def __init__(
        self,
        equation: str,
        output_shape: int | Iterable[int | None],
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: None = None,
        quantization_config: None = None,
        **kwargs: Unpack[PenalizedArguments],
    ):
        super().__init__(**kwargs)
        check_not_given(
            "EinsumDense",
            gptq_unpacked_column_size=gptq_unpacked_column_size,
            quantization_config=quantization_config,
        )
        self.equation = equation
        is_int = isinstance(output_shape, int)
        self.partial_output_shape: Shape = (output_shape,) if is_int else tuple(output_shape)
        self.bias_axes = bias_axes
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._set_lora(lora_rank, lora_alpha)
        self._kernel: Variable | None = None
        self.bias: Variable | None = None

    def _shapes_for(self, input_shape: Shape) -> _Shapes:
        return _shapes(self.equation, self.bias_axes, input_shape, self.partial_output_shape)

    def build(self, input_shape: Shape) -> None:
        """Create the kernel and the bias."""
        shapes = self._shapes_for(input_shape)
        self.input_spec = InputSpec(ndim=len(input_shape))
        initializer = self.kernel_initializer
        if isinstance(initializer, VarianceScaling) and initializer.input_axes is None:
            config = {**initializer.get_config(), "seed": initializer.seed}
            config |= {"input_axes": shapes.input_axes, "output_axes": shapes.output_axes}
            initializer = type(initializer).from_config(config)
        self._kernel = self.add_weight(
            name="kernel",
            shape=shapes.kernel,
            initializer=initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if shapes.bias is not None:
            self.bias = self.add_weight(
                name="bias",
                shape=shapes.bias,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self._enable_given_lora()

    @property
    def kernel(self) -> Any:
        """The kernel; with LoRA, including the low-rank addition.

        Raises:
            AttributeError: The layer is not built.
        """
        if self._kernel is None:
            raise AttributeError(f"The layer {self.name!r} is not built: it has no kernel yet.")
        return self._with_addition(self._kernel)

    def call(self, inputs: Any) -> Any:
        """The product, with bias and activation."""
        kernel = jnp.asarray(self.kernel, self.compute_dtype)
        outputs = jnp.einsum(self.equation, inputs, kernel)
        if self.bias is not None:
            with jax.numpy_rank_promotion("allow"):  # the bias has the last axes only
                outputs = outputs + jnp.asarray(self.bias, self.compute_dtype)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The batch axis, `output_shape`, and the axes of `...`."""
        return self._shapes_for(input_shape).outputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **self._base_config(),
            "output_shape": list(self.partial_output_shape),
            "equation": self.equation,
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            **self._lora_config(),
        }


@dataclass(frozen=True)
class _Shapes:
    """What an equation and the shape of the input imply.

    Args:
        outputs: The shape of the output.
        kernel: The shape of the kernel.
        bias: The shape of the bias; None for no bias.
        input_axes: The axes of the kernel that are summed over.
        output_axes: Its other axes.
    """

    outputs: Shape
    kernel: Shape
    bias: Shape | None
    input_axes: list[int]
    output_axes: list[int]


def _shapes(
    equation: str, bias_axes: str | None, input_shape: Shape, output_shape: Shape
) -> _Shapes:
    """The shapes for an equation, whose `...` is replaced by letters that are free.

    Raises:
        ArgumentError: The equation, or a letter in it, does not make sense.
        ShapeError: The shapes do not match it.
    """
    match = _EQUATION.fullmatch(equation)
    if match is None or (match["left"] and match["right"]):
        raise ArgumentError(
            f"EinsumDense: {equation!r} is not an equation that this layer knows.",
            expected="X,W->Y, ...X,W->...Y or X...,W->Y..., one letter per axis",
            received=repr(equation),
        )
    inputs, kernel, outputs = match["inputs"], match["kernel"], match["outputs"]
    kept = len(input_shape) - len(inputs)  # the number of axes that `...` stands for
    full = (input_shape[0], *output_shape)
    free = "".join(c for c in string.ascii_letters if c not in equation)[: max(kept, 0)]
    if match["left"]:
        full = (*input_shape[: max(kept, 1)], *output_shape)
        inputs, outputs = free + inputs, free + outputs
    elif match["right"]:
        full = (*full, *input_shape[len(input_shape) - kept :]) if kept > 0 else full
        inputs, outputs = inputs + free, outputs + free
    if len(inputs) != len(input_shape) or len(outputs) != len(full):
        raise ShapeError(
            f"EinsumDense: the shapes do not match the equation {equation!r}.",
            expected="one letter per axis; output_shape without the batch axis and those of `...`",
            received=f"input shape {tuple(input_shape)}, output_shape {output_shape}",
        )
    sizes_in = dict(zip(inputs, input_shape, strict=True))
    sizes_out = dict(zip(outputs, full, strict=True))
    for letter in inputs:
        given, wanted = sizes_in[letter], sizes_out.get(letter)
        if None not in (given, wanted) and given != wanted:
            raise ShapeError(
                f"EinsumDense: the sizes of axis {letter!r} of {equation!r} do not match.",
                expected=f"{wanted}, as in output_shape",
                received=f"{given}, in the input",
            )
    unknown = [c for c in outputs if c not in inputs + kernel] + [
        c for c in kernel if c not in inputs + outputs
    ]
    if unknown:
        raise ArgumentError(
            f"EinsumDense: {unknown[0]!r} in {equation!r} does not occur anywhere else.",
            expected="each axis of the kernel and of the output in another part too",
            received=repr(equation),
        )
    return _Shapes(
        outputs=full,
        kernel=tuple(sizes_out[c] if c in outputs else sizes_in[c] for c in kernel),
        bias=_bias_shape(bias_axes, outputs, sizes_out),
        input_axes=[i for i, c in enumerate(kernel) if c not in outputs],
        output_axes=[i for i, c in enumerate(kernel) if c in outputs],
    )


def _bias_shape(bias_axes: str | None, outputs: str, sizes: dict[str, int | None]) -> Shape | None:
    """The bias has the axes from its first letter on, those without a bias with size 1."""
    if bias_axes is None:
        return None
    missing = [letter for letter in bias_axes if letter not in outputs]
    if missing:
        raise ArgumentError(
            f"EinsumDense: the bias axis {missing[0]!r} is not an axis of the output.",
            expected=f"letters of {outputs!r}",
            received=f"bias_axes={bias_axes!r}",
        )
    first = min(outputs.index(letter) for letter in bias_axes)
    return tuple(sizes[letter] if letter in bias_axes else 1 for letter in outputs[first:])
