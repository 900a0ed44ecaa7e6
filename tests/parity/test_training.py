"""Gazelle and Keras 3 (on JAX) train alike from the same weights on the same unshuffled data."""

import warnings

import keras
import numpy as np
import pytest
from parity import cases

import gazelle
from gazelle.errors import CheckWarning

# NumPy 2 warns of the way in which Keras reads its variables.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


def _trained(library, case, weights):
    """The initial weights (`weights` if given), the history and the weights after 5 epochs."""
    x, y, sample_weight = (*case.data(), None)[:3]
    model = case.build(library)
    start = model.get_weights() if weights is None else weights
    model.set_weights(start)
    model.compile(**case.compile(library))
    arguments = dict(case.fit)
    if arguments.get("validation_data"):
        arguments["validation_data"] = case.data(rows=30)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=CheckWarning)
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        history = model.fit(
            x, y, sample_weight=sample_weight, epochs=5, shuffle=False, verbose=0, **arguments
        )
    return start, history.history, model.get_weights()


# Every 16th case is among the tests of `make quick`, and compiles its programs as users do.
CHOSEN = cases.CASES[::16]
PARAMETERS = [
    *(pytest.param(case, id=case.name, marks=pytest.mark.as_users_do) for case in CHOSEN),
    *(
        pytest.param(case, id=case.name, marks=pytest.mark.slow)
        for case in cases.CASES
        if case not in CHOSEN
    ),
]


@pytest.mark.parametrize("case", PARAMETERS)
def test_losses_metrics_and_weights_are_those_of_keras(case):
    keras.utils.set_random_seed(sum(map(ord, case.name)))
    start, expected, expected_weights = _trained(keras, case, None)
    _, history, weights = _trained(gazelle, case, start)
    assert list(history) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, atol=1e-7, err_msg=name)
    for ours, theirs in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert any(abs(a - b).max() > 1e-3 for a, b in zip(start, weights, strict=True))
    assert len(expected["loss"]) == 5


def test_at_least_60_combinations_are_compared():
    assert len({case.name for case in cases.CASES}) == len(cases.CASES) >= 60
