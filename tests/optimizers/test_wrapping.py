"""Optimizers that hold others: LossScaleOptimizer and MultiOptimizer."""

import keras
import numpy as np
import pytest

import gazelle
from gazelle import optimizers
from gazelle._core.variable import Variable
from gazelle.errors import ArgumentError, ArgumentTypeError

# Keras reads its variables in a way that NumPy 2 warns about.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = X[:, :1] - X[:, 1:2]


def network(K, optimizer, names=("first", "second"), **compiled):
    made = [K.layers.Dense(3, "tanh", name=names[0]), K.layers.Dense(1, name=names[1])]
    model = K.Sequential([K.Input((4,)), *made])
    rng = np.random.default_rng(1)
    model.set_weights([0.5 * rng.normal(size=w.shape) for w in model.weights])
    model.compile(optimizer, "mse", **compiled)
    return model


def scaling(K, **arguments):
    return K.optimizers.LossScaleOptimizer(K.optimizers.Adam(0.01), **arguments)


def chosen(K):
    return K.optimizers.MultiOptimizer(
        K.optimizers.OptimizerMap(
            K.optimizers.SGD(0.05, momentum=0.9), {".*second.*": K.optimizers.Adam(0.02)}
        )
    )


def several_scaled(K):
    return K.optimizers.LossScaleOptimizer(chosen(K), initial_scale=64)


@pytest.mark.parametrize(
    "make",
    [
        scaling,
        lambda K: scaling(K, initial_scale=8, dynamic_growth_steps=3),
        chosen,
        several_scaled,
    ],
    ids=["scaling", "growing scale", "several", "several scaled"],
)
def test_a_model_trains_as_in_keras(make):
    results = []
    for K in (keras, gazelle):
        model = network(K, make(K))
        history = model.fit(X, Y, batch_size=16, epochs=4, shuffle=False, verbose=0).history
        state = [np.asarray(variable) for variable in model.optimizer.variables]
        results.append((history["loss"], model.get_weights(), state))
    theirs, ours = results
    np.testing.assert_allclose(ours[0], theirs[0], rtol=2e-5)
    for expected, found in zip(theirs[1] + theirs[2], ours[1] + ours[2], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [scaling, chosen, several_scaled])
def test_it_is_saved_and_loaded_as_in_keras(make, tmp_path):
    path = str(tmp_path / "m.keras")
    model = network(gazelle, make(gazelle))
    model.fit(X, Y, shuffle=False, verbose=0)
    model.save(path)
    for K in (gazelle, keras):
        loaded = K.models.load_model(path)
        for a, b in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
        loaded.fit(X, Y, shuffle=False, verbose=0)
    model.fit(X, Y, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_step_with_a_gradient_that_is_not_finite_is_left_out():
    weight = Variable(np.ones(2, "float32"), name="weight")
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.5), initial_scale=4.0)
    optimizer.build([weight])
    optimizer.apply([np.array([np.inf, 1.0], "float32")], [weight])
    assert weight.numpy().tolist() == [1, 1]
    assert float(optimizer.dynamic_scale) == 2.0
    assert int(optimizer.iterations) == 0
    optimizer.apply([np.array([2.0, 1.0], "float32")], [weight])
    assert weight.numpy().tolist() == [0.5, 0.75]
    assert int(optimizer.iterations) == 1


@pytest.mark.parametrize("scale", [True, False])
def test_mixed_float16_trains_with_a_scaled_loss(scale):
    before = gazelle.config.dtype_policy()
    gazelle.config.set_dtype_policy("mixed_float16")
    try:
        model = network(gazelle, "adam", auto_scale_loss=scale)
        assert isinstance(model.optimizer, optimizers.LossScaleOptimizer) == scale
        losses = model.fit(X, Y, epochs=20, verbose=0).history["loss"]
    finally:
        gazelle.config.set_dtype_policy(before)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_callbacks_set_the_rate_of_each_optimizer():
    model = network(gazelle, chosen(gazelle))
    halve = gazelle.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[halve]).history
    names = [f"learning_rate_{one.name}" for one in model.optimizer.optimizers]
    found = sorted(round(history[name][-1], 6) for name in names)
    assert found == [0.005, 0.0125]
    lower = gazelle.callbacks.ReduceLROnPlateau("loss", patience=1, factor=0.1, min_delta=1e9)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[lower])
    assert sorted(round(float(one.learning_rate), 7) for one in model.optimizer.optimizers) == [
        5e-05,
        0.000125,
    ]


def test_a_function_may_choose_the_optimizers():
    first, second = optimizers.SGD(0.1), optimizers.SGD(0.2)
    multi = optimizers.MultiOptimizer(lambda v: first if v.path.endswith("kernel") else second)
    variables = [Variable(np.ones(1), name=name) for name in ("kernel", "bias")]
    multi.build(variables)
    assert multi.optimizers == [first, second]
    multi.apply([np.ones(1), np.ones(1)], variables)
    np.testing.assert_allclose([float(v.numpy()[0]) for v in variables], [0.9, 0.8])
    with pytest.raises(AttributeError, match="each of its `optimizers`"):
        _ = multi.learning_rate
    with pytest.raises(AttributeError, match="cannot be set"):
        multi.learning_rate = 0.1


def test_wrong_arguments_are_refused():
    sgd, adam = optimizers.SGD(), optimizers.Adam()
    with pytest.raises(ArgumentError, match="does not support `clipnorm`"):
        optimizers.LossScaleOptimizer(sgd, clipnorm=1.0)
    with pytest.raises(ArgumentError, match="`lr`, `foo`"):
        optimizers.LossScaleOptimizer(sgd, lr=1.0, foo=2)
    with pytest.raises(ArgumentError, match="dynamic=False"):
        optimizers.LossScaleOptimizer(sgd, dynamic=False)
    with pytest.raises(ArgumentTypeError, match="must be an optimizer"):
        optimizers.OptimizerMap("sgd")
    with pytest.raises(ArgumentTypeError, match="dictionary"):
        optimizers.OptimizerMap(sgd, [adam])
    chosen = optimizers.OptimizerMap(sgd, {".*a.*": adam, ".*b.*": sgd})
    with pytest.raises(ArgumentError, match="Multiple optimizers"):
        _ = chosen["ab"]
    with pytest.raises(ArgumentError, match="already exists"):
        chosen[".*a.*"] = sgd
    with pytest.raises(ArgumentError, match="cannot be LossScaleOptimizer"):
        chosen["c"] = optimizers.LossScaleOptimizer(sgd)
    with pytest.raises(ArgumentError, match="beta_1 must be above zero"):
        optimizers.ScheduleFreeAdamW(beta_1=0.0)
    with pytest.raises(ArgumentError, match="at least 2 dimensions"):
        optimizers.Muon().zeropower_via_newtonschulz5(np.ones(3), 5)


def test_newton_schulz_steps_give_singular_values_of_about_one():
    matrix = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    found = np.asarray(optimizers.Muon().zeropower_via_newtonschulz5(matrix, 5))
    values = np.linalg.svd(found, compute_uv=False)
    assert values.min() > 0.5
    assert values.max() < 1.5
