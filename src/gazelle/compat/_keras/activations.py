"""Names of `keras.activations`."""

from gazelle.activations import softmax as softmax_v2

__all__ = ["softmax_v2"]
