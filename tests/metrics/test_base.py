"""The base class: state, resetting, pure use, configs, names, and users' subclasses."""

import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from gazelle import losses, metrics
from gazelle._core.errors import ArgumentError, ArgumentTypeError, StateError, UnknownNameError
from gazelle._core.pure import pure
from gazelle._core.registry import register_keras_serializable
from gazelle._core.variable import Variable

pytestmark = pytest.mark.slow

NAMES = [name for name in metrics.__all__ if isinstance(getattr(metrics, name), type)]
NAMES = [name for name in NAMES if name not in ("Metric", "MeanMetricWrapper", "EpochFunction")]
REQUIRED = {
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
}


class LargestError(metrics.Metric):
    """A metric as users write them, with other metrics inside."""

    def __init__(self, name="largest_error", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.smallest = self.add_variable((), np.inf, name="smallest")
        self.largest = self.add_weight(name="largest")
        self.seen = Variable(0.0, name="seen")
        self.parts = [metrics.Mean(), metrics.Sum()]
        self.by_name = {"mae": metrics.MeanAbsoluteError()}

    def update_state(self, y_true, y_pred, sample_weight=None):
        error = jnp.abs(y_true - y_pred)
        self.largest.assign(jnp.maximum(self.largest, jnp.max(error)))
        self.smallest.assign(jnp.minimum(self.smallest, jnp.min(error)))
        self.seen.assign_add(error.size)
        for part in self.parts:
            part.update_state(error)
        self.by_name["mae"].update_state(y_true, y_pred)

    def result(self):
        return {
            "largest": self.largest.value,
            "smallest": self.smallest.value,
            "mean": self.parts[0].result(),
        }


def test_a_users_metric_owns_its_variables_and_those_of_metrics_it_holds():
    names = [variable.name for variable in LargestError().variables]
    assert names == ["smallest", "largest", "seen", "total", "count", "total", "total", "count"]


def test_a_users_metric_gathers_and_resets_to_its_first_values():
    metric = LargestError()
    result = metric(jnp.array([1.0, 2.0]), jnp.array([1.5, 4.0]))
    assert {key: float(value) for key, value in result.items()} == {
        "largest": 2.0,
        "smallest": 0.5,
        "mean": 1.25,
    }
    metric.reset_state()
    assert [float(v) for v in metric.variables] == [np.inf] + [0.0] * 7


@pytest.mark.parametrize("name", NAMES)
def test_resetting_gives_the_first_state_back_and_compiles_nothing(name):
    metric = getattr(metrics, name)(**REQUIRED.get(name, {}))
    metric.build((4, 3), (4, 3))
    first = [variable.numpy() for variable in metric.variables]
    for variable in metric.variables:
        variable.assign(np.full(variable.shape, 3.0))
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event)
    )
    try:
        metric.reset_state()
    finally:
        jax.monitoring.clear_event_listeners()
    assert first
    assert not [event for event in compiled if "compile" in event]
    for variable, value in zip(metric.variables, first, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.parametrize("name", NAMES)
def test_config_makes_an_equal_metric_after_a_trip_through_json(name):
    metric = getattr(metrics, name)(**REQUIRED.get(name, {}), name="mine")
    again = metrics.deserialize(json.loads(json.dumps(metrics.serialize(metric))))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert again.name == "mine"


@pytest.mark.parametrize("name", NAMES)
def test_config_name_and_direction_are_those_of_keras(name):
    ours = getattr(metrics, name)(**REQUIRED.get(name, {}))
    keras.backend.clear_session()
    theirs = getattr(keras.metrics, name)(**REQUIRED.get(name, {}))
    config = ours.get_config()
    # Keras leaves out some arguments; those that it writes are equal.
    assert {key: config[key] for key in theirs.get_config()} == theirs.get_config()
    if getattr(theirs, "_direction", None):
        assert ours._direction == theirs._direction
    assert metrics.deserialize(keras.metrics.serialize(theirs)).get_config() == config


def test_options_survive_their_config():
    for metric in (
        metrics.AUC(thresholds=[0.5, 0.2], curve="PR", name="pr"),
        metrics.AUC(multi_label=True, num_labels=2, label_weights=[1.0, 2.0]),
        metrics.FBetaScore("macro", beta=2.0, threshold=0.3),
        metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True),
        metrics.Precision([0.1, 0.5], top_k=2, class_id=1),
        metrics.PearsonCorrelation(axis=(0, 1)),
        metrics.MeanMetricWrapper(losses.huber, name="h", delta=2.0),
        metrics.MeanSquaredError(dtype="float16"),
    ):
        config = json.loads(json.dumps(metrics.serialize(metric)))
        assert metrics.serialize(metrics.deserialize(config)) == config


def test_a_registered_function_of_the_users_survives_its_wrappers_config():
    @register_keras_serializable("tests")
    def biggest(y_true, y_pred):
        return jnp.max(jnp.abs(y_true - y_pred), axis=-1)

    config = json.loads(
        json.dumps(metrics.serialize(metrics.MeanMetricWrapper(biggest, "biggest")))
    )
    assert (
        float(metrics.deserialize(config)(jnp.zeros((2, 2)), jnp.array([[1.0, 2.0], [3.0, 0.0]])))
        == 2.5
    )


@pytest.mark.parametrize(
    "name",
    ["mse", "rmse", "kld", "logcosh", "cosine_proximity", "auc", "f1_score", "F1Score", "r2"],
)
def test_names_stand_for_instances(name):
    assert isinstance(metrics.get(name), metrics.Metric)


def test_every_name_that_keras_takes_gives_the_same_class():
    names = [
        name
        for name in dir(keras.metrics)
        if isinstance(getattr(keras.metrics, name), type) and "IoU" not in name
    ]
    names = [name for name in names if name not in (*REQUIRED, "Metric", "MeanMetricWrapper")]
    assert len(names) > 30
    for name in (
        *names,
        "mse",
        "MSE",
        "mae",
        "MAE",
        "mape",
        "MAPE",
        "msle",
        "MSLE",
        "bce",
        "BCE",
        "binary_accuracy",
    ):
        for spelled in (name, keras.src.utils.naming.to_snake_case(name)):
            try:
                expected = keras.metrics.get(spelled)
            except ValueError:
                continue
            assert type(metrics.get(spelled)).__name__ == type(expected).__name__


def test_get_takes_none_classes_instances_and_functions():
    mean = metrics.Mean()
    assert metrics.get(None) is None
    assert metrics.get(mean) is mean
    assert isinstance(metrics.get(metrics.AUC), metrics.AUC)
    assert metrics.get(losses.huber) is losses.huber
    with pytest.raises(UnknownNameError, match="Could not interpret metric identifier: 'acuracy'"):
        metrics.get("acuracy")


def test_automatic_names_are_the_same_every_time():
    assert [metrics.AUC().name for _ in range(3)] == ["auc"] * 3


def test_state_is_pure_under_jit_and_scan_and_the_metric_stays_as_it_was():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, (4, 6)), rng.random((4, 6, 3)).astype("float32")
    held = [
        metrics.SparseCategoricalAccuracy(),
        metrics.AUC(),
        metrics.F1Score("macro"),
        metrics.R2Score(),
    ]
    for metric in held:
        metric.build((6, 3), (6, 3))
    variables = [variable for metric in held for variable in metric.variables]

    def update(y, p):
        held[0].update_state(y, p)
        for metric in held[1:]:
            metric.update_state(jax.nn.one_hot(y, 3), p)

    def epoch(values, y, p):
        return jax.lax.scan(
            lambda carry, batch: (pure(update, variables)(carry, *batch)[1], None), values, (y, p)
        )[0]

    before = [variable.numpy() for variable in variables]
    after = jax.jit(epoch)(before, y, p)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    for batch in zip(y, p, strict=True):
        update(*batch)
    for variable, value in zip(variables, after, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5, atol=1e-6)


def test_stateless_methods_do_what_the_stateful_ones_do():
    metric = metrics.Mean()
    assert [float(v) for v in metric.stateless_update_state([1.0, 2.0], 5.0)] == [6.0, 3.0]
    assert float(metric.stateless_result([3.0, 2.0])) == 1.5
    assert [float(v) for v in metric.stateless_reset_state()] == [0.0, 0.0]
    assert float(metric.result()) == 0.0
    with pytest.raises(ArgumentError, match="2 values"):
        metric.stateless_update_state([1.0], 5.0)
    with pytest.raises(StateError, match="build"):
        metrics.F1Score().stateless_update_state([], np.zeros(2), np.zeros(2))


@pytest.mark.parametrize("name", ["F1Score", "FBetaScore", "R2Score"])
def test_the_result_of_a_metric_that_needs_data_first_is_refused(name):
    with pytest.raises(StateError, match="no data"):
        getattr(metrics, name)().result()


def test_a_scalar_function_counts_once_per_batch_and_a_vector_function_once_per_sample():
    scalar = metrics.MeanMetricWrapper(lambda y, p: jnp.mean(jnp.abs(y - p)), "scalar")
    vector = metrics.MeanMetricWrapper(lambda y, p: jnp.abs(y - p), "vector")
    for y, p in ((np.zeros(3), np.ones(3)), (np.zeros(1), np.full(1, 5.0))):
        scalar.update_state(y, p)
        vector.update_state(y, p)
    assert float(scalar.result()) == 3.0
    assert float(vector.result()) == 2.0


def test_a_scalar_function_with_sample_weights_is_weighted_by_their_mean():
    metric = metrics.MeanMetricWrapper(lambda y, p: jnp.mean(p), "scalar")
    metric.update_state(np.zeros(2), np.full(2, 4.0), np.array([1.0, 3.0]))
    metric.update_state(np.zeros(2), np.full(2, 1.0), np.array([1.0, 1.0]))
    assert float(metric.result()) == pytest.approx((4.0 * 2 + 1.0) / 3)


def test_state_has_the_metrics_dtype():
    assert {variable.dtype for variable in metrics.Mean(dtype="float16").variables} == {"float16"}
    assert metrics.Mean(dtype=keras.DTypePolicy("mixed_bfloat16").compute_dtype).dtype == "bfloat16"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.FBetaScore(average="x"), "average"),
        (lambda: metrics.FBetaScore(beta=-1.0), "beta"),
        (lambda: metrics.FBetaScore(beta="2"), "beta"),
        (lambda: metrics.F1Score(threshold=5.0), "threshold"),
        (lambda: metrics.F1Score(threshold=0.0), "threshold"),
        (lambda: metrics.R2Score(class_aggregation="x"), "class_aggregation"),
        (lambda: metrics.R2Score(num_regressors=-1), "num_regressors"),
        (lambda: metrics.AUC(num_thresholds=1), "num_thresholds"),
        (lambda: metrics.AUC(curve="X"), "curve"),
        (lambda: metrics.AUC(summation_method="z"), "summation_method"),
        (
            lambda: metrics.AUC(num_labels=2),
            "`num_labels` is needed only when `multi_label` is True",
        ),
        (lambda: metrics.Precision(thresholds=1.5), r"Threshold values must be in \[0, 1\]"),
        (lambda: metrics.Recall(thresholds=[0.5, None]), "Threshold values"),
        (lambda: metrics.TruePositives(thresholds="x"), "Threshold values"),
        (lambda: metrics.Precision(top_k=0), "top_k"),
        (lambda: metrics.Precision(class_id=-1), "class_id"),
        (lambda: metrics.PrecisionAtRecall(1.1), "recall"),
        (lambda: metrics.SpecificityAtSensitivity(0.5, num_thresholds=0), "num_thresholds"),
        (lambda: metrics.TopKCategoricalAccuracy(k=0), "k must be"),
    ],
)
def test_wrong_arguments_are_refused_when_the_metric_is_made(make, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        make()
    assert "received:" in str(caught.value)


def test_wrong_types_are_refused_when_the_metric_is_made():
    with pytest.raises(ArgumentTypeError, match="fn must be a function"):
        metrics.MeanMetricWrapper("mse")
    with pytest.raises(ArgumentTypeError, match="name must be a string"):
        metrics.Mean(name=3)
    with pytest.raises(ArgumentTypeError, match="threshold must be a number"):
        metrics.BinaryAccuracy(threshold=None)
