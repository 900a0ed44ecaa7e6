"""SpectralNormalization (Miyato et al. 2018): a layer whose kernel has the largest stretch 1."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from gazelle._core.checks import positive_int
from gazelle._core.errors import ArgumentError
from gazelle._core.registry import builtin
from gazelle._core.variable import Variable
from gazelle.initializers import TruncatedNormal
from gazelle.layers._arguments import PenalizedArguments
from gazelle.layers._base import Layer
from gazelle.layers._spec import InputSpec
from gazelle.layers._wrapping import Wrapper


@builtin("keras.layers")
class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer by its spectral norm, the factor by which it stretches at most.

    The norm is estimated by power iteration, from a vector that is kept from call to call. In
    training, a call normalizes the kernel before the layer is called; outside, the layer is called
    as it is.

    Args:
        layer: A layer with a `kernel` or `embeddings`.
        power_iterations: Steps of the power iteration per call.
        **kwargs: `name`, `dtype`, `trainable`, `input_shape`.

    Raises:
        ArgumentError: `layer` is not a layer or has no kernel, or `power_iterations` is not an int
            > 0.
    """

    def __init__(
        self, layer: Layer, power_iterations: int = 1, **kwargs: Unpack[PenalizedArguments]
    ):
        super().__init__(layer, **kwargs)
        self.power_iterations = positive_int(
            "power_iterations", power_iterations, "SpectralNormalization"
        )

    def build(self, input_shape: Any = None) -> None:
        """Build the layer, and create the vector of the power iteration."""
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        kernel = getattr(self.layer, "kernel", None)
        if kernel is None:
            kernel = getattr(self.layer, "embeddings", None)
        if not isinstance(kernel, Variable):
            raise ArgumentError(
                f"The layer {self.layer.name!r} has nothing that SpectralNormalization could"
                " normalize.",
                expected="a layer with a kernel or embeddings, such as Dense",
                received=type(self.layer).__name__,
            )
        self.kernel = kernel
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, kernel.shape[-1]),
            initializer=TruncatedNormal(stddev=0.02),
            dtype=kernel.dtype,
            trainable=False,
        )

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The layer's output, in the type of the input."""
        if training:
            vector, kernel = self.normalized_weights()
            self.vector_u.assign(vector)
            self.kernel.assign(kernel)
        return self.layer(inputs).astype(inputs.dtype)

    def normalized_weights(self) -> tuple[jax.Array, jax.Array]:
        """The next vector of the power iteration, and the kernel divided by its spectral norm.

        A kernel of zeros stays, and so does the vector.
        """
        kernel, before = self.kernel.value, self.vector_u.value
        matrix = jnp.reshape(kernel, (-1, kernel.shape[-1]))
        u, v = before, before
        for _ in range(self.power_iterations):
            v = _unit(jnp.matmul(u, matrix.T))
            u = _unit(jnp.matmul(v, matrix))
        u, v = jax.lax.stop_gradient(u), jax.lax.stop_gradient(v)
        is_zero = jnp.all(kernel == 0)
        norm = jnp.matmul(jnp.matmul(v, matrix), u.T)[0, 0]
        return jnp.where(is_zero, before, u), kernel / jnp.where(is_zero, 1, norm)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output shape of the layer."""
        return self.layer.compute_output_shape(input_shape)

    @property
    def _knows_output_shape(self) -> bool:
        return self.layer._knows_output_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "power_iterations": self.power_iterations}


def _unit(vector: jax.Array) -> jax.Array:
    """A vector scaled to length 1."""
    square = jnp.sum(jnp.square(vector))
    return vector * jax.lax.rsqrt(jnp.maximum(square, 1e-14))
