"""Optimizers, which update weights from gradients."""

from typing import TYPE_CHECKING, Any

from gazelle._core import doors as _doors
from gazelle.optimizers import schedules
from gazelle.optimizers._adadelta import Adadelta
from gazelle.optimizers._adafactor import Adafactor
from gazelle.optimizers._adagrad import Adagrad
from gazelle.optimizers._adam import Adam, AdamW
from gazelle.optimizers._adamax import Adamax
from gazelle.optimizers._ftrl import Ftrl
from gazelle.optimizers._lamb import Lamb
from gazelle.optimizers._lion import Lion
from gazelle.optimizers._lookup import deserialize, get, serialize
from gazelle.optimizers._loss_scale import LossScaleOptimizer
from gazelle.optimizers._multi import MultiOptimizer, OptimizerMap
from gazelle.optimizers._muon import Muon
from gazelle.optimizers._nadam import Nadam
from gazelle.optimizers._optimizer import Optimizer
from gazelle.optimizers._rmsprop import RMSprop
from gazelle.optimizers._schedule_free import ScheduleFreeAdamW
from gazelle.optimizers._sgd import SGD
from gazelle.optimizers._transformations import OptaxOptimizer

if not TYPE_CHECKING:  # with __getattr__, a type checker would accept every name

    def __getattr__(name: str) -> Any:
        sentence = None
        if name == "legacy":
            sentence = "legacy: these optimizers are Keras 2's; use those of gazelle.optimizers."
        raise _doors.missing(__name__, name, sentence)


__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "OptaxOptimizer",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]
