"""Dense, the fully connected layer: `y = activation(x W + b)`."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle import activations, constraints, initializers, regularizers
from gazelle._core.checks import positive_int
from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.registry import builtin
from gazelle._core.sparse import matmul
from gazelle._core.variable import Variable
from gazelle.layers._arguments import LayerArguments
from gazelle.layers._lora import LoraLayer
from gazelle.layers._spec import InputSpec


@builtin("keras.layers")
class Dense(LoraLayer):
    """A fully connected layer: `activation(inputs @ kernel + bias)` over the last axis.

    Args:
        units: Number of outputs, an int > 0.
        activation: Activation function: a name, a callable, or None for none.
        use_bias: Whether to add a bias.
        kernel_initializer: Initializer of the kernel, `(inputs, units)`.
        bias_initializer: Initializer of the bias, `(units,)`.
        kernel_regularizer: Penalty on the kernel.
        bias_regularizer: Penalty on the bias.
        activity_regularizer: Penalty on the output, divided by the batch size.
        kernel_constraint: Projection of the kernel after each update.
        bias_constraint: Projection of the bias after each update.
        lora_rank: Rank of a trained low-rank addition to a frozen kernel (LoRA, Hu et al. 2021);
            None for none.
        lora_alpha: That addition is scaled by `lora_alpha / lora_rank`; None for `lora_rank`.
        quantization_config: Not supported; must be None.
        **kwargs: `name`, `dtype`, `trainable`, and `input_shape` for the first layer of a
            `Sequential`.

    Raises:
        ArgumentError: `units` is not an int > 0, or a keyword is unknown.

    Example:
        >>> import gazelle
        >>> gazelle.layers.Dense(4)(gazelle.Input((3,))).shape
        (None, 4)
    """

    _takes_sparse = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: None = None,
        **kwargs: Unpack[LayerArguments],
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if quantization_config is not None:
            raise ArgumentError(
                "Dense: quantized layers are not supported.",
                expected="quantization_config=None",
                received=repr(quantization_config)[:80],
            )
        self.units = positive_int("units", units, "Dense")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._set_lora(lora_rank, lora_alpha)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True
        self._kernel: Variable | None = None
        self.bias: Variable | None = None
        self.lora_kernel_a: Variable | None = None
        self.lora_kernel_b: Variable | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the kernel `(inputs, units)` and the bias `(units,)`."""
        inputs = input_shape[-1]
        if inputs is None:
            raise StateError(
                f"Layer {self.name!r} cannot be built: the size of the last axis of its input is"
                " unknown.",
                expected="a known last axis",
                received=f"input shape {tuple(input_shape)}",
                fix="give the size in Input(shape=...)",
            )
        self._kernel = self.add_weight(
            name="kernel",
            shape=(inputs, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: inputs})
        self._enable_given_lora()

    @property
    def kernel(self) -> Any:
        """The kernel, `(inputs, units)`; with LoRA, including the low-rank addition.

        Raises:
            AttributeError: The layer is not built.
        """
        if self._kernel is None:
            raise AttributeError(f"The layer {self.name!r} is not built: it has no kernel yet.")
        return self._with_addition(self._kernel)

    def call(self, inputs: Any) -> Any:
        """`activation(inputs @ kernel + bias)`."""
        outputs = matmul(inputs, jnp.asarray(self.kernel, self.compute_dtype))  # (..., units)
        if self.bias is not None:
            with jax.numpy_rank_promotion("allow"):  # (..., units) + (units,) is meant so
                outputs = outputs + jnp.asarray(self.bias, self.compute_dtype)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input with `units` as the last axis."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **self._base_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            **self._lora_config(),
        }
