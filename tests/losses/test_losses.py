"""The loss classes: reductions, weights, masks, shapes, configs, names, edges."""

import inspect
import json
import math

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import gazelle
from gazelle import losses
from gazelle._core import dtypes, names
from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError, UnknownNameError
from gazelle._core.registry import register_keras_serializable
from gazelle.losses._reduction import REDUCTIONS

pytestmark = pytest.mark.slow

Y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]], "float32")
P = np.array([[0.5, 1.0], [3.0, 5.0], [4.0, 9.0]], "float32")
WEIGHTS = np.array([1.0, 2.0, 4.0], "float32")
MASK = np.array([True, False, True])
CLASSES = [
    name
    for name, thing in inspect.getmembers(losses, inspect.isclass)
    if issubclass(thing, losses.Loss) and name not in ("Loss", "FunctionLoss")
]
# Arguments that differ from every default.
UNUSUAL = {
    "delta": 2.0,
    "axis": 0,
    "from_logits": True,
    "label_smoothing": 0.2,
    "alpha": 0.3,
    "beta": 0.6,
    "gamma": 3.0,
    "q": 0.7,
    "ignore_class": -1,
    "apply_class_balancing": True,
    "margin": 0.2,
    "remove_diagonal": False,
    "reduction": "sum",
    "name": "mine",
    "dtype": "float32",
}


def masked(values, mask):
    values = jnp.array(values)
    values._keras_mask = jnp.asarray(mask)
    return values


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    "weights", [None, WEIGHTS, WEIGHTS[:, None], 2.0, np.zeros(3, "float32")], ids=str
)
@pytest.mark.parametrize("mask", [None, MASK, np.zeros(3, bool)], ids=str)
def test_reductions_weights_and_masks_equal_keras_s(reduction, weights, mask):
    theirs = keras.losses.MeanSquaredError(reduction=reduction)
    wanted = theirs(Y, P if mask is None else masked(P, mask), weights)
    found = losses.MeanSquaredError(reduction=reduction)(Y, P, weights, mask)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_mask_that_the_predictions_carry_counts():
    found = losses.MeanSquaredError()(Y, masked(P, MASK))
    np.testing.assert_allclose(found, np.mean(np.square(Y - P)[MASK]), rtol=1e-6)


def test_the_sum_over_the_batch_is_divided_by_the_number_of_samples_not_by_the_weights():
    values = [
        float(losses.get(losses.MeanSquaredError(reduction=r))([[1], [2]], [[0], [0]], [1, 3]))
        for r in ("sum", "mean", "sum_over_batch_size", "mean_with_sample_weight")
    ]
    assert values == [13.0, 6.5, 6.5, 3.25]


def test_an_unknown_reduction_is_refused():
    with pytest.raises(ArgumentError, match="sum_over_batch_size"):
        losses.MeanSquaredError(reduction="auto")


@pytest.mark.parametrize("shape", [(2,), (4,), (3, 3), (2, 1)])
def test_weights_that_fit_no_sample_are_refused(shape):
    with pytest.raises(ShapeError, match="sample_weight"):
        losses.MeanSquaredError(reduction="none")(Y, P, np.ones(shape, "float32"))


def test_weights_of_samples_are_not_laid_along_another_axis():
    square = np.ones((3, 3, 2), "float32")
    with pytest.raises(ShapeError, match=r"weights\[:, None\]"):
        losses.MeanSquaredError()(square, square, WEIGHTS)


def test_a_column_and_a_vector_are_matched_for_every_kind_of_loss():
    vector, column = Y[:, 0], P[:, :1]
    wanted = np.mean(np.square(vector - column[:, 0]))

    class Own(losses.Loss):
        def call(self, y_true, y_pred):
            return jnp.square(y_true - y_pred)

    def own(y_true, y_pred):
        return jnp.square(y_true - y_pred)

    for loss in (losses.MeanSquaredError(), Own(), losses.FunctionLoss(own)):
        np.testing.assert_allclose(loss(vector, column), wanted, rtol=1e-6)
        np.testing.assert_allclose(
            loss(column, vector), np.mean(np.square(column[:, 0] - vector)), rtol=1e-6
        )
    assert losses.mean_squared_error(vector, column).shape == (3,)
    assert losses.binary_crossentropy(vector, column).shape == (3,)


def test_a_function_that_returns_a_scalar_is_weighted_with_the_mean_weight():
    loss = losses.FunctionLoss(lambda y_true, y_pred: jnp.mean(jnp.abs(y_true - y_pred)))
    np.testing.assert_allclose(
        loss(Y, P, WEIGHTS), np.mean(np.abs(Y - P)) * WEIGHTS.mean(), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "advice"),
    [
        (
            "categorical_crossentropy",
            np.arange(3),
            np.ones((3, 4)),
            "sparse_categorical_crossentropy",
        ),
        ("categorical_crossentropy", np.zeros((3, 1)), np.ones((3, 4)), "to_categorical"),
        ("categorical_focal_crossentropy", np.arange(3), np.ones((3, 4)), "to_categorical"),
        ("sparse_categorical_crossentropy", np.eye(3), np.ones((3, 3)), "argmax"),
        ("sparse_categorical_crossentropy", np.arange(3), np.ones(3), "one unit per class"),
        ("categorical_generalized_cross_entropy", np.eye(3), np.ones((3, 3)), "argmax"),
        ("binary_crossentropy", np.ones((3, 1)), np.ones((3, 4)), "categorical"),
        ("binary_focal_crossentropy", np.ones(3), np.ones((3, 4)), "categorical"),
        ("mean_squared_error", np.ones(3), np.ones((3, 4)), "units"),
        ("mean_absolute_error", np.ones((3, 2)), np.ones((3, 4)), "units"),
        ("huber", np.ones((3, 2)), np.ones((3, 4)), "units"),
        ("dice", np.ones((3, 2)), np.ones((3, 4)), "units"),
        ("circle", np.eye(3), np.ones((3, 4)), "argmax"),
    ],
)
def test_shapes_that_do_not_match_are_refused_with_a_fix(loss, y_true, y_pred, advice):
    for call in (getattr(losses, loss), losses.FunctionLoss(getattr(losses, loss))):
        with pytest.raises(ShapeError, match=advice) as caught:
            call(y_true, y_pred)
        assert "expected:" in str(caught.value)
        assert str(y_true.shape) in str(caught.value)


def test_a_single_class_is_warned_of():
    with pytest.warns(SyntaxWarning, match="binary_crossentropy"):
        losses.categorical_crossentropy(np.ones((3, 1)), np.ones((3, 1)))


@pytest.mark.parametrize("labels", [[1, 1, 1], [[0], [2], [1]]], ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_an_ignored_class_counts_neither_in_the_sum_nor_in_the_divisor(labels, reduction):
    p = np.array([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.5, 0.25, 0.25]], "float32")
    for weights in (None, WEIGHTS):
        wanted = keras.losses.SparseCategoricalCrossentropy(ignore_class=1, reduction=reduction)(
            np.array(labels), p, weights
        )
        found = losses.SparseCategoricalCrossentropy(ignore_class=1, reduction=reduction)(
            np.array(labels), p, weights
        )
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_an_ignored_sample_may_hold_anything():
    p = jnp.array([[0.2, 0.8], [jnp.nan, jnp.nan]])
    value, gradient = jax.value_and_grad(
        lambda p: losses.SparseCategoricalCrossentropy(ignore_class=1)(np.array([0, 1]), p)
    )(p)
    np.testing.assert_allclose(value, -math.log(0.2), rtol=1e-6)
    assert np.isfinite(gradient).all()


def test_sparse_targets_may_have_their_classes_along_any_axis():
    p = np.random.default_rng(0).random((3, 4, 2)).astype("float32")
    labels = np.array([[0, 3], [1, 2], [2, 2]])
    found = losses.sparse_categorical_crossentropy(labels, p, axis=1)
    wanted = losses.sparse_categorical_crossentropy(labels, np.moveaxis(p, 1, -1))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


EDGES = [
    ("binary_crossentropy", np.array([[0.0, 1, 0, 1]]), [[0.0, 0, 1, 1]], {}),
    (
        "binary_crossentropy",
        np.array([[0.0, 1, 0, 1]]),
        [[0.0, 500, -500, 50]],
        {"from_logits": True},
    ),
    ("binary_focal_crossentropy", np.array([[0.0, 1, 0, 1]]), [[0.0, 0, 1, 1]], {"gamma": 0.5}),
    ("categorical_crossentropy", np.array([[0.0, 1, 0], [0, 1, 0]]), [[0.0, 1, 0], [1, 0, 0]], {}),
    (
        "categorical_crossentropy",
        np.array([[0.0, 1, 0], [0, 1, 0]]),
        [[0.0, 900, 0], [1e4, 0, 0]],
        {"from_logits": True},
    ),
    (
        "categorical_focal_crossentropy",
        np.array([[0.0, 1, 0], [0, 1, 0]]),
        [[0.0, 1, 0], [1, 0, 0]],
        {"gamma": 0.5},
    ),
    ("sparse_categorical_crossentropy", np.array([1, 1]), [[0.0, 1, 0], [1, 0, 0]], {}),
    (
        "sparse_categorical_crossentropy",
        np.array([1, 1]),
        [[0.0, 1e4, 0], [-1e4, 0, 0]],
        {"from_logits": True},
    ),
    (
        "categorical_generalized_cross_entropy",
        np.array([1, 1]),
        [[0.0, 1, 0], [1, 0, 0]],
        {"q": 0.5},
    ),
    ("kl_divergence", np.array([[0.0, 1]]), [[0.0, 1]], {}),
    ("kl_divergence", np.array([[0.0, 1]]), [[1.0, 0]], {}),
    ("poisson", np.array([[0.0, 3]]), [[0.0, 0]], {}),
    ("mean_absolute_percentage_error", np.array([[0.0, 3]]), [[0.0, 3]], {}),
    ("mean_squared_logarithmic_error", np.array([[0.0, 3]]), [[0.0, -3]], {}),
    ("log_cosh", np.array([[0.0, 3]]), [[0.0, 3e4]], {}),
    ("cosine_similarity", np.array([[0.0, 3], [0, 0]]), [[0.0, 3], [1, 0]], {}),
    ("cosine_similarity", np.array([[0.0, 3], [0, 0]]), [[0.0, 0], [0, 0]], {}),
    ("dice", np.array([[0.0, 0]]), [[0.0, 0]], {}),
    ("tversky", np.array([[0.0, 0]]), [[0.0, 0]], {}),
    ("circle", np.array([0, 1, 1]), [[1.0, 0], [1, 0], [1, 0]], {}),
    ("circle", np.array([1, 1]), [[1.0, 0], [0, 1]], {}),
]


def test_values_and_gradients_are_finite_at_the_edges():
    def total(p, name, y_true, arguments):
        return jnp.sum(getattr(losses, name)(y_true, p, **arguments))

    def program(predictions):  # all cases in one program, which compiles faster
        return [
            jax.value_and_grad(total)(p, name, y_true, arguments)
            for (name, y_true, _, arguments), p in zip(EDGES, predictions, strict=True)
        ]

    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    results = jax.jit(program, compiler_options=options)(
        [jnp.array(y_pred) for _, _, y_pred, _ in EDGES]
    )
    for (name, _, y_pred, arguments), (value, gradient) in zip(EDGES, results, strict=True):
        assert np.isfinite(value), (name, y_pred, arguments)
        assert np.isfinite(gradient).all(), (name, y_pred, arguments)


def test_nan_stays_nan():
    p = np.array([[np.nan, 0.5]])
    for name in ("sparse_categorical_crossentropy", "categorical_generalized_cross_entropy"):
        assert np.isnan(getattr(losses, name)(np.array([0]), p)).all()
    for name in (
        "binary_focal_crossentropy",
        "binary_crossentropy",
        "mean_squared_error",
        "kl_divergence",
    ):
        assert np.isnan(getattr(losses, name)(np.ones((1, 2)), p)).all()


def test_half_precision_losses_are_computed_in_float32():
    y = jnp.array([[1.0, 0.0]], jnp.bfloat16)
    assert losses.mean_squared_error(y, y).dtype == jnp.float32
    # A sum of 1,000 in bfloat16 would end at 256, where adding 1 changes nothing.
    rows = np.ones((1000, 1), "float32")
    found = losses.MeanSquaredError(reduction="sum", dtype="bfloat16")(rows, 0 * rows)
    assert found.dtype == jnp.bfloat16
    assert float(found) == 1000


def test_a_mean_of_circle_losses_is_that_of_the_samples_that_have_one():
    import keras

    x = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    labels = np.array([0, 0, 1, 1, 2, 3])  # two samples without another one of their class
    weight = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0], "float32")
    for reduction in ("sum_over_batch_size", "mean_with_sample_weight", "sum", "none"):
        for weights in (None, weight):
            found, wanted = (
                library.losses.Circle(reduction=reduction)(labels, x, sample_weight=weights)
                for library in (gazelle, keras)
            )
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_the_dtype_of_a_loss_is_floatx_unless_given():
    assert losses.MeanSquaredError().dtype == "float32"
    assert losses.MeanSquaredError(dtype="mixed_bfloat16").dtype == "bfloat16"


def test_epsilon_is_read_when_a_loss_is_computed():
    wanted = -math.log(1e-3)
    try:
        dtypes.set_epsilon(1e-3)
        assert float(
            losses.binary_crossentropy(np.ones((1, 1)), np.zeros((1, 1)))[0]
        ) == pytest.approx(wanted)
        assert float(losses.cosine_similarity([[1e-5, 0.0]], [[1.0, 0.0]])[0]) == pytest.approx(
            -1e-2
        )
    finally:
        dtypes.set_epsilon(1e-7)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_keras_s_arguments_and_defaults(name):
    ours = inspect.signature(getattr(losses, name)).parameters
    theirs = inspect.signature(getattr(keras.losses, name)).parameters
    assert [(p.name, p.default) for p in ours.values()] == [
        (p.name, p.default) for p in theirs.values()
    ]


def test_every_loss_of_keras_is_there_but_the_one_for_sequences():
    theirs = {name for name in dir(keras.losses) if not name.startswith("_")} - {"ctc", "CTC"}
    assert theirs <= set(dir(losses))
    assert set(losses.__all__) <= set(dir(losses))


@pytest.mark.parametrize("name", CLASSES)
def test_the_config_holds_every_argument_and_builds_an_equal_loss(name):
    cls = getattr(losses, name)
    arguments = {key: UNUSUAL[key] for key in inspect.signature(cls).parameters}
    loss = cls(**arguments)
    assert loss.get_config() == arguments
    config = json.loads(json.dumps(losses.serialize(loss)))
    again = losses.deserialize(config)
    assert type(again) is cls
    assert again.get_config() == arguments


# Keras cannot read its own config of CategoricalGeneralizedCrossEntropy.
@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"CategoricalGeneralizedCrossEntropy"}))
def test_keras_reads_the_config_of_a_loss(name):
    config = json.loads(json.dumps(losses.serialize(getattr(losses, name)())))
    assert type(keras.losses.deserialize(config)) is getattr(keras.losses, name)


@pytest.mark.parametrize("name", CLASSES)
def test_a_loss_is_read_from_keras_s_config(name):
    config = keras.losses.serialize(getattr(keras.losses, name)())
    assert type(losses.deserialize(config)) is getattr(losses, name)


def test_a_class_computes_what_its_function_does_with_its_arguments():
    y, z = (
        np.array([[0.0, 1.0], [1.0, 0.0]], "float32"),
        np.array([[0.3, -2.0], [1.0, 0.4]], "float32"),
    )
    loss = losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2, axis=0, reduction=None)
    np.testing.assert_array_equal(
        loss(y, z), losses.binary_crossentropy(y, z, from_logits=True, label_smoothing=0.2, axis=0)
    )


def test_q_outside_of_its_interval_is_refused():
    for q in (0, 1, 1.5):
        with pytest.raises(ArgumentError, match="interval"):
            losses.CategoricalGeneralizedCrossEntropy(q=q)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("mse", "mean_squared_error"),
        ("MSE", "mean_squared_error"),
        ("mae", "mean_absolute_error"),
        ("MAE", "mean_absolute_error"),
        ("mape", "mean_absolute_percentage_error"),
        ("MAPE", "mean_absolute_percentage_error"),
        ("msle", "mean_squared_logarithmic_error"),
        ("MSLE", "mean_squared_logarithmic_error"),
        ("bce", "binary_crossentropy"),
        ("BCE", "binary_crossentropy"),
        ("kld", "kl_divergence"),
        ("KLD", "kl_divergence"),
        ("kullback_leibler_divergence", "kl_divergence"),
        ("logcosh", "log_cosh"),
        ("huber_loss", "huber"),
        ("cosine_proximity", "cosine_similarity"),
    ],
)
def test_short_and_old_names_stand_for_functions(name, function):
    assert losses.get(name) is getattr(losses, function)
    assert getattr(losses, name) is getattr(losses, function)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_name_gives_an_instance_and_a_snake_name_the_function(name):
    assert type(losses.get(name)) is getattr(losses, name)
    assert type(losses.get(getattr(losses, name))) is getattr(losses, name)
    snake = names.snake_case(name)
    assert losses.get(snake) is getattr(losses, snake)
    assert losses.deserialize(losses.serialize(losses.get(snake))) is getattr(losses, snake)
    assert losses.get({"class_name": "function", "config": snake}) is getattr(losses, snake)


def test_none_and_callables_pass_through():
    assert losses.get(None) is None
    assert losses.get(math.sin) is math.sin


@pytest.mark.parametrize("wrong", ["mean_square_error", "MeanSquareError", 3])
def test_an_unknown_loss_is_refused(wrong):
    with pytest.raises(UnknownNameError, match="Could not interpret loss identifier"):
        losses.get(wrong)


def test_the_message_for_a_misspelt_loss_names_the_right_one():
    with pytest.raises(UnknownNameError, match="mean_squared_error"):
        losses.get("mean_square_error")


def test_a_user_s_losses_get_names_and_configs_like_keras_s():
    names.reset_names()

    class MyLoss(losses.Loss):
        def call(self, y_true, y_pred):
            return jnp.abs(y_true - y_pred)

    assert [MyLoss().name, MyLoss().name] == ["my_loss", "my_loss_1"]
    assert MyLoss(name="x").get_config() == {"name": "x", "reduction": "sum_over_batch_size"}
    with pytest.raises(NotImplementedError, match="call"):
        losses.Loss()(Y, P)


@register_keras_serializable("tests")
def scaled_error(y_true, y_pred, scale=1.0):
    return scale * jnp.mean(jnp.abs(y_true - y_pred), -1)


def test_a_loss_of_a_function_survives_its_config():
    loss = losses.FunctionLoss(scaled_error, reduction="sum", scale=3.0)
    assert loss.name == "scaled_error"
    again = losses.deserialize(json.loads(json.dumps(losses.serialize(loss))))
    assert again.get_config() == loss.get_config()
    np.testing.assert_allclose(again(Y, P), 3 * np.abs(Y - P).mean(1).sum(), rtol=1e-6)


def test_a_lambda_cannot_be_described():
    with pytest.raises(ArgumentTypeError, match="lambda"):
        losses.serialize(lambda y_true, y_pred: y_pred)
