"""Initializers, which make the initial values of weights."""

from typing import Any

import jax
import numpy as np

from gazelle._core import registry as _registry
from gazelle.initializers._base import Initializer, RandomInitializer, catalogue
from gazelle.initializers._drawn import Orthogonal, RandomNormal, RandomUniform, TruncatedNormal
from gazelle.initializers._fixed import Constant, Identity, Ones, Zeros
from gazelle.initializers._scaled import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)

IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros


def get(identifier: Any) -> Any:
    """An initializer by name or config; an array is the weight itself.

    Args:
        identifier: A name; a config; a class, which is instantiated; an array of the weight's
            shape; or an initializer, a callable or None, which is returned as it is.

    Raises:
        UnknownNameError: The name is unknown; the message suggests the nearest known names.
    """
    if isinstance(identifier, np.ndarray | jax.Array):
        return Constant(np.asarray(identifier))
    return catalogue.get(identifier)


deserialize = catalogue.deserialize


def serialize(initializer: Any) -> Any:
    """The config of an initializer; None for None."""
    return _registry.serialize(initializer)


__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]
