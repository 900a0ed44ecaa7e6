"""The meaning of outputs and targets, for every kind of loss."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit, softmax

from gazelle import Sequential, layers, losses, optimizers
from gazelle._core.errors import DataError
from gazelle._report.predictions import as_probabilities, class_numbers, is_classifier

SCORES = np.array([[2.0, -1.0, 0.5], [-300.0, 300.0, 0.0]], np.float32)


def model(loss, activation=None):
    last = SimpleNamespace(activation=SimpleNamespace(__name__=activation or "linear"))
    return SimpleNamespace(loss=loss, layers=[last])


@pytest.mark.parametrize(
    "loss",
    [
        "binary_crossentropy",
        "bce",
        "BinaryCrossentropy",
        "sparse_categorical_crossentropy",
        "hinge",
        "categorical_focal_crossentropy",
        losses.CategoricalCrossentropy(from_logits=True),
        losses.categorical_generalized_cross_entropy,
        [losses.SquaredHinge()],
        {"answer": "categorical_hinge"},
    ],
)
def test_a_loss_for_classes_makes_a_classifier(loss):
    assert is_classifier(model(loss))


@pytest.mark.parametrize(
    "loss", ["mse", losses.Huber(), "poisson", lambda y, p: (y - p) ** 2, ["mae"], None]
)
def test_any_other_loss_makes_a_regression(loss):
    assert not is_classifier(model(loss))


def test_a_softmax_at_the_end_makes_a_classifier_whatever_the_loss():
    assert is_classifier(model("mse", "softmax"))
    network = Sequential([layers.Input((2,)), layers.Dense(3), layers.Softmax()])
    network.compile(optimizers.SGD(), "kl_divergence")
    assert is_classifier(network)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (losses.SparseCategoricalCrossentropy(from_logits=True), softmax(SCORES, axis=1)),
        (losses.CategoricalCrossentropy(from_logits=True), softmax(SCORES, axis=1)),
        ([losses.CategoricalCrossentropy(from_logits=True)], softmax(SCORES, axis=1)),
        ("categorical_hinge", softmax(SCORES, axis=1)),
        (losses.BinaryCrossentropy(from_logits=True), expit(SCORES)),
        (losses.CategoricalCrossentropy(), SCORES),
        ("binary_crossentropy", SCORES),
        ("hinge", [[1, 0, 0.75], [0, 1, 0.5]]),
    ],
)
def test_logits_become_the_probabilities_of_scipy_without_overflow(loss, expected):
    np.testing.assert_allclose(
        as_probabilities(model(loss), SCORES), expected, rtol=1e-6, atol=1e-30
    )


@pytest.mark.parametrize(
    "targets",
    [
        [0, 2, 1],
        np.array([[0], [2], [1]], np.uint8),
        np.array([0.0, 2.0, 1.0], np.float32),
        np.eye(3)[[0, 2, 1]],
        [[0.9, 0.05, 0.05], [0.05, 0.05, 0.9], [0.05, 0.9, 0.05]],
    ],
)
def test_class_numbers_come_from_numbers_and_from_probabilities(targets):
    np.testing.assert_array_equal(class_numbers(targets), [0, 2, 1])


def test_the_labels_of_a_hinge_loss_are_0_and_1():
    np.testing.assert_array_equal(class_numbers([-1, 1, -1]), [0, 1, 0])


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([[1, 1, 0], [0, 0, 0]], "one class per row"),
        ([0.0, 0.5], "numbers such as 0.5"),
        ([0.0, np.nan], "numbers such as nan"),
        (["cat", "dog"], "are not classes"),
        (np.zeros((2, 3, 4)), "are not classes"),
    ],
)
def test_targets_that_are_not_classes_are_refused(targets, words):
    with pytest.raises(DataError, match=words):
        class_numbers(targets)
