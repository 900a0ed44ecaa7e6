"""Initializers under the names of functions that Keras 1 and 2 had."""

from gazelle import initializers

__all__ = [
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "one",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "uniform",
    "zero",
    "zeros",
]

constant = initializers.Constant
glorot_normal = initializers.GlorotNormal
glorot_uniform = initializers.GlorotUniform
he_normal = initializers.HeNormal
he_uniform = initializers.HeUniform
identity = initializers.Identity
lecun_normal = initializers.LecunNormal
lecun_uniform = initializers.LecunUniform
orthogonal = initializers.Orthogonal
one = ones = initializers.Ones
normal = random_normal = initializers.RandomNormal
random_uniform = uniform = initializers.RandomUniform
truncated_normal = initializers.TruncatedNormal
zero = zeros = initializers.Zeros
