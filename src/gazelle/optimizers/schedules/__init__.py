"""Learning-rate schedules."""

from gazelle.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from gazelle.optimizers.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from gazelle.optimizers.schedules.schedule import LearningRateSchedule, deserialize, serialize

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]
