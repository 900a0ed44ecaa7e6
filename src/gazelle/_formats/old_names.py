"""What classes and arguments of Keras 1, Keras 2 and tf.keras are called today.

This is data alone: `old_configs` rewrites configs by it. A name that is not in a table has not
changed, or Gazelle has nothing like it; then the name is unknown where an object is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ANY = object()  # among `dropped`: every value


@dataclass(frozen=True)
class Renamed:
    """What an old class is today.

    Args:
        name: Today's class.
        arguments: Old argument -> today's.
        dropped: Old argument -> the values with which nothing is lost without it, or `ANY`.
        added: Arguments that were not options yet, with the values that were used.
    """

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, Any] = field(default_factory=dict)
    added: Mapping[str, Any] = field(default_factory=dict)


_DENSE = Renamed(
    "Dense",
    {
        "output_dim": "units",
        "init": "kernel_initializer",
        "W_regularizer": "kernel_regularizer",
        "b_regularizer": "bias_regularizer",
        "W_constraint": "kernel_constraint",
        "b_constraint": "bias_constraint",
        "bias": "use_bias",
    },
    {"input_dim": ANY, "input_length": ANY},
)
_BATCH_NORMALIZATION = Renamed(
    "BatchNormalization",
    {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
    # Mode 0 normalizes each feature over the batch; the other modes are gone.
    {"mode": (0,), "fused": ANY, "virtual_batch_size": (None,), "adjustment": (None,)},
)
LAYERS: dict[str, Renamed] = {
    "AlphaDropout": Renamed("AlphaDropout", {"p": "rate"}),
    "BatchNormalization": _BATCH_NORMALIZATION,
    "BatchNormalizationV1": _BATCH_NORMALIZATION,
    "BatchNormalizationV2": _BATCH_NORMALIZATION,
    "Dense": _DENSE,
    "Dropout": Renamed("Dropout", {"p": "rate"}),
    "GaussianDropout": Renamed("GaussianDropout", {"p": "rate"}),
    "Embedding": Renamed(
        "Embedding",
        {
            "init": "embeddings_initializer",
            "W_regularizer": "embeddings_regularizer",
            "W_constraint": "embeddings_constraint",
        },
        {"dropout": (0, None)},
    ),
    "GaussianNoise": Renamed("GaussianNoise", {"sigma": "stddev"}),
    "InputLayer": Renamed(
        "InputLayer", {"batch_input_shape": "batch_shape", "input_dtype": "dtype"}
    ),
    "LeakyReLU": Renamed("LeakyReLU", {"alpha": "negative_slope"}),
    "Model": Renamed("Functional"),
    "PReLU": Renamed("PReLU", {"init": "alpha_initializer"}),
    "SpatialDropout1D": Renamed("SpatialDropout1D", {"p": "rate"}),
    "SyncBatchNormalization": _BATCH_NORMALIZATION,
    "ThresholdedReLU": Renamed("ReLU", {"theta": "threshold"}),
    "TimeDistributedDense": _DENSE,
}
# What every layer could have, and an Input says today.
OF_EVERY_LAYER = ("batch_input_shape", "input_dtype")

# The modes of the layer Merge: today's layer, and its arguments.
MERGE_MODES: dict[str, Renamed] = {
    "sum": Renamed("Add"),
    "mul": Renamed("Multiply"),
    "ave": Renamed("Average"),
    "max": Renamed("Maximum"),
    "concat": Renamed("Concatenate", {"concat_axis": "axis"}),
}
MERGE_ARGUMENTS = (
    "mode", "mode_type", "concat_axis", "dot_axes", "output_shape", "output_shape_type",
    "output_mask", "output_mask_type", "arguments",
)  # fmt: skip

# Operators between tensors. Keras 3 does not write their module into `.h5` files.
OPERATORS = (
    "Absolute", "Add", "Divide", "GetItem", "Matmul", "Multiply", "Negative", "Power", "Subtract",
    "TrueDivide",
)  # fmt: skip

ACTIVATIONS: dict[str, str] = {"softmax_v2": "softmax"}  # TensorFlow's function
# Activations that were other functions before Keras 3.
CHANGED_ACTIVATIONS: dict[str, str] = {"hard_sigmoid": "clip(0.2 x + 0.5, 0, 1)"}

# Regularizers, constraints and initializers.
PARTS: dict[str, Renamed] = {
    "ActivityRegularizer": Renamed("L1L2"),
    "L1L2Regularizer": Renamed("L1L2"),
    "MaxNorm": Renamed("MaxNorm", {"m": "max_value"}),
    "MinMaxNorm": Renamed("MinMaxNorm", {"low": "min_value", "high": "max_value"}),
    "WeightRegularizer": Renamed("L1L2"),
}

_COMMON = {"lr": "learning_rate"}
_NOTHING = {"is_legacy_optimizer": ANY, "jit_compile": ANY}
OPTIMIZER_CLASSES: dict[str, Renamed] = {
    # Keras 3 begins the sums of squares with 0.1.
    "Adagrad": Renamed("Adagrad", _COMMON, _NOTHING, {"initial_accumulator_value": 0.0}),
    "Nadam": Renamed("Nadam", _COMMON, {**_NOTHING, "schedule_decay": ANY}),
}
ANY_OPTIMIZER = Renamed("", _COMMON, _NOTHING)

LOSSES: dict[str, Renamed] = {
    "CosineProximity": Renamed("CosineSimilarity"),
    "Logcosh": Renamed("LogCosh"),
}
REDUCTIONS = {"auto": "sum_over_batch_size"}
# Classes that only call a function, which their config names.
FUNCTION_WRAPPERS = (
    "LossFunctionWrapper", "MeanMetricWrapper", "SumOverBatchSizeMetricWrapper",
)  # fmt: skip

# The last part of the names of weights in Keras 1: `dense_1_W`.
WEIGHTS: dict[str, str] = {
    "W": "kernel",
    "b": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "alphas": "alpha",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}


@dataclass(frozen=True)
class Slots:
    """The state that an optimizer keeps for each weight.

    Args:
        names: Name in a file -> Gazelle's name.
        order: Gazelle's names in the order of Keras 1 and 2, which gave them no names. Each is
            there for all weights before the next.
        counts_steps: Whether the number of steps came first in those versions; None for some.
    """

    names: Mapping[str, str]
    order: tuple[str, ...] = ()
    counts_steps: bool | None = True


_MOMENTS = {"m": "momentum", "v": "velocity", "vhat": "velocity_hat"}
# Nadam is missing: its state depends on a product that those versions did not save.
SLOTS: dict[str, Slots] = {
    "SGD": Slots({"momentum": "momentum", "m": "momentum"}, ("momentum",)),
    "RMSprop": Slots(
        {
            "rms": "velocity",
            "velocity": "velocity",
            "momentum": "momentum",
            "mg": "average_gradient",
            "average_gradient": "average_gradient",
        },
        ("velocity",),
        None,
    ),
    "Adagrad": Slots({"accumulator": "accumulator"}, ("accumulator",), None),
    "Adadelta": Slots(
        {
            "accum_grad": "accumulated_grad",
            "accumulated_grad": "accumulated_grad",
            "accum_var": "accumulated_delta_var",
            "accumulated_delta_var": "accumulated_delta_var",
        },
        ("accumulated_grad", "accumulated_delta_var"),
        None,
    ),
    "Adam": Slots(_MOMENTS, ("momentum", "velocity", "velocity_hat")),
    "AdamW": Slots(_MOMENTS),
    "Adamax": Slots({"m": "momentum", "v": "norm", "u": "norm"}, ("momentum", "norm")),
    "Ftrl": Slots({"accumulator": "accumulator", "linear": "linear"}),
    "Lion": Slots({"m": "momentum"}),
}
# Names of an optimizer's own numbers, and Gazelle's names; None for what its config says too.
SCALARS: dict[str, str | None] = {
    "iter": "iteration",
    "iteration": "iteration",
    "iterations": "iteration",
    "learning_rate": None,
    "current_learning_rate": None,
}
