"""The cases of the parity tests: networks, losses, optimizers, metrics, data and batches."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from parity import data, nets

# 70 rows in batches of 32 (6 remain), of 14 (none remain), in one batch, and in one batch that is
# larger than the data.
RAGGED, EVEN, WHOLE, LARGER = ({"batch_size": size} for size in (32, 14, 70, 100))
VALIDATED = {"validation_data": True}


@dataclass(frozen=True)
class Case:
    """One training run.

    Args:
        name: What the case tests; also the id of the test.
        build: Builds the network with a library.
        data: Returns `(x, y)` or `(x, y, sample_weight)` with `rows` rows.
        compile: Returns the arguments of `compile` for a library.
        fit: Further arguments of `fit`; `validation_data=True` for 30 rows of the same kind.
    """

    name: str
    build: Callable[[Any], Any]
    data: Callable[..., tuple]
    compile: Callable[[Any], dict[str, Any]]
    fit: dict[str, Any] = field(default_factory=dict)


def adam(loss, metrics=(), **more):
    return lambda K: {
        "optimizer": K.optimizers.Adam(0.01),
        "loss": loss,
        "metrics": list(metrics) or None,
        **more,
    }


def with_optimizer(make, loss="mse", metrics=("mae",)):
    return lambda K: {"optimizer": make(K.optimizers), "loss": loss, "metrics": list(metrics)}


def with_loss(make, metrics=(), rate=0.01):
    return lambda K: {
        "optimizer": K.optimizers.Adam(rate),
        "loss": make(K.losses),
        "metrics": list(metrics),
    }


def _squares(y_true, y_pred):
    return ((y_true - y_pred) ** 2).mean(-1)


def _worst(y_true, y_pred):
    return abs(y_true - y_pred).max()


CASES = [
    # Losses
    # ------------------------------------------------------------------
    Case("linear, mse, whole batch", nets.linear(), data.regression, adam("mse", ["mae"]), WHOLE),
    Case("deep, mse, ragged", nets.deep(), data.regression, adam("mse", ["mae", "mape"]), RAGGED),
    Case(
        "deep, mse, several targets",
        nets.deep(3),
        data.targets_3,
        adam("mse", ["mae", "mse"]),
        EVEN,
    ),
    Case("deep, mae, even", nets.deep(hidden="tanh"), data.regression, adam("mae", ["mse"]), EVEN),
    Case("mape", nets.deep(1, "softplus"), data.positive, adam("mape", ["mape", "msle"]), RAGGED),
    Case("msle", nets.deep(1, "softplus"), data.positive, adam("msle", ["msle"]), EVEN),
    Case("huber by name", nets.small(), data.regression, adam("huber", ["mae"]), RAGGED),
    Case(
        "Huber(0.3)",
        nets.small(),
        data.regression,
        with_loss(lambda loss: loss.Huber(0.3), ["mae"]),
        EVEN,
    ),
    Case("log-cosh", nets.small(), data.regression, adam("log_cosh", ["mae"]), RAGGED),
    Case(
        "binary crossentropy, accuracy and AUC, validation",
        nets.deep(1, "sigmoid"),
        data.binary,
        lambda K: {
            "optimizer": "adam",
            "loss": "binary_crossentropy",
            "metrics": [
                "accuracy",
                K.metrics.AUC(name="auc"),
                K.metrics.Precision(name="precision"),
                K.metrics.Recall(name="recall"),
            ],
        },
        RAGGED | VALIDATED,
    ),
    Case(
        "binary crossentropy from logits, smoothed",
        nets.small(),
        data.binary,
        lambda K: {
            "optimizer": "adam",
            "loss": K.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
            "metrics": [K.metrics.BinaryAccuracy(threshold=0.0)],
        },
        EVEN,
    ),
    Case(
        "binary crossentropy, several labels",
        nets.small(3, "sigmoid"),
        data.several_labels,
        adam("bce", ["binary_accuracy"]),
        RAGGED,
    ),
    Case(
        "focal binary crossentropy",
        nets.small(1, "sigmoid"),
        data.binary,
        adam("binary_focal_crossentropy", ["accuracy"]),
        EVEN,
    ),
    Case(
        "categorical crossentropy, accuracy and F1",
        nets.deep(4, "softmax"),
        data.one_hot,
        lambda K: {
            "optimizer": "adam",
            "loss": "categorical_crossentropy",
            "metrics": [
                "accuracy",
                K.metrics.F1Score(average="macro"),
                K.metrics.TopKCategoricalAccuracy(k=2),
            ],
        },
        RAGGED | VALIDATED,
    ),
    Case(
        "categorical crossentropy, smoothed",
        nets.small(4, "softmax"),
        data.one_hot,
        with_loss(lambda loss: loss.CategoricalCrossentropy(label_smoothing=0.2), ["acc"]),
        EVEN,
    ),
    Case(
        "focal categorical crossentropy",
        nets.small(4, "softmax"),
        data.one_hot,
        adam("categorical_focal_crossentropy", ["accuracy"]),
        EVEN,
    ),
    Case(
        "sparse categorical crossentropy, validation split",
        nets.deep(4, "softmax"),
        data.labels,
        adam("sparse_categorical_crossentropy", ["accuracy", "sparse_top_k_categorical_accuracy"]),
        RAGGED | {"validation_split": 0.25},
    ),
    Case(
        "sparse categorical crossentropy from logits",
        nets.small(4),
        data.labels_column,
        with_loss(lambda loss: loss.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]),
        EVEN,
    ),
    Case(
        "crossentropy resolved",
        nets.small(4, "softmax"),
        data.labels,
        adam("crossentropy", ["acc"]),
        {"batch_size": 16},
    ),
    Case("hinge", nets.small(1, "tanh"), data.signs, adam("hinge", ["hinge"]), RAGGED),
    Case("squared hinge", nets.small(), data.signs, adam("squared_hinge", ["squared_hinge"]), EVEN),
    Case("hinge with labels 0 and 1", nets.small(1, "tanh"), data.binary, adam("hinge"), RAGGED),
    Case(
        "categorical hinge",
        nets.small(4),
        data.one_hot,
        adam("categorical_hinge", ["accuracy"]),
        RAGGED,
    ),
    Case(
        "KL divergence",
        nets.small(4, "softmax"),
        data.shares,
        adam("kl_divergence", ["kl_divergence"]),
        RAGGED,
    ),
    Case(
        "Poisson",
        nets.small(1, "exponential"),
        data.counts,
        adam("poisson", ["poisson", "mae"]),
        EVEN,
    ),
    Case(
        "cosine similarity",
        nets.small(3),
        data.targets_3,
        adam("cosine_similarity", ["mse"]),
        RAGGED,
    ),
    Case(
        "loss summed, reduction none in the metric",
        nets.small(),
        data.regression,
        with_loss(lambda loss: loss.MeanSquaredError(reduction="sum"), ["mse"], rate=0.003),
        RAGGED,
    ),
    Case(
        "function as loss, functions as metrics",
        nets.small(3),
        data.targets_3,
        lambda K: {"optimizer": "adam", "loss": _squares, "metrics": [_squares, _worst]},
        RAGGED,
    ),
    # Optimizers
    # ------------------------------------------------------------------
    Case(
        "SGD", nets.deep(), data.regression, with_optimizer(lambda optim: optim.SGD(0.05)), RAGGED
    ),
    Case(
        "SGD by name",
        nets.deep(),
        data.regression,
        lambda K: {"optimizer": "sgd", "loss": "mse"},
        EVEN,
    ),
    Case(
        "SGD with momentum",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.SGD(0.02, momentum=0.9)),
        EVEN | VALIDATED,
    ),
    Case(
        "SGD with Nesterov momentum",
        nets.deep(4, "softmax"),
        data.one_hot,
        with_optimizer(
            lambda optim: optim.SGD(0.02, momentum=0.8, nesterov=True),
            "categorical_crossentropy",
            ["accuracy"],
        ),
        RAGGED,
    ),
    Case(
        "RMSprop, centered with momentum",
        nets.deep(hidden="tanh"),
        data.regression,
        with_optimizer(
            lambda optim: optim.RMSprop(0.003, momentum=0.5, centered=True, epsilon=1e-3)
        ),
        RAGGED,
    ),
    Case("RMSprop by default", nets.small(), data.regression, lambda K: {"loss": "mse"}, EVEN),
    Case(
        "Adagrad",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.Adagrad(0.05)),
        RAGGED,
    ),
    Case(
        "Adadelta",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.Adadelta(1.0)),
        RAGGED,
    ),
    Case(
        "Adam, AMSGrad",
        nets.deep(hidden="tanh"),
        data.regression,
        with_optimizer(lambda optim: optim.Adam(0.01, beta_1=0.8, amsgrad=True)),
        RAGGED,
    ),
    Case(
        "AdamW",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.AdamW(0.01, weight_decay=0.05)),
        EVEN,
    ),
    Case(
        "Adamax",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.Adamax(0.01)),
        RAGGED,
    ),
    Case(
        "Nadam", nets.deep(), data.regression, with_optimizer(lambda optim: optim.Nadam(0.01)), EVEN
    ),
    Case(
        "clipnorm",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.SGD(0.05, clipnorm=0.1)),
        RAGGED,
    ),
    Case(
        "clipvalue",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.SGD(0.1, clipvalue=0.05)),
        RAGGED,
    ),
    Case(
        "global_clipnorm",
        nets.skip(),
        data.regression,
        with_optimizer(lambda optim: optim.Adam(0.01, global_clipnorm=0.2)),
        EVEN,
    ),
    Case(
        "weight decay with SGD",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.SGD(0.05, momentum=0.5, weight_decay=0.1)),
        RAGGED,
    ),
    Case(
        "moving average of the weights",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.Adam(0.01, use_ema=True, ema_momentum=0.7)),
        RAGGED | VALIDATED,
    ),
    Case(
        "moving average, overwriting every 4 updates",
        nets.batch_normalized(),
        data.regression,
        with_optimizer(
            lambda optim: optim.SGD(0.05, use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=4)
        ),
        RAGGED,
    ),
    Case(
        "gradient accumulation",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.Adam(0.02, gradient_accumulation_steps=2)),
        RAGGED,
    ),
    Case(
        "loss scaled",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.Adam(0.01, loss_scale_factor=128.0)),
        RAGGED,
    ),
    Case(
        "exponential schedule",
        nets.deep(),
        data.regression,
        with_optimizer(lambda optim: optim.SGD(optim.schedules.ExponentialDecay(0.1, 3, 0.8))),
        RAGGED,
    ),
    Case(
        "cosine schedule with warm-up",
        nets.deep(4, "softmax"),
        data.labels,
        with_optimizer(
            lambda optim: optim.Adam(
                optim.schedules.CosineDecay(0.001, 8, warmup_target=0.02, warmup_steps=4)
            ),
            "sparse_categorical_crossentropy",
            ["accuracy"],
        ),
        EVEN,
    ),
    Case(
        "piecewise schedule",
        nets.linear(3),
        data.targets_3,
        with_optimizer(
            lambda optim: optim.SGD(
                optim.schedules.PiecewiseConstantDecay([3, 9], [0.1, 0.03, 0.01])
            )
        ),
        RAGGED,
    ),
    # Architectures
    # ------------------------------------------------------------------
    Case("built late", nets.built_late, data.regression, adam("mse"), RAGGED),
    Case(
        "activation layers",
        nets.activation_layers,
        data.one_hot,
        adam("categorical_crossentropy", ["accuracy"]),
        {"batch_size": 16},
    ),
    Case(
        "skip connections",
        nets.skip(4, "softmax"),
        data.labels,
        adam("sparse_categorical_crossentropy"),
        RAGGED,
    ),
    Case("operators and merging layers", nets.arithmetic, data.regression, adam("mse"), EVEN),
    Case(
        "two inputs",
        nets.two_inputs,
        data.two_inputs,
        adam("mse", ["mae"]),
        RAGGED | VALIDATED,
    ),
    Case(
        "dict of inputs",
        nets.dict_inputs,
        data.dict_inputs,
        adam("mae"),
        EVEN | {"validation_split": 0.2},
    ),
    Case("shared layers", nets.shared, data.pairs, adam("mse"), RAGGED),
    Case(
        "two outputs, lists",
        nets.two_outputs,
        data.two_outputs,
        adam(
            ["mse", "sparse_categorical_crossentropy"],
            [["mae"], ["accuracy"]],
            loss_weights=[0.3, 1.5],
        ),
        RAGGED | VALIDATED,
    ),
    Case(
        "two outputs, dicts by name",
        nets.two_outputs,
        data.two_outputs_by_name,
        lambda K: {
            "optimizer": "sgd",
            "loss": {"size": "huber", "kind": K.losses.SparseCategoricalCrossentropy()},
            "metrics": {"kind": ["accuracy"]},
            "loss_weights": {"size": 2.0, "kind": 0.5},
        },
        EVEN,
    ),
    Case(
        "two outputs, one without a loss",
        nets.two_outputs,
        data.two_outputs,
        adam(["mse", None], [["mae"], None]),
        RAGGED,
    ),
    Case(
        "dict of outputs",
        nets.dict_outputs,
        data.dict_outputs,
        adam({"size": "mse", "kind": "categorical_crossentropy"}, metrics=()),
        RAGGED | VALIDATED,
    ),
    Case(
        "batch normalization, ragged", nets.batch_normalized(), data.regression, adam("mse"), RAGGED
    ),
    Case(
        "batch normalization, classes, validation",
        nets.batch_normalized(4, "softmax", momentum=0.9, epsilon=1e-2),
        data.labels,
        adam("sparse_categorical_crossentropy", ["accuracy"]),
        EVEN | VALIDATED,
    ),
    Case(
        "batch normalization, frozen",
        nets.frozen_normalization,
        data.regression,
        adam("mse"),
        RAGGED,
    ),
    Case(
        "batch renormalization",
        nets.batch_normalized(renorm=True),
        data.regression,
        with_optimizer(lambda optim: optim.SGD(0.01)),
        EVEN,
    ),
    Case("layer normalization", nets.layer_normalized(), data.regression, adam("mse"), RAGGED),
    Case(
        "layer normalization, classes",
        nets.layer_normalized(4, "softmax"),
        data.one_hot,
        adam("categorical_crossentropy", ["accuracy"]),
        LARGER,
    ),
    Case("dropout of rate 0", nets.dropout_rate_0, data.regression, adam("mse"), RAGGED),
    Case("kernel regularised", nets.regularised("l2"), data.regression, adam("mse"), RAGGED),
    Case(
        "kernel, bias and activity regularised",
        nets.regularised("l1", bias=True, activity=True),
        data.regression,
        with_optimizer(lambda optim: optim.SGD(0.02)),
        RAGGED | VALIDATED,
    ),
    Case(
        "orthogonal regulariser",
        nets.regularised("orthogonal_regularizer", activity=True),
        data.regression,
        with_optimizer(lambda optim: optim.SGD(0.02)),
        EVEN,
    ),
    Case("largest norm", nets.constrained("max", "nonneg"), data.regression, adam("mse"), RAGGED),
    Case("unit norm", nets.constrained("unit"), data.regression, adam("mse"), EVEN),
    Case(
        "norm within limits",
        nets.constrained("minmax", "max"),
        data.regression,
        adam("mse"),
        RAGGED,
    ),
    Case(
        "models in a model",
        nets.nested,
        data.regression,
        adam("mse", ["mae"]),
        RAGGED | VALIDATED,
    ),
    Case("chain in a chain", nets.nested_chain, data.regression, adam("mse"), EVEN),
    Case("one layer frozen", nets.partly_frozen, data.regression, adam("mse"), RAGGED),
    Case("subclassed model", nets.subclassed, data.regression, adam("mse", ["mae"]), RAGGED),
    Case(
        "subclassed model, dict of outputs",
        nets.subclassed_two_outputs,
        data.dict_outputs,
        adam({"size": "mse", "kind": "categorical_crossentropy"}),
        EVEN | VALIDATED,
    ),
    Case("custom layer with add_loss", nets.custom_layer, data.regression, adam("mse"), RAGGED),
    Case(
        "bytes, rescaled",
        nets.pixels,
        data.bytes_4,
        adam("sparse_categorical_crossentropy", ["accuracy"]),
        RAGGED,
    ),
    Case("dense on the last of three axes", nets.sequences, data.sequences, adam("mse"), RAGGED),
    Case(
        "a class for every step",
        nets.per_step,
        data.labeled_steps,
        adam("sparse_categorical_crossentropy", ["accuracy"]),
        EVEN,
    ),
    # Sample weights and class weights
    # ------------------------------------------------------------------
    Case(
        "sample weights",
        nets.deep(),
        data.weighted,
        adam("mse", ["mae"], weighted_metrics=["mae", "mse"]),
        RAGGED | VALIDATED,
    ),
    Case(
        "sample weights, split off",
        nets.small(4, "softmax"),
        data.weighted_labels,
        adam("sparse_categorical_crossentropy", weighted_metrics=["accuracy"]),
        EVEN | {"validation_split": 0.3},
    ),
    Case(
        "sample weights, mean by weight",
        nets.small(),
        data.weighted,
        with_loss(
            lambda loss: loss.MeanAbsoluteError(reduction="mean_with_sample_weight"), ["mse"]
        ),
        RAGGED,
    ),
    Case(
        "sample weights for each of two outputs",
        nets.two_outputs,
        data.weighted_two_outputs,
        adam(["mse", "sparse_categorical_crossentropy"], weighted_metrics=[["mae"], ["accuracy"]]),
        RAGGED,
    ),
    Case(
        "class weights, labels",
        nets.small(4, "softmax"),
        data.labels,
        adam("sparse_categorical_crossentropy", ["accuracy"], weighted_metrics=["accuracy"]),
        RAGGED | {"class_weight": {0: 0.5, 2: 3.0}, "validation_data": True},
    ),
    Case(
        "class weights, one-hot",
        nets.small(4, "softmax"),
        data.one_hot,
        adam("categorical_crossentropy", ["accuracy"]),
        EVEN | {"class_weight": {0: 0.5, 1: 1.0, 2: 3.0, 3: 0.1}},
    ),
    Case(
        "class weights, binary",
        nets.small(1, "sigmoid"),
        data.binary,
        adam("bce", ["accuracy"]),
        RAGGED | {"class_weight": {0: 1.0, 1: 4.0}},
    ),
    Case("batches larger than the data", nets.deep(), data.regression, adam("mse"), LARGER),
    Case("default batch size", nets.deep(), data.regression, adam("mse"), {}),
    Case(
        "steps per epoch, going on in the next",
        nets.deep(),
        data.regression,
        adam("mse"),
        EVEN | {"steps_per_epoch": 1},
    ),
]
