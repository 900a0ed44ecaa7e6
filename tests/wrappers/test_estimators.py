import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import gazelle
from gazelle import errors, layers
from gazelle.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

X, NUMBERS = make_classification(
    150, 6, n_informative=4, n_classes=3, class_sep=2.0, random_state=0
)
LABELS = np.array(["cat", "dog", "eel"])[NUMBERS]


def network(X, y, loss="categorical_crossentropy", activation="softmax", units=(16,), rate=0.02):
    gazelle.utils.set_random_seed(0)
    model = gazelle.Sequential([gazelle.Input((X.shape[1],))])
    for size in units:
        model.add(layers.Dense(size, "relu"))
    model.add(layers.Dense(y.shape[1], activation))
    model.compile(gazelle.optimizers.Adam(rate), loss)
    return model


def regression(X, y, units=(16,)):
    return network(X, y, "mse", None, units)


def classifier(**options):
    return SKLearnClassifier(network, fit_kwargs={"epochs": 8, "verbose": 0}, **options)


def binary_network(X, y):
    model = gazelle.Sequential([gazelle.Input((6,)), layers.Dense(1, "sigmoid")])
    model.compile(gazelle.optimizers.Adam(0.05), "binary_crossentropy")
    return model


def test_a_classifier_predicts_labels_of_any_type():
    one = classifier().fit(X, LABELS)
    assert one.classes_.tolist() == ["cat", "dog", "eel"]
    assert set(one.predict(X)) <= set(LABELS)
    assert one.score(X, LABELS) > 0.8
    probabilities = one.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_array_equal(one.classes_[probabilities.argmax(1)], one.predict(X))
    np.testing.assert_allclose(one.decision_function(X), probabilities, rtol=1e-4)
    assert one.epoch_ == 8


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy"])
def test_targets_have_the_form_that_the_loss_needs(loss):
    assert classifier(model_kwargs={"loss": loss}).fit(X, LABELS).score(X, LABELS) > 0.8


def test_two_classes_need_one_unit_or_two():
    y = NUMBERS > 0
    for model in (binary_network, network):
        one = SKLearnClassifier(model, fit_kwargs={"epochs": 15, "verbose": 0}).fit(X, y)
        assert one.predict(X).dtype == bool
        assert one.score(X, y) > 0.75
        assert one.predict_proba(X).shape == (150, 2)
        decision = one.decision_function(X)
        assert decision.shape == (150,)
        np.testing.assert_array_equal(decision > 0, one.predict(X))


def test_a_subclassed_model_is_taken():
    class Own(gazelle.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3, "softmax")

        def call(self, x):
            return self.dense(x)

    def made(X, y):
        model = Own()
        model.compile(gazelle.optimizers.Adam(0.05), "categorical_crossentropy")
        return model

    one = SKLearnClassifier(made, fit_kwargs={"epochs": 15, "verbose": 0}).fit(X, LABELS)
    assert one.score(X, LABELS) > 0.7


def test_logits_are_no_probabilities():
    loss = gazelle.losses.CategoricalCrossentropy(from_logits=True)
    one = classifier(model_kwargs={"activation": None, "loss": loss}).fit(X, LABELS)
    assert one.score(X, LABELS) > 0.8
    with pytest.raises(ValueError, match="not probabilities"):
        one.predict_proba(X * 10)


def test_a_clone_keeps_every_parameter_and_no_fit():
    one = classifier(warm_start=True, model_kwargs={"units": (8,)}).fit(X, LABELS)
    copied = clone(one)
    assert copied.get_params() == one.get_params()
    assert copied.fit_kwargs is not one.fit_kwargs
    assert not hasattr(copied, "model_")
    given = network(X, np.zeros((1, 3)))
    assert clone(SKLearnClassifier(given)).model is not given


def test_arguments_of_fit_do_not_change_those_of_the_estimator():
    one = classifier().fit(X, LABELS, epochs=2, sample_weight=np.ones(150))
    assert (one.epoch_, one.fit_kwargs) == (2, {"epochs": 8, "verbose": 0})


def test_a_model_is_cloned_unless_its_training_goes_on():
    given = network(X, np.zeros((1, 3)))
    before = given.get_weights()[0].copy()
    cold = SKLearnClassifier(given, fit_kwargs={"verbose": 0}).fit(X, LABELS)
    assert cold.model_ is not given
    np.testing.assert_array_equal(given.get_weights()[0], before)
    warm = SKLearnClassifier(given, warm_start=True, fit_kwargs={"verbose": 0}).fit(X, LABELS)
    assert warm.fit(X, LABELS).model_ is given
    assert int(given.optimizer.iterations) == 10


def test_searches_pipelines_and_scores_work():
    pipeline = make_pipeline(StandardScaler(), classifier())
    assert cross_val_score(pipeline, X, LABELS, cv=2).mean() > 0.6
    grid = {"fit_kwargs": [{"epochs": 1, "verbose": 0}, {"epochs": 10, "verbose": 0}]}
    search = GridSearchCV(classifier(), grid, cv=2, scoring="neg_log_loss").fit(X, LABELS)
    assert search.best_params_["fit_kwargs"]["epochs"] == 10


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_regressor_keeps_the_form_of_the_targets(outputs):
    features, y = make_regression(100, 5, n_targets=outputs, random_state=0)
    y = y / y.std()
    one = SKLearnRegressor(regression, fit_kwargs={"epochs": 60, "verbose": 0}).fit(features, y)
    assert one.predict(features).shape == y.shape
    assert one.score(features, y) > 0.8


def test_a_transformer_is_a_step_of_a_pipeline():
    y = np.eye(3)[NUMBERS]
    steps = SKLearnTransformer(regression, fit_kwargs={"epochs": 10, "verbose": 0})
    assert steps.fit(X, y).transform(X).shape == (150, 3)
    pipeline = make_pipeline(steps, LogisticRegression()).fit(X, NUMBERS)
    assert pipeline.score(X, NUMBERS) > 0.5


def test_sparse_data_is_taken():
    rows = sparse.csr_matrix(np.where(np.abs(X) > 1, X, 0))
    assert classifier().fit(rows, LABELS).score(rows, LABELS) > 0.7


def test_a_fitted_estimator_is_pickled():
    one = classifier().fit(X, LABELS)
    again = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(one.predict(X), again.predict(X))


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="only one class"):
        classifier().fit(X, np.zeros(150, int))
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(X, np.linspace(0, 1, 150))
    bare = gazelle.Sequential([gazelle.Input((6,)), layers.Dense(3)])
    with pytest.raises(errors.StateError, match="needs to be compiled"):
        SKLearnClassifier(bare).fit(X, LABELS)
    with pytest.raises(ValueError, match="output unit for each class"):
        SKLearnClassifier(network(X, np.zeros((1, 5)))).fit(X, LABELS)


def test_the_package_is_named_where_it_is_missing():
    code = (
        "import sys; sys.modules['sklearn'] = None\nimport gazelle\n"
        "try:\n    gazelle.wrappers.SKLearnClassifier\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "wrappers.SKLearnClassifier needs scikit-learn" in done.stdout


NOT_MET = {
    "check_regressor_multioutput": "predictions are float32",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator",
    [
        SKLearnClassifier(network, fit_kwargs={"epochs": 5, "verbose": 0}),
        SKLearnRegressor(regression, fit_kwargs={"verbose": 0}),
        SKLearnTransformer(regression, fit_kwargs={"verbose": 0}),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_scikit_learns_own_checks(estimator):
    results = check_estimator(estimator, expected_failed_checks=NOT_MET, on_fail=None, on_skip=None)
    failed = {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"}
    assert failed == {}
