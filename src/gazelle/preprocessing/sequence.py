"""Sequences under the names of `keras.preprocessing.sequence`."""

from gazelle.utils import pad_sequences

__all__ = ["pad_sequences"]
