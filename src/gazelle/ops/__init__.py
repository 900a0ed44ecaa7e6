"""Functions on tensors, like `keras.ops`: of arrays, variables and symbolic tensors.

Each is a thin layer over `jax.numpy`, `jax.nn`, `jax.lax` or `jax.scipy` with Keras's name and
arguments. On what `Input` returns, a function becomes a step of a functional model.
"""

from typing import Any

from gazelle._core import doors as _doors
from gazelle.ops import _core, _math, linalg, nn, numpy
from gazelle.ops._core import *  # noqa: F403
from gazelle.ops._math import *  # noqa: F403
from gazelle.ops.linalg import *  # noqa: F403
from gazelle.ops.nn import *  # noqa: F403
from gazelle.ops.numpy import *  # noqa: F403

__all__ = ["linalg", "nn", "numpy"]
__all__ += _core.__all__
__all__ += linalg.__all__
__all__ += _math.__all__
__all__ += nn.__all__
__all__ += numpy.__all__

# What Keras has beyond dense networks.
_ELSEWHERE = (
    "adaptive_average_pool",
    "adaptive_max_pool",
    "average_pool",
    "conv",
    "conv_transpose",
    "ctc_decode",
    "ctc_loss",
    "depth_to_space",
    "depthwise_conv",
    "dot_product_attention",
    "fft",
    "fft2",
    "fold",
    "ifft2",
    "image",
    "irfft",
    "istft",
    "max_pool",
    "rearrange",
    "rfft",
    "separable_conv",
    "space_to_depth",
    "stft",
    "unfold",
)
_SENTENCE = (
    "gazelle.ops has no functions for images, signals, convolution, pooling, attention or CTC:"
    " Gazelle is for dense networks."
)


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        raise _doors.missing(__name__, name, f"{name}: {_SENTENCE}")
    raise _doors.missing(__name__, name)
