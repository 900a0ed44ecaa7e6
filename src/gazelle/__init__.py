"""Gazelle: dense neural networks with Keras's API, whole epochs compiled by XLA.

The names are loaded when they are used first, so that `gazelle --help` need not wait for JAX.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gazelle import (
        activations,
        callbacks,
        config,
        constraints,
        datasets,
        initializers,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        random,
        regularizers,
        saving,
        utils,
    )
    from gazelle._core.symbolic import KerasTensor
    from gazelle._core.variable import Variable
    from gazelle.initializers import Initializer
    from gazelle.layers import Input, InputSpec, Layer
    from gazelle.losses import Loss
    from gazelle.metrics import Metric
    from gazelle.models import Functional, Model, Sequential
    from gazelle.optimizers import Optimizer
    from gazelle.recording import report
    from gazelle.regularizers import Regularizer

if sys.version_info < (3, 11):  # noqa: UP036 (a source tree asks nobody before it is imported)
    raise ImportError("Gazelle needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")

__version__ = "0.1.0"

# Where each name that is no room comes from.
_HOMES = {
    "Functional": "models",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "_core.symbolic",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "Variable": "_core.variable",
    "report": "recording",
}

__all__ = [
    "Functional",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "__version__",
    "activations",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "random",
    "regularizers",
    "report",
    "saving",
    "utils",
]


if not TYPE_CHECKING:  # a type checker would take every name for one that is there

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            value = getattr(import_module(f"gazelle.{_HOMES[name]}"), name)
        elif name in __all__:
            value = import_module(f"gazelle.{name}")
        else:
            raise AttributeError(f"module 'gazelle' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
