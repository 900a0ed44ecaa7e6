"""Initializers: what makes the first values of weights."""

from typing import Any

from gazelle._core import registry
from gazelle.initializers.base import Initializer, RandomInitializer, catalogue
from gazelle.initializers.drawn import Orthogonal, RandomNormal, RandomUniform, TruncatedNormal
from gazelle.initializers.fixed import Constant, Identity, Ones, Zeros
from gazelle.initializers.scaled import (
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
    """The initializer that `identifier` stands for.

    Args:
        identifier: None (gives None), a name, a config, a class, or a callable or instance
            (returned as it is).

    Raises:
        UnknownNameError: `identifier` stands for no initializer.
    """
    return catalogue.get(identifier)


def serialize(initializer: Any) -> Any:
    """The config of an initializer; None of None."""
    return registry.serialize(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer that `serialize` described.

    Args:
        config: What `serialize` returned, or a name.
        custom_objects: Further classes by name.

    Raises:
        UnknownNameError: The config names something that is not known.
    """
    return catalogue.get(config, custom_objects)


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
