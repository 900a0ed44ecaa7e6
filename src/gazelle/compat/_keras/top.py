"""Names of `keras` itself."""

from gazelle.compat._keras.layers import Input

__all__ = ["Input", "__version__"]

__version__ = "3.15.1"  # the Keras whose names and numbers Gazelle has
