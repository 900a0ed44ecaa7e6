"""What "accuracy" and "crossentropy" stand for follows from the shapes, as in Keras."""

import keras
import numpy as np
import pytest

from gazelle import losses, metrics
from gazelle.metrics._resolve import (
    accuracy_for,
    crossentropy_for,
    from_function,
    is_accuracy,
    is_crossentropy,
)

SHAPES = [
    ((5,), (5, 1)),
    ((5, 1), (5, 1)),
    ((5,), (5, 3)),
    ((5, 1), (5, 3)),
    ((5, 3), (5, 3)),
    ((5, 2), (5, 2, 4)),
]


@pytest.mark.parametrize(("true_shape", "pred_shape"), SHAPES)
def test_accuracy_is_the_one_that_keras_chooses_and_has_the_users_name(true_shape, pred_shape):
    ours = accuracy_for("Acc", true_shape, pred_shape)
    compiled = keras.src.trainers.compile_utils.CompileMetrics(["Acc"], None)
    compiled.build(np.zeros(true_shape), np.zeros(pred_shape))
    assert type(ours).__name__ == type(compiled.metrics[0]).__name__
    assert ours.name == compiled.metrics[0].name == "Acc"


def test_shapes_may_have_an_unknown_batch_axis():
    assert isinstance(accuracy_for("acc", (None,), (None, 3)), metrics.SparseCategoricalAccuracy)


@pytest.mark.parametrize(
    ("true_shape", "pred_shape", "expected"),
    [
        ((5,), (5, 1), metrics.BinaryCrossentropy),
        ((5, 1), (5, 3), metrics.SparseCategoricalCrossentropy),
        ((5, 3), (5, 3), metrics.CategoricalCrossentropy),
    ],
)
def test_crossentropy_follows_the_shapes(true_shape, pred_shape, expected):
    metric = crossentropy_for("ce", true_shape, pred_shape, from_logits=True)
    assert type(metric) is expected
    assert metric.name == "ce"
    assert metric.get_config()["from_logits"] is True


def test_logits_are_split_at_zero():
    y, logits = np.array([1.0, 0.0]), np.array([[0.2], [-0.2]])
    assert float(accuracy_for("accuracy", (2,), (2, 1), from_logits=True)(y, logits)) == 1.0
    assert float(accuracy_for("accuracy", (2,), (2, 1))(y, logits)) == 0.5


def test_names_are_recognised_in_upper_and_lower_case():
    assert [is_accuracy(name) for name in ("ACC", "accuracy", "binary_accuracy", losses.huber)] == [
        True,
        True,
        False,
        False,
    ]
    assert [is_crossentropy(name) for name in ("CE", "crossentropy", "bce")] == [True, True, False]


def test_a_function_gives_its_name():
    def MyError(y_true, y_pred):  # noqa: N802
        return y_pred

    assert from_function(MyError).name == "my_error"
    assert from_function(lambda y_true, y_pred: y_pred).name == "lambda"
    assert from_function(losses.huber)._direction == "down"
