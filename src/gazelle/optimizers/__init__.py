"""Optimizers, which update weights from gradients."""

from typing import TYPE_CHECKING, Any

from gazelle._core import doors
from gazelle.optimizers import schedules
from gazelle.optimizers.adadelta import Adadelta
from gazelle.optimizers.adafactor import Adafactor
from gazelle.optimizers.adagrad import Adagrad
from gazelle.optimizers.adam import Adam, AdamW
from gazelle.optimizers.adamax import Adamax
from gazelle.optimizers.ftrl import Ftrl
from gazelle.optimizers.lamb import Lamb
from gazelle.optimizers.lion import Lion
from gazelle.optimizers.lookup import deserialize, get, serialize
from gazelle.optimizers.loss_scale import LossScaleOptimizer
from gazelle.optimizers.multi import MultiOptimizer, OptimizerMap
from gazelle.optimizers.muon import Muon
from gazelle.optimizers.nadam import Nadam
from gazelle.optimizers.optimizer import Optimizer
from gazelle.optimizers.rmsprop import RMSprop
from gazelle.optimizers.schedule_free import ScheduleFreeAdamW
from gazelle.optimizers.sgd import SGD
from gazelle.optimizers.transformations import OptaxOptimizer

if not TYPE_CHECKING:  # with __getattr__, a type checker would accept every name

    def __getattr__(name: str) -> Any:
        sentence = None
        if name == "legacy":
            sentence = "legacy: these optimizers are Keras 2's; use those of gazelle.optimizers."
        raise doors.missing(__name__, name, sentence)


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
