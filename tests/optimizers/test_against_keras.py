"""Every optimizer, with every common argument, against Keras over seven steps."""

import jax
import keras
import numpy as np
import pytest

from gazelle import optimizers
from gazelle._core.variable import Variable

pytestmark = pytest.mark.slow

NAMES = [
    "SGD",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adam",
    "AdamW",
    "Adamax",
    "Nadam",
    "Lion",
    "Ftrl",
    "Lamb",
]
NAMES += ["Adafactor", "Muon", "ScheduleFreeAdamW"]
SHAPES = {"kernel": (3, 2), "bias": (2,), "scale": (1,)}
STEPS = 20
MECHANISMS = {
    "plain": {},
    "clipnorm": {"clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.2},
    "global_clipnorm": {"global_clipnorm": 0.4},
    "weight_decay": {"weight_decay": 0.3},
    "average": {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3},
    "loss_scale": {"loss_scale_factor": 8.0},
}
ACCUMULATE = {
    "2": {"gradient_accumulation_steps": 2},
    "3": {"gradient_accumulation_steps": 3},
    "everything": {
        "clipnorm": 0.5,
        "weight_decay": 0.1,
        "use_ema": True,
        "ema_momentum": 0.6,
        "ema_overwrite_frequency": 2,
        "gradient_accumulation_steps": 2,
        "loss_scale_factor": 2.0,
    },
}
VARIANTS = [
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("RMSprop", {"momentum": 0.5}),
    ("RMSprop", {"centered": True, "momentum": 0.9, "rho": 0.8}),
    ("Adam", {"amsgrad": True, "beta_2": 0.7}),
    ("Adam", {"epsilon": 1e-2}),
    ("Adagrad", {"initial_accumulator_value": 0.3}),
    ("Adafactor", {"relative_step": False, "clip_threshold": 0.5}),
    ("Adafactor", {"relative_step": False, "learning_rate": 5.0}),
    ("Ftrl", {"l1_regularization_strength": 0.3, "l2_regularization_strength": 0.2, "beta": 0.1}),
    ("Muon", {"momentum": 0.5, "nesterov": False, "ns_steps": 3, "rms_rate": None}),
    ("Muon", {"adam_beta_1": 0.5, "adam_beta_2": 0.7, "epsilon": 1e-3, "adam_lr_ratio": 3}),
    ("Muon", {"muon_a": 3.4, "muon_b": -4.7, "muon_c": 2.0, "exclude_layers": ["bias"]}),
    ("Muon", {"exclude_layers": ["kern"], "exclude_embeddings": False}),
    ("Muon", {"weight_decay": 0.3, "adam_weight_decay": 0.1}),
    ("Muon", {"weight_decay": None, "adam_weight_decay": None}),
    ("ScheduleFreeAdamW", {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-3}),
    ("ScheduleFreeAdamW", {"warmup_steps": 4}),
    ("Ftrl", {"l2_shrinkage_regularization_strength": 0.1, "learning_rate_power": -0.3}),
]


def gradients():
    rng = np.random.default_rng(3)
    return [
        [rng.normal(0, 0.5, shape).astype("float32") for shape in SHAPES.values()]
        for _ in range(STEPS)
    ]


def starts():
    rng = np.random.default_rng(4)
    return [rng.normal(0, 1, shape).astype("float32") for shape in SHAPES.values()]


def made(kind):
    return [kind(value, name=name) for name, value in zip(SHAPES, starts(), strict=True)]


def run(optimizer, variables, rows=None):
    for grads in rows or gradients():
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads], variables)
    return [np.asarray(v) for v in variables], [np.asarray(v) for v in optimizer.variables]


def run_compiled(optimizer, variables):
    """Keras in one compiled step; run eagerly, it compiles its branches again at every step."""
    optimizer.build(variables)
    step = jax.jit(lambda weights, state, grads: optimizer.stateless_apply(state, grads, weights))
    weights, state = [v.value for v in variables], [v.value for v in optimizer.variables]
    for grads in gradients():
        weights, state = step(weights, state, grads)
    return [np.asarray(v) for v in weights], [np.asarray(v) for v in state]


def compare(name, arguments, expected_arguments=None, exclude=None, constrain=False):
    ours = getattr(optimizers, name)(**arguments)
    theirs = getattr(keras.optimizers, name)(**(expected_arguments or arguments))
    variables, reference = made(Variable), made(keras.Variable)
    if exclude:
        ours.exclude_from_weight_decay(var_names=exclude)
        theirs.exclude_from_weight_decay(var_names=exclude)
    if constrain:
        variables[0].constraint = reference[0].constraint = lambda weight: keras.ops.clip(
            weight, -0.5, 0.5
        )
    weights, state = run(ours, variables)
    oracle = run_compiled if "gradient_accumulation_steps" in arguments else run
    expected_weights, expected_state = oracle(theirs, reference)
    if name == "Adafactor":  # Keras also stores the velocity of a matrix, which is never used
        expected_state[-7] = state[-7]
    # Schedule-free: the mean is computed from the weights each time, and divided by beta_1.
    atol = 5e-6 if name == "ScheduleFreeAdamW" else 2e-7
    for value, expected in zip(weights + state, expected_weights + expected_state, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=atol)
    assert not np.allclose(weights[0], starts()[0])


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("name", NAMES)
def test_weights_and_state_are_those_of_keras(name, mechanism):
    compare(name, {"learning_rate": 0.05, **MECHANISMS[mechanism]})


@pytest.mark.parametrize(("name", "arguments"), VARIANTS)
def test_every_argument_of_an_update_rule_acts_as_in_keras(name, arguments):
    compare(name, {"learning_rate": 0.05, **arguments})


@pytest.mark.parametrize("accumulate", ACCUMULATE)
def test_accumulated_gradients_act_as_in_keras(accumulate):
    compare("Adam", {"learning_rate": 0.05, **ACCUMULATE[accumulate]})


@pytest.mark.parametrize("steps", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_accumulating_is_one_update_of_keras_with_the_mean_gradient(name, steps):
    variables, reference = made(Variable), made(keras.Variable)
    weights, _ = run(getattr(optimizers, name)(0.05, gradient_accumulation_steps=steps), variables)
    rows = gradients()
    groups = [rows[i : i + steps] for i in range(0, STEPS - steps + 1, steps)]
    means = [[np.mean(column, axis=0) for column in zip(*group, strict=True)] for group in groups]
    expected, _ = run(getattr(keras.optimizers, name)(0.05), reference, means)
    for value, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_schedule_gives_the_steps_of_keras(name):
    ours = optimizers.schedules.InverseTimeDecay(0.1, 2, 0.7)
    theirs = keras.optimizers.schedules.InverseTimeDecay(0.1, 2, 0.7)
    compare(name, {"learning_rate": ours}, {"learning_rate": theirs})


def test_a_schedule_counts_steps_also_where_gradients_accumulate():
    ours = optimizers.schedules.InverseTimeDecay(0.1, 2, 0.7)
    theirs = keras.optimizers.schedules.InverseTimeDecay(0.1, 2, 0.7)
    accumulate = {"gradient_accumulation_steps": 2}
    compare("Adam", {"learning_rate": ours, **accumulate}, {"learning_rate": theirs, **accumulate})


def test_excluded_variables_do_not_decay():
    compare("AdamW", {"learning_rate": 0.05, "weight_decay": 0.5}, exclude=["bias", "^sc"])


@pytest.mark.parametrize("arguments", [{}, MECHANISMS["average"], ACCUMULATE["everything"]])
def test_constraints_act_when_those_of_keras_act(arguments):
    compare("Adam", {"learning_rate": 0.05, **arguments}, constrain=True)


def test_variables_have_the_names_of_keras_in_its_order():
    for name in set(NAMES) - {"Adafactor"}:
        arguments = {"use_ema": True, "gradient_accumulation_steps": 2, "name": "opt"}
        if name in ("SGD", "RMSprop"):
            arguments["momentum"] = 0.9
        ours, theirs = (
            getattr(optimizers, name)(**arguments),
            getattr(keras.optimizers, name)(**arguments),
        )
        ours.build(
            [
                Variable(np.ones((3, 2)), name="kernel", path="model/dense/kernel"),
                Variable(np.ones(2), name="b"),
            ]
        )
        reference = [
            keras.Variable(np.ones((3, 2)), name="kernel"),
            keras.Variable(np.ones(2), name="b"),
        ]
        reference[0]._path = "model/dense/kernel"
        theirs.build(reference)
        paths = [v.path for v in theirs.variables]
        if name == "Nadam":
            paths[-1] = "opt/u_product"  # nameless in Keras
        assert [v.path for v in ours.variables] == paths
        assert [v.dtype for v in ours.variables] == [v.dtype for v in theirs.variables]
        assert [v.shape for v in ours.variables] == [tuple(v.shape) for v in theirs.variables]
