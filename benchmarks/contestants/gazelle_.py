"""Gazelle."""

from keras_script import run

import gazelle

run(gazelle, "gazelle", "jax")
