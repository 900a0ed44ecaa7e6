"""Gazelle: dense neural networks with Keras's API, whole epochs compiled by XLA.

The names are loaded when they are used first, so that `gazelle --help` need not wait for JAX.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from gazelle._core import doors as _doors

if sys.version_info < (3, 11):  # noqa: UP036 (a source tree asks nobody before it is imported)
    raise ImportError("Gazelle needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")

__version__ = "0.1.0"

if TYPE_CHECKING:  # the same names once more, for editors and type checkers
    from gazelle import activations as activations
    from gazelle import backend as backend
    from gazelle import callbacks as callbacks
    from gazelle import compat as compat
    from gazelle import config as config
    from gazelle import constraints as constraints
    from gazelle import datasets as datasets
    from gazelle import distribution as distribution
    from gazelle import dtype_policies as dtype_policies
    from gazelle import errors as errors
    from gazelle import initializers as initializers
    from gazelle import layers as layers
    from gazelle import losses as losses
    from gazelle import metrics as metrics
    from gazelle import mixed_precision as mixed_precision
    from gazelle import models as models
    from gazelle import ops as ops
    from gazelle import optimizers as optimizers
    from gazelle import preprocessing as preprocessing
    from gazelle import random as random
    from gazelle import regularizers as regularizers
    from gazelle import runtime as runtime
    from gazelle import saving as saving
    from gazelle import tree as tree
    from gazelle import utils as utils
    from gazelle import wrappers as wrappers
    from gazelle._core.dtypes import DTypePolicy as DTypePolicy
    from gazelle._core.operation import Operation as Operation
    from gazelle._core.remat import RematScope as RematScope
    from gazelle._core.remat import remat as remat
    from gazelle._core.scopes import StatelessScope as StatelessScope
    from gazelle._core.scopes import SymbolicScope as SymbolicScope
    from gazelle._core.scopes import device as device
    from gazelle._core.scopes import name_scope as name_scope
    from gazelle._core.symbolic import KerasTensor as KerasTensor
    from gazelle._core.variable import Variable as Variable
    from gazelle._report.report import report as report
    from gazelle.dtype_policies import FloatDTypePolicy as FloatDTypePolicy
    from gazelle.initializers import Initializer as Initializer
    from gazelle.layers import Input as Input
    from gazelle.layers import InputSpec as InputSpec
    from gazelle.layers import Layer as Layer
    from gazelle.layers._function import Function as Function
    from gazelle.losses import Loss as Loss
    from gazelle.metrics import Metric as Metric
    from gazelle.models import Functional as Functional
    from gazelle.models import Model as Model
    from gazelle.models import Sequential as Sequential
    from gazelle.optimizers import Optimizer as Optimizer
    from gazelle.regularizers import Regularizer as Regularizer
else:
    _ROOMS = [
        "activations",
        "backend",
        "callbacks",
        "compat",
        "config",
        "constraints",
        "datasets",
        "distribution",
        "dtype_policies",
        "errors",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "mixed_precision",
        "models",
        "ops",
        "optimizers",
        "preprocessing",
        "random",
        "regularizers",
        "runtime",
        "saving",
        "tree",
        "utils",
        "wrappers",
    ]
    _HOMES = {
        **{room: f"gazelle.{room}" for room in _ROOMS},
        "DTypePolicy": "gazelle._core.dtypes",
        "FloatDTypePolicy": "gazelle.dtype_policies",
        "Function": "gazelle.layers._function",
        "Functional": "gazelle.models",
        "Initializer": "gazelle.initializers",
        "Input": "gazelle.layers",
        "InputSpec": "gazelle.layers",
        "KerasTensor": "gazelle._core.symbolic",
        "Layer": "gazelle.layers",
        "Loss": "gazelle.losses",
        "Metric": "gazelle.metrics",
        "Model": "gazelle.models",
        "Operation": "gazelle._core.operation",
        "Optimizer": "gazelle.optimizers",
        "Regularizer": "gazelle.regularizers",
        "RematScope": "gazelle._core.remat",
        "Sequential": "gazelle.models",
        "StatelessScope": "gazelle._core.scopes",
        "SymbolicScope": "gazelle._core.scopes",
        "Variable": "gazelle._core.variable",
        "device": "gazelle._core.scopes",
        "name_scope": "gazelle._core.scopes",
        "remat": "gazelle._core.remat",
        "report": "gazelle._report.report",
    }
    __all__ = [*_HOMES, "__version__", "version"]
    __getattr__, __dir__ = _doors.lazy(__name__, _HOMES)


def version() -> str:
    """The version of Gazelle."""
    return __version__


# A config may name a class of any room; models loads them all.
_doors.set_loader(lambda: [import_module("gazelle.models"), import_module("gazelle.ops")])
