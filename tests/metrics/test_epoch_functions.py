from functools import partial

import numpy as np
import pytest
from sklearn import metrics as sk

import gazelle
from gazelle import layers
from gazelle.callbacks import EarlyStopping
from gazelle.metrics import EpochFunction

random = np.random.default_rng(0)
X = random.normal(size=(60, 4)).astype("float32")
CLASSES = X[:, :3].argmax(axis=1)
BINARY = (X[:, 0] > 0).astype("int32")
SEVERAL = (X[:, :3] > 0).astype("int32")
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]


def made(units, activation, loss, **options):
    gazelle.utils.set_random_seed(0)
    model = gazelle.Sequential([gazelle.Input((4,)), layers.Dense(units, activation)])
    model.compile("adam", loss, **options)
    return model


CASES = {
    "binary": (1, "sigmoid", "binary_crossentropy", BINARY, BINARY, lambda p: p[:, 0] > 0.5),
    "binary column": (
        *(1, "sigmoid", "binary_crossentropy", BINARY[:, None], BINARY),
        lambda p: p[:, 0] > 0.5,
    ),
    "classes": (
        *(3, "softmax", "sparse_categorical_crossentropy", CLASSES, CLASSES),
        lambda p: p.argmax(1),
    ),
    "one-hot": (3, "softmax", "categorical_crossentropy", ONE_HOT, CLASSES, lambda p: p.argmax(1)),
    "several labels": (3, "sigmoid", "binary_crossentropy", SEVERAL, SEVERAL, lambda p: p > 0.5),
}


@pytest.mark.parametrize("case", CASES)
def test_a_function_of_labels_gets_labels(case):
    units, activation, loss, y, truth, labels = CASES[case]
    model = made(units, activation, loss, metrics=[partial(sk.f1_score, average="macro")])
    history = model.fit(X, y, 16, 3, verbose=0, validation_split=0.25)
    assert set(history.history) == {"loss", "f1_score", "val_loss", "val_f1_score"}
    assert len(history.history["f1_score"]) == 3
    # The weights are those of the end of the last epoch.
    predicted = labels(model.predict(X))
    for rows, name in ((slice(0, 45), "f1_score"), (slice(45, None), "val_f1_score")):
        expected = sk.f1_score(truth[rows], predicted[rows], average="macro")
        assert history.history[name][-1] == pytest.approx(expected)
    assert model.evaluate(X, y, verbose=0)[1] == pytest.approx(
        sk.f1_score(truth, predicted, average="macro")
    )


def test_other_functions_get_the_predictions():
    functions = [sk.roc_auc_score, sk.average_precision_score, sk.log_loss, sk.brier_score_loss]
    model = made(1, "sigmoid", "binary_crossentropy", metrics=functions)
    model.fit(X, BINARY, verbose=0)
    results = model.evaluate(X, BINARY, verbose=0, return_dict=True)
    predicted = model.predict(X)[:, 0]
    for function in functions:
        assert results[function.__name__] == pytest.approx(function(BINARY, predicted), rel=1e-5)
    assert model.metrics_names == ["loss", *(function.__name__ for function in functions)]


def test_weights_reach_a_weighted_metric():
    weights = np.linspace(0, 1, 60)
    model = made(
        *(1, "sigmoid", "binary_crossentropy"),
        metrics=[sk.accuracy_score],
        weighted_metrics=[sk.accuracy_score],
    )
    results = model.evaluate(X, BINARY, verbose=0, sample_weight=weights, return_dict=True)
    labels = model.predict(X)[:, 0] > 0.5
    plain, weighted = (
        sk.accuracy_score(BINARY, labels, sample_weight=given) for given in (None, weights)
    )
    assert results["accuracy_score"] == pytest.approx(plain)
    assert results["weighted_accuracy_score"] == pytest.approx(weighted)


def test_a_function_of_the_users_own_and_a_callback_that_monitors_it():
    def worst(y_true, y_pred):
        assert isinstance(y_true, np.ndarray)
        assert y_true.shape == y_pred.shape == (60,)
        return np.abs(y_true - y_pred).max()

    model = made(1, None, "mse", metrics=[EpochFunction(worst), "mae"])
    stopping = EarlyStopping("worst", mode="min", patience=2)
    history = model.fit(X, X[:, :1], epochs=2, verbose=0, callbacks=[stopping])
    error = np.abs(X[:, 0] - model.predict(X)[:, 0]).max()
    assert history.history["worst"][-1] == pytest.approx(error)
    assert stopping.best == pytest.approx(min(history.history["worst"]))


def test_several_outputs_have_their_own():
    gazelle.utils.set_random_seed(0)
    x = gazelle.Input((4,))
    a = layers.Dense(1, "sigmoid", name="a")(x)
    b = layers.Dense(3, "softmax", name="b")(x)
    model = gazelle.Model(x, {"a": a, "b": b})
    model.compile(
        "sgd",
        {"a": "binary_crossentropy", "b": "sparse_categorical_crossentropy"},
        metrics={"a": [sk.roc_auc_score], "b": [sk.accuracy_score, "accuracy"]},
    )
    y = {"a": BINARY, "b": CLASSES}
    results = model.evaluate(X, y, verbose=0, return_dict=True)
    predicted = model.predict(X)
    assert results["a_roc_auc_score"] == pytest.approx(
        sk.roc_auc_score(BINARY, predicted["a"][:, 0])
    )
    assert results["b_accuracy_score"] == pytest.approx(results["b_accuracy"])


def test_training_is_the_same_with_and_without():
    weights, losses = [], []
    for metrics in ([], [sk.f1_score]):
        model = made(1, "sigmoid", "binary_crossentropy", metrics=metrics)
        losses.append(model.fit(X, BINARY, 7, 4, verbose=0).history["loss"])
        weights.append(model.get_weights()[0])
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(*weights)


def test_steps_limit_the_rows_of_an_evaluation_and_not_those_of_a_training():
    seen = []

    def rows(y_true, y_pred):
        seen.append(len(y_true))
        return 0.0

    model = made(1, None, "mse", metrics=[EpochFunction(rows)])
    model.fit(X, X[:, :1], 8, 1, verbose=0, steps_per_epoch=3)
    assert seen[-1] == 60
    model.evaluate(X, X[:, :1], 8, verbose=0, steps=3)
    assert seen[-1] == 24


@pytest.mark.parametrize(
    ("function", "y"),
    [
        (sk.f1_score, CLASSES),  # needs average=
        (partial(sk.f1_score, average=None), CLASSES),  # gives three numbers
        (sk.roc_auc_score, CLASSES),  # needs multi_class=
        (EpochFunction(sk.accuracy_score, labels=False), CLASSES),
        (EpochFunction(lambda y, p: None, name="none"), CLASSES),
    ],
)
def test_what_cannot_be_measured_is_refused_before_training(function, y):
    model = made(3, "softmax", "sparse_categorical_crossentropy", metrics=[function])
    with pytest.raises(ValueError, match=r"cannot measure y(.|\n)*EpochFunction"):
        model.fit(X, y, verbose=0)
    assert int(model.optimizer.iterations) == 0


def test_streams_are_refused():
    model = made(1, "sigmoid", "binary_crossentropy", metrics=[sk.f1_score])
    with pytest.raises(ValueError, match=r"computed from whole arrays(.|\n)*generator"):
        model.fit(((X, BINARY) for _ in range(3)), verbose=0)


def test_a_prediction_that_is_not_finite_measures_nothing():
    assert np.isnan(EpochFunction(sk.f1_score).measured(BINARY, np.full((60, 1), np.nan)))


def test_thresholds_and_configs():
    y, p = np.array([0, 1, 1]), np.array([[0.2], [0.3], [0.9]])
    assert EpochFunction(sk.accuracy_score).measured(y, p) == pytest.approx(2 / 3)
    metric = EpochFunction(sk.accuracy_score, threshold=0.25)
    assert metric.measured(y, p) == 1
    config = gazelle.metrics.serialize(EpochFunction(sk.fbeta_score, beta=2.0, labels=True))
    again = gazelle.metrics.deserialize(config, {"fbeta_score": sk.fbeta_score})
    assert (again.fn, again.kwargs, again.labels) == (sk.fbeta_score, {"beta": 2.0}, True)
    for bad in ("most", 3):
        with pytest.raises(ValueError, match="labels"):
            EpochFunction(sk.f1_score, labels=bad)
    with pytest.raises(TypeError, match="must be a function"):
        EpochFunction("f1_score")
