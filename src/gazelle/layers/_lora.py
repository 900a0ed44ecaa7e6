"""LoRA: a frozen weight with a trained low-rank addition (Hu et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from gazelle import initializers
from gazelle._core.checks import positive_int
from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.variable import Variable
from gazelle.layers._base import Layer


class LoraLayer(Layer):
    """A layer of which one weight `w` can become `w + lora_alpha / lora_rank * (a @ b)`.

    A subclass has the weight as `_<name>`, and its options as `<name>_regularizer` and
    `<name>_constraint`. The parts are `lora_<name>_a` and `lora_<name>_b`.
    """

    _lora_name = "kernel"
    lora_rank: int | None
    lora_alpha: float | None

    def _set_lora(self, rank: int | None, alpha: float | None) -> None:
        """Take the arguments of the constructor.

        Raises:
            ArgumentError: `rank` is neither None nor an int > 0.
        """
        self.lora_rank = (
            None if rank is None else positive_int("lora_rank", rank, type(self).__name__)
        )
        self.lora_alpha = alpha if alpha is not None else rank

    def _enable_given_lora(self) -> None:
        """What `build` does at its end: enable LoRA if the constructor was asked for it."""
        if self.lora_rank is not None:
            self.enable_lora(self.lora_rank, lora_alpha=self.lora_alpha)

    @property
    def _lora_weight(self) -> Variable | None:
        return getattr(self, f"_{self._lora_name}")

    @property
    def _lora_parts(self) -> tuple[Variable, Variable] | None:
        a = getattr(self, f"lora_{self._lora_name}_a", None)
        return None if a is None else (a, getattr(self, f"lora_{self._lora_name}_b"))

    @property
    def _lora_scale(self) -> float:
        return (self.lora_alpha or 0.0) / (self.lora_rank or 1)

    def _with_addition(self, weight: Variable) -> Any:
        """The weight, or the sum where LoRA is enabled."""
        parts = self._lora_parts
        if parts is None:
            return weight
        a, b = parts
        return weight.value + self._lora_scale * jnp.matmul(a.value, b.value)

    @property
    def lora_enabled(self) -> bool:
        """Whether a weight has a low-rank addition."""
        return self._lora_parts is not None

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the weight and train a low-rank addition `a @ b` instead.

        Args:
            rank: The size of the axis that `a` `(..., rank)` and `b` `(rank, outputs)` share.
            lora_alpha: The addition is scaled by `lora_alpha / rank`; None for `rank`.
            a_initializer: Initializer of `a`.
            b_initializer: Initializer of `b`.

        Raises:
            StateError: The layer is not built, or LoRA is already enabled.
            ArgumentError: The weight has a constraint, which the sum would not keep.
        """
        name, weight = self._lora_name, self._lora_weight
        if weight is None or self.lora_enabled:
            problem = "not built" if weight is None else "already using LoRA"
            raise StateError(
                f"Cannot enable LoRA on layer {self.name!r}: it is {problem}.",
                fix="call it once, after build",
            )
        if getattr(self, f"{name}_constraint") is not None:
            raise ArgumentError(
                f"LoRA is incompatible with the constraint of the {name} of layer {self.name!r}.",
                expected=f"{name}_constraint=None",
                received=type(getattr(self, f"{name}_constraint")).__name__,
            )
        self.lora_rank = rank = positive_int("rank", rank, type(self).__name__)
        self.lora_alpha = lora_alpha if lora_alpha is not None else rank
        # A small change would be lost in the type of a float16 weight.
        dtype = "float64" if weight.dtype == "float64" else "float32"
        shapes = {"a": (*weight.shape[:-1], rank), "b": (rank, weight.shape[-1])}
        owner, slash, _ = weight.path.rpartition("/")
        for part, initializer in (("a", a_initializer), ("b", b_initializer)):
            variable = self.add_weight(
                name=f"lora_{name}_{part}",
                shape=shapes[part],
                initializer=initializers.get(initializer),
                dtype=dtype,
                regularizer=getattr(self, f"{name}_regularizer"),
            )
            variable.path = f"{owner}{slash}{variable.name}"
            setattr(self, variable.name, variable)
        weight.trainable = False

    def _lora_config(self) -> dict[str, Any]:
        if self.lora_rank is None:
            return {}
        return {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha}


@dataclass(frozen=True)
class LowRank:
    """The state of a layer with LoRA in a file.

    Where Keras has the weight, the file holds the sum, which Keras and layers without LoRA read.
    A group of its own has the weight and its addition, so that training can go on.

    Args:
        weight: The weight.
        a: The first factor of its addition.
        b: The second.
        layer: The layer.
    """

    weight: Variable
    a: Variable
    b: Variable
    layer: LoraLayer

    def merged(self) -> np.ndarray:
        """The sum, in the type of the weight."""
        return np.asarray(self.layer._with_addition(self.weight)).astype(self.weight.dtype)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Put the weight and its addition into `store`."""
        parts = (self.weight, self.a, self.b)
        store.update({str(i): part.numpy() for i, part in enumerate(parts)})

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Set them from `store`, after the sum was loaded into the weight.

        If they are not there, or of another rank, the sum is the weight, and the addition 0.
        """
        parts = (self.weight, self.a, self.b)
        given = [store[str(i)] for i in range(3) if str(i) in store]
        if [array.shape for array in given] == [part.shape for part in parts]:
            for part, array in zip(parts, given, strict=True):
                part.assign(array)
        else:
            self.b.assign(np.zeros(self.b.shape))


def low_rank(layer: Any) -> LowRank | None:
    """What a file holds of a layer's LoRA; None if it is not enabled."""
    if not isinstance(layer, LoraLayer):
        return None
    weight, parts = layer._lora_weight, layer._lora_parts
    return None if weight is None or parts is None else LowRank(weight, *parts, layer)
