"""Keras on JAX."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
from keras_script import run

run(keras, "keras", "jax")
