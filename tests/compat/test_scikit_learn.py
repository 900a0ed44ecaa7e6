"""Estimators of Keras 2 and scikeras, with scikit-learn's tools."""

import numpy as np
import pytest

import gazelle

pytestmark = pytest.mark.filterwarnings("ignore::gazelle.compat.OldFormWarning")
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(90, 4)).astype("float32")
NAMES = np.array(["ant", "bee", "cat"])[np.argmax(X[:, :3], axis=1)]
Y = X @ np.array([1.0, -2.0, 0.5, 0.0])


def build(units=8, outputs=3, loss="categorical_crossentropy"):
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential([Dense(units, input_dim=4, activation="relu")])
    model.add(Dense(outputs, activation="softmax" if outputs > 1 else "linear"))
    model.compile(loss=loss, optimizer="adam", metrics=["accuracy"])
    return model


def number(units=8):
    return build(units, 1, "mse")


def test_keras_2_classifier(installed):
    from keras.wrappers.scikit_learn import KerasClassifier

    gazelle.utils.set_random_seed(1)
    estimator = KerasClassifier(build_fn=build, epochs=30, batch_size=5, verbose=0)
    history = estimator.fit(X, NAMES)
    assert len(history.history["loss"]) == 30
    assert set(estimator.predict(X)) <= set(NAMES)
    np.testing.assert_allclose(estimator.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    assert estimator.score(X, NAMES) > 0.7
    assert estimator.model.count_params() == estimator.model_.count_params()


def test_keras_2_regressor_scores_minus_the_loss(installed):
    from keras.wrappers.scikit_learn import KerasRegressor

    estimator = KerasRegressor(build_fn=number, epochs=3, verbose=0)
    estimator.fit(X, Y)
    assert estimator.predict(X).shape == (90,)
    expected = estimator.model_.evaluate(X, Y, verbose=0)[0]
    assert estimator.score(X, Y) == pytest.approx(-expected)


def test_scikeras_regressor_scores_r_squared(installed):
    from scikeras.wrappers import KerasRegressor
    from sklearn.metrics import r2_score

    estimator = KerasRegressor(model=number, epochs=20, verbose=0, units=16)
    estimator.fit(X, Y)
    assert estimator.score(X, Y) == pytest.approx(r2_score(Y, estimator.predict(X)))
    assert estimator.model_.layers[0].units == 16
    assert len(estimator.history_["loss"]) == 20


def test_scikeras_compiles_the_model(installed):
    from keras.layers import Dense
    from keras.models import Sequential
    from scikeras.wrappers import KerasClassifier

    def bare(meta, hidden):
        return Sequential(
            [
                Dense(hidden, input_shape=(meta["n_features_in_"],), activation="relu"),
                Dense(meta["n_classes_"], activation="softmax"),
            ]
        )

    estimator = KerasClassifier(
        bare, loss="sparse_categorical_crossentropy", optimizer="adam", model__hidden=5,
        optimizer__learning_rate=0.05, fit__epochs=20, verbose=0,
    )  # fmt: skip
    gazelle.utils.set_random_seed(1)
    estimator.fit(X, NAMES)
    assert float(estimator.model_.optimizer.learning_rate) == pytest.approx(0.05)
    assert estimator.model_.layers[0].units == 5
    assert estimator.score(X, NAMES) > 0.7
    assert list(estimator.classes_) == ["ant", "bee", "cat"]


@pytest.mark.parametrize("kind", ["keras", "scikeras"])
def test_with_scikit_learns_tools(installed, kind):
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "keras":
        from keras.wrappers.scikit_learn import KerasClassifier

        estimator = KerasClassifier(build_fn=build, epochs=2, verbose=0)
    else:
        from scikeras.wrappers import KerasClassifier

        estimator = KerasClassifier(model=build, epochs=2, verbose=0, units=8)
    assert clone(estimator).get_params() == estimator.get_params()
    search = GridSearchCV(estimator, {"units": [2, 3], "batch_size": [20]}, cv=2)
    search.fit(X, NAMES)
    assert search.best_params_["units"] in (2, 3)
    pipeline = make_pipeline(StandardScaler(), estimator)
    assert len(cross_val_score(pipeline, X, NAMES, cv=3)) == 3


def test_an_unknown_parameter_is_refused(installed):
    from keras.wrappers.scikit_learn import KerasClassifier

    with pytest.raises(ValueError, match="not a legal parameter"):
        KerasClassifier(build_fn=build, unitz=3)
