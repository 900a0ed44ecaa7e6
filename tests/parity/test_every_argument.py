"""Every constructor argument of every public class, one and two at a time, beside Keras.

What Keras refuses, Gazelle refuses; what Keras computes, Gazelle computes to 1e-5. Differences that
are on purpose are in `ON_PURPOSE`, with the reason.
"""

import inspect
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
import pytest
from parity import sweep

import gazelle

TOLERANCE = 1e-5
TOLERANCES = {"float16": 2e-3, "bfloat16": 2e-2, "mixed_bfloat16": 2e-2, "mixed_float16": 2e-3}
# Pairs of arguments per class; GAZELLE_SWEEP=full tries them all (an hour).
MOST_PAIRS = 100_000 if os.environ.get("GAZELLE_SWEEP") == "full" else 8
REQUIRED = {
    "Dense": {"units": 3},
    "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3},
    "Embedding": {"input_dim": 5, "output_dim": 2},
    "ReversibleEmbedding": {"input_dim": 5, "output_dim": 2},
    "Dropout": {"rate": 0.25},
    "SpatialDropout1D": {"rate": 0.25},
    "AlphaDropout": {"rate": 0.25},
    "GaussianDropout": {"rate": 0.25},
    "GaussianNoise": {"stddev": 0.25},
    "Permute": {"dims": (1,)},
    "Reshape": {"target_shape": (4, 1)},
    "RepeatVector": {"n": 2},
    "Rescaling": {"scale": 2.0},
    "Dot": {"axes": 1},
    "GroupNormalization": {"groups": 2},
    "MeanRelativeError": {"normalizer": [1.0, 2.0, 3.0]},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 4},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 4},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 4},
    "PiecewiseConstantDecay": {"boundaries": [2, 6], "values": [0.1, 0.05, 0.01]},
}
INPUTS = {
    "Embedding": sweep.NUMBERS,
    "ReversibleEmbedding": sweep.NUMBERS,
    "RepeatVector": sweep.MATRIX,
    "SpatialDropout1D": sweep.STEPS,
    "GlobalAveragePooling1D": sweep.STEPS,
    "GlobalMaxPooling1D": sweep.STEPS,
    "Masking": np.where(np.abs(sweep.STEPS) > 0.5, sweep.STEPS, 0).astype("float32"),
    "Flatten": sweep.STEPS,
}
PAIRS = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")
INPUTS |= {name: [sweep.MATRIX, sweep.MATRIX[::-1].copy()] for name in PAIRS}
LAYERS = [
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "BatchNormalization",
    "Concatenate",
    "Dense",
    "Dot",
    "Dropout",
    "EinsumDense",
    "ELU",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalMaxPooling1D",
    "GroupNormalization",
    "Identity",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "Maximum",
    "Minimum",
    "Multiply",
    "Permute",
    "PReLU",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "ReversibleEmbedding",
    "RMSNormalization",
    "Softmax",
    "SpatialDropout1D",
    "Subtract",
    "UnitNormalization",
]
# Classes that are out of scope, that need others, or that nobody makes.
NOT_ALONE = {
    *("CTC", "IoU", "BinaryIoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU", "STFT"),
    *("LossScaleOptimizer", "MultiOptimizer", "OptimizerMap", "MeanMetricWrapper", "Identity"),
    *("Loss", "Metric", "Optimizer", "LearningRateSchedule", "Initializer", "Regularizer"),
    "Constraint",
}


def classes(room):
    return sorted(
        {
            value.__name__
            for name, value in vars(room).items()
            if inspect.isclass(value) and not name.startswith("_") and value.__name__ == name
        }
        - NOT_ALONE
    )


KINDS = {
    "layers": LAYERS,
    "losses": classes(keras.losses),
    "metrics": classes(keras.metrics),
    "optimizers": classes(keras.optimizers),
    "optimizers.schedules": classes(keras.optimizers.schedules),
    "initializers": classes(keras.initializers),
    "regularizers": classes(keras.regularizers),
    "constraints": classes(keras.constraints),
}
CASES = [(room, name) for room, names in KINDS.items() for name in names]
# By class: the arguments that differ on purpose, and why. These metrics give one number per sample;
# Keras cannot weigh the single number that is left without an axis.
_ONE_NUMBER = "a single number can be weighted"
ON_PURPOSE: dict[str, dict[str, str]] = {
    "ConcordanceCorrelation": {"axis": _ONE_NUMBER},
    "CosineSimilarity": {"axis": _ONE_NUMBER},
    "PearsonCorrelation": {"axis": _ONE_NUMBER},
}


def room_of(library, room):
    for part in room.split("."):
        library = getattr(library, part)
    return library


def computed(library, room, name, options):
    def make():
        return getattr(room_of(library, room), name)(**options)

    if room == "layers":
        inputs = INPUTS.get(name, sweep.MATRIX)
        return sweep.outcome(lambda: sweep.values_of_layer(library, make, inputs))
    values = {
        "losses": sweep.values_of_loss,
        "metrics": sweep.values_of_metric,
        "optimizers": sweep.values_of_optimizer,
        "optimizers.schedules": sweep.values_of_schedule,
        "initializers": sweep.values_of_initializer,
    }.get(room, sweep.values_of_function)
    return sweep.outcome(lambda: values(library, make))


@pytest.mark.parametrize(("room", "name"), CASES, ids=lambda part: str(part))
def test_every_argument(room, name):
    required = REQUIRED.get(name, {})
    their_class = getattr(room_of(keras, room), name)
    wrong = []
    for setting in sweep.settings(their_class, name, MOST_PAIRS):
        if ON_PURPOSE.get(name, {}).keys() & setting.keys():
            continue
        doubtful = any(isinstance(value, sweep.Doubtful) for value in setting.values())
        plain = {name: getattr(value, "value", value) for name, value in setting.items()}
        options = {**required, **plain}
        tolerance = (
            0.02 if room == "initializers" else TOLERANCES.get(plain.get("dtype"), TOLERANCE)
        )
        theirs = computed(keras, room, name, options)
        ours = computed(gazelle, room, name, options)
        difference = sweep.disagreement(theirs, ours, tolerance, may_refuse=doubtful)
        if difference:
            wrong.append(f"{setting}: {difference}")
    assert not wrong, f"{len(wrong)} settings differ:\n" + "\n".join(wrong[:40])
