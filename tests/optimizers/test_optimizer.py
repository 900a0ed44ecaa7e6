"""What all optimizers share: learning rate, state, configs, errors, eager and compiled steps."""

import copy
import inspect
import json
import math

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from gazelle import optimizers
from gazelle._core import registry
from gazelle._core.errors import (
    ArgumentError,
    ArgumentTypeError,
    ShapeError,
    StateError,
    UnknownNameError,
)
from gazelle._core.pure import pure
from gazelle._core.variable import Variable
from gazelle.optimizers import SGD, Adam, AdamW, Optimizer

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
NAMES += ["Adafactor"]
OTHER_VALUES = {
    "learning_rate": 0.3,
    "weight_decay": 0.25,
    "clipnorm": 2.0,
    "clipvalue": 3.0,
    "global_clipnorm": 4.0,
    "use_ema": True,
    "ema_momentum": 0.5,
    "ema_overwrite_frequency": 5,
    "loss_scale_factor": 6.0,
    "gradient_accumulation_steps": 7,
    "name": "other",
    "learning_rate_power": -0.25,
    "beta_2_decay": -0.5,
}


def variables():
    return [
        Variable(np.array([[1.0, -2.0], [3.0, 0.5]]), name="kernel", path="net/dense/kernel"),
        Variable(np.array([0.5]), name="bias", path="net/dense/bias"),
    ]


def gradients():
    return [np.array([[0.1, -0.2], [0.3, 0.4]], "float32"), np.array([0.7], "float32")]


def arguments_of(cls):
    return [name for name in inspect.signature(cls).parameters if name != "kwargs"]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (SGD(0.1, momentum=0.9, nesterov=True), [0.95390, 2.09220]),
        (SGD(0.1, momentum=0.9), [0.97100, 2.05800]),
        (optimizers.RMSprop(0.1), [0.45438, 2.54564]),
        (optimizers.Adagrad(0.1), [0.94098, 2.10059]),
        (optimizers.Nadam(0.1), [0.81636, 2.18364]),
        (optimizers.Adamax(0.1), [0.80000, 2.20000]),
        (optimizers.Adadelta(1.0), [0.99715, 2.00285]),
        (optimizers.Ftrl(0.1), [-0.01248, 0.41028]),
        (optimizers.Lion(0.1), [0.8, 2.2]),
        (optimizers.Lamb(0.1), [0.67808, 2.32192]),
        (optimizers.Adafactor(0.1), [0.67808, 2.32192]),
        (Adam(0.1, amsgrad=True), [0.80001, 2.20000]),
        (optimizers.RMSprop(0.1, centered=True, momentum=0.9), [0.11180, 2.88823]),
    ],
)
def test_two_steps_give_the_known_values(optimizer, expected):
    weight = Variable(np.array([1.0, 2.0]), name="w")
    for _ in range(2):
        optimizer.apply([np.array([0.1, -0.2], "float32")], [weight])
    np.testing.assert_allclose(weight.numpy(), expected, atol=6e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_step_gives_the_numbers_of_an_eager_one(name):
    arguments = {"gradient_accumulation_steps": 2}
    if name == "Adam":
        arguments |= {
            "clipnorm": 0.5,
            "weight_decay": 0.1,
            "use_ema": True,
            "ema_overwrite_frequency": 2,
        }
    eager, compiled = (getattr(optimizers, name)(0.1, **arguments) for _ in range(2))
    weights, others = variables(), variables()
    compiled.build(others)
    state = [*others, *compiled.variables]
    step = jax.jit(pure(compiled.apply, state))
    values = [variable.value for variable in state]
    for scale in (1.0, 2.0, 0.5, -0.3, 1.0):
        grads = [gradient * scale for gradient in gradients()]
        eager.apply(grads, weights)
        _, values = step(values, grads)
    for value, expected in zip(values, [*weights, *eager.variables], strict=True):
        np.testing.assert_allclose(value, expected.numpy(), rtol=2e-6, atol=2e-7)
    assert not np.allclose(values[0], variables()[0].numpy())


def test_a_plain_step_traces_nothing_of_what_is_off_and_shared_scalars_once():
    optimizer, weights = Adam(), variables()
    optimizer.build(weights)
    state = [*weights, *optimizer.variables]
    program = str(
        jax.make_jaxpr(pure(optimizer.apply, state))(
            [variable.value for variable in state], gradients()
        )
    )
    assert program.count(" pow ") == 2  # both betas, once for all variables
    for word in ("cond", "select_n", "reduce_sum", "clamp", "while"):
        assert word not in program


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_survives_a_config_and_json(name):
    cls = getattr(optimizers, name)
    for argument in arguments_of(cls):
        default = inspect.signature(cls).parameters[argument].default
        other = OTHER_VALUES.get(argument)
        if other is None:
            other = not default if isinstance(default, bool) else default / 2 + 0.01
        optimizer = cls(**{argument: other})
        config = optimizer.get_config()
        assert config[argument] == other
        assert set(config) == set(arguments_of(cls))
        again = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(optimizer))))
        assert type(again) is cls
        assert again.get_config() == config == cls.from_config(config).get_config()


@pytest.mark.parametrize("name", [*NAMES, "Optimizer"])
def test_signatures_and_defaults_are_those_of_keras(name):
    ours = inspect.signature(getattr(optimizers, name)).parameters
    theirs = inspect.signature(getattr(keras.optimizers, name)).parameters
    assert {n: p.default for n, p in ours.items() if n != "kwargs"} == {
        n: p.default for n, p in theirs.items() if n != "kwargs"
    }


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # of Keras with NumPy 2
@pytest.mark.parametrize("name", NAMES)
def test_a_config_of_keras_gives_an_equal_optimizer(name):
    config = keras.optimizers.serialize(getattr(keras.optimizers, name)(0.5))
    assert optimizers.deserialize(config).get_config() == config["config"]


@pytest.mark.parametrize(
    "rate", [1, 0.5, np.float32(0.5), np.float64(0.5), np.int64(2), np.array(0.5), jnp.array(0.5)]
)
def test_a_learning_rate_may_be_any_number(rate):
    optimizer = SGD(rate)
    assert float(optimizer.learning_rate) == float(rate)
    optimizer.learning_rate = rate / 2
    assert float(optimizer.learning_rate) == float(rate) / 2


@pytest.mark.parametrize(
    "rate", ["fast", None, True, math.nan, math.inf, [0.1], np.ones(2), lambda step: 0.1]
)
def test_an_invalid_learning_rate_is_refused(rate):
    with pytest.raises(ArgumentError, match="learning_rate"):
        SGD(rate)


def test_a_config_holds_the_learning_rate_that_was_given_until_it_changes():
    optimizer = Adam(1e-3)
    assert optimizer.get_config()["learning_rate"] == 1e-3
    optimizer.learning_rate = 0.3
    assert optimizer.get_config()["learning_rate"] == 0.3
    optimizer.learning_rate.assign(0.07)
    assert optimizer.get_config()["learning_rate"] == 0.07


def test_lr_reads_and_sets_the_learning_rate():
    optimizer = SGD(0.5)
    assert float(optimizer.lr) == 0.5
    optimizer.lr = 0.25
    assert float(optimizer.learning_rate) == 0.25
    weight = Variable(np.zeros(1), name="w")
    optimizer.apply([np.ones(1)], [weight])
    assert weight.numpy() == -0.25


def test_a_schedule_takes_no_number_but_another_schedule():
    decay = optimizers.schedules.InverseTimeDecay
    optimizer = SGD(decay(0.5, 1, 1.0))
    with pytest.raises(ArgumentTypeError, match="not settable"):
        optimizer.learning_rate = 0.1
    assert [variable.name for variable in optimizer.variables] == ["iteration"]
    optimizer.learning_rate = decay(0.25, 1, 1.0)
    assert float(optimizer.learning_rate) == 0.25


def test_a_schedule_may_replace_a_number():
    optimizer = SGD(0.5)
    optimizer.learning_rate = optimizers.schedules.InverseTimeDecay(0.25, 1, 1.0)
    assert float(optimizer.learning_rate) == 0.25
    assert [variable.name for variable in optimizer.variables] == ["iteration"]


def test_a_callable_is_asked_at_every_step():
    rates = iter([1.0, 0.5])
    optimizer, weight = SGD(lambda: next(rates)), Variable(np.zeros(1), name="w")
    for expected in (-1.0, -1.5):
        optimizer.apply([np.ones(1)], [weight])
        assert weight.numpy() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": 0.1}, "use learning_rate="),
        ({"momentums": 0.1}, r"not recognized: \{'momentums'"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "Only one of"),
        ({"clipnorm": 0.0}, "clipnorm must be above zero"),
        ({"ema_momentum": 2.0}, "ema_momentum"),
        ({"ema_overwrite_frequency": 0}, "ema_overwrite_frequency"),
        ({"gradient_accumulation_steps": 1}, ">= 2"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"momentum": 2.0}, "momentum"),
        ({"name": "a/b"}, "name"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        SGD(**arguments)


def test_some_optimizers_refuse_more():
    for make in (
        lambda: AdamW(weight_decay=None),
        lambda: optimizers.Lion(beta_1=0.0),
        lambda: optimizers.Ftrl(learning_rate_power=1.0),
    ):
        with pytest.raises(ArgumentError):
            make()


def test_decay_is_ignored_with_a_warning():
    with pytest.warns(UserWarning, match="`decay` is no longer supported"):
        SGD(decay=0.1)


@pytest.mark.parametrize(
    "name", ["adam", "Adam", "ADAM", "adamw", "AdamW", "rmsprop", "RMSprop", "sgd", "lamb", "Nadam"]
)
def test_names_may_be_in_upper_or_lower_case(name):
    assert type(optimizers.get(name)).__name__.lower() == name.lower()


def test_get_takes_configs_classes_and_instances_and_refuses_the_rest():
    optimizer = Adam(0.5)
    assert optimizers.get(optimizer) is optimizer
    assert optimizers.get(None) is None
    assert type(optimizers.get(Adam)) is Adam
    assert optimizers.get(optimizers.serialize(optimizer)).get_config() == optimizer.get_config()
    assert (
        float(
            optimizers.get({"class_name": "ADAM", "config": {"learning_rate": 0.5}}).learning_rate
        )
        == 0.5
    )
    with pytest.raises(UnknownNameError, match="did you mean 'adam'"):
        optimizers.get("adamm")
    for wrong in (3, len):
        with pytest.raises(UnknownNameError):
            optimizers.get(wrong)


def test_variables_of_another_model_are_refused():
    optimizer = Adam()
    optimizer.build(variables())
    others = [Variable(np.ones((5, 5)), name="kernel")]
    with pytest.raises(
        StateError,
        match=r"Unknown variable(.|\n)*\(5, 5\)(.|\n)*fix: call compile again with a new optimizer",
    ):
        optimizer.apply([np.ones((5, 5))], others)
    with pytest.raises(StateError, match="Unknown variable"):
        optimizer.build(others)


def test_missing_gradients_leave_their_variables_alone():
    optimizer, (kernel, bias) = AdamW(0.1), variables()
    with pytest.warns(UserWarning, match="Gradients do not exist for variables"):
        optimizer.apply([None, gradients()[1]], [kernel, bias])
    np.testing.assert_array_equal(kernel.numpy(), variables()[0].numpy())
    assert bias.numpy() != 0.5
    with pytest.raises(ArgumentError, match="No gradients provided"):
        optimizer.apply([None, None], [kernel, bias])


def test_gradients_must_match_their_variables():
    optimizer, weights = SGD(), variables()
    with pytest.raises(StateError):
        optimizer.apply(gradients())
    with pytest.raises(ArgumentError, match="one to one"):
        optimizer.apply(gradients()[:1], weights)
    with pytest.raises(ShapeError, match="net/dense/kernel"):
        optimizer.apply([np.ones((1, 2)), np.ones(1)], weights)


def test_a_gradient_without_a_finite_norm_is_not_clipped_to_something_harmless():
    optimizer, weight = SGD(global_clipnorm=1.0), Variable(np.ones(2), name="w")
    optimizer.apply([np.array([1e30, 1.0], "float32")], [weight])
    assert np.isnan(weight.numpy()).all()


def test_weights_can_be_read_and_restored():
    trained, fresh, weights = Adam(), Adam(), variables()
    with pytest.raises(StateError):
        fresh.set_weights([])
    trained.apply(gradients(), weights)
    fresh.build(weights)
    fresh.set_weights(trained.get_weights())
    store = {}
    fresh.save_own_variables(store)
    last = Adam()
    last.build(weights)
    last.load_own_variables(store)
    for value, expected in zip(last.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)
    with pytest.raises(ArgumentError, match="number of arrays"):
        last.set_weights(last.get_weights()[:-1])
    with pytest.raises(ShapeError):
        last.set_weights([np.ones(3), *last.get_weights()[1:]])


def test_stateless_apply_gives_the_values_of_apply_and_changes_nothing():
    optimizer, weights = Adam(0.1), variables()
    with pytest.raises(StateError):
        optimizer.stateless_apply([], gradients(), [])
    optimizer.build(weights)
    before = [variable.numpy() for variable in [*weights, *optimizer.variables]]
    new_weights, new_state = optimizer.stateless_apply(before[2:], gradients(), before[:2])
    for variable, value in zip([*weights, *optimizer.variables], before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    optimizer.apply(gradients())
    for variable, value in zip(
        [*weights, *optimizer.variables], [*new_weights, *new_state], strict=True
    ):
        np.testing.assert_array_equal(variable.numpy(), value)
    with pytest.raises(ArgumentError, match="wrong length"):
        optimizer.stateless_apply(new_state[1:], gradients(), new_weights)


def test_apply_gradients_takes_pairs_and_returns_the_step_count():
    optimizer = SGD()
    assert int(optimizer.apply_gradients(zip(gradients(), variables(), strict=True))) == 1


def test_iterations_count_updates():
    optimizer, weights = SGD(gradient_accumulation_steps=2), variables()
    counts = []
    for _ in range(5):
        optimizer.apply(gradients(), weights)
        counts.append(int(optimizer.iterations))
    assert counts == [0, 1, 1, 2, 2]


def test_averages_replace_the_weights_at_the_end():
    optimizer, weight = SGD(1.0, use_ema=True, ema_momentum=0.5), Variable(np.zeros(1), name="w")
    optimizer.build([weight])
    for _ in range(3):
        optimizer.apply([np.full(1, -1.0)])
    assert weight.numpy() == 3.0
    optimizer.finalize_variable_values([weight])
    assert weight.numpy() == 2.25  # ((1 + 2) / 2 + 3) / 2


def test_averages_before_the_first_step_are_the_weights():
    optimizer, weights = SGD(use_ema=True), variables()
    optimizer.build(weights)
    optimizer.finalize_variable_values()
    np.testing.assert_array_equal(weights[0].numpy(), variables()[0].numpy())


def test_variables_can_be_excluded_from_decay_and_a_second_call_replaces_the_first():
    optimizer, (kernel, bias) = SGD(0.0, weight_decay=0.5), variables()
    optimizer.build([kernel, bias])
    optimizer.learning_rate = 1.0
    optimizer.exclude_from_weight_decay(var_list=[kernel])
    optimizer.exclude_from_weight_decay(var_names=["^bi"])
    optimizer.apply([np.zeros((2, 2)), np.zeros(1)])
    np.testing.assert_array_equal(kernel.numpy(), variables()[0].numpy() / 2)
    assert bias.numpy() == 0.5


def test_the_loss_is_scaled():
    assert SGD(loss_scale_factor=8.0).scale_loss(2.0) == 16.0
    assert SGD().scale_loss(2.0) == 2.0


def test_a_users_optimizer_has_slots_configs_and_compiles():
    @registry.register_keras_serializable("tests")
    class Heavy(Optimizer):
        def __init__(self, learning_rate=0.1, drag=0.5, **kwargs):
            super().__init__(learning_rate, **kwargs)
            self.drag = drag

        def build(self, variables):
            if self.built:
                return
            super().build(variables)
            self.speeds = self.add_optimizer_variables(variables, "speed", initializer="ones")
            self.count = self.add_variable((), name="count")

        def update_step(self, gradient, variable, learning_rate):
            speed = self.speeds[self._get_variable_index(variable)]
            self.assign(speed, speed * self.drag)
            self.assign_add(speed, -gradient)
            self.assign_add(variable, learning_rate * speed)
            self.assign_sub(self.count, 1.0)

        def get_config(self):
            return {**super().get_config(), "drag": self.drag}

    optimizer = optimizers.deserialize(optimizers.serialize(Heavy(drag=0.25, clipvalue=1.0)))
    assert (optimizer.drag, optimizer.clipvalue, optimizer.name) == (0.25, 1.0, "heavy")
    weight = Variable(np.zeros(2), name="w")
    optimizer.build([weight])
    assert [variable.path for variable in optimizer.variables][2:] == [
        "heavy/w_speed",
        "heavy/count",
    ]
    state = [weight, *optimizer.variables]
    _, values = jax.jit(pure(optimizer.apply, state))(
        [v.value for v in state], [np.array([2.0, -0.5], "float32")]
    )
    np.testing.assert_allclose(values[0], [0.1 * (0.25 - 1.0), 0.1 * (0.25 + 0.5)], rtol=1e-6)
    assert optimizers.get("tests>Heavy").drag == 0.5


def test_gazelles_update_rules_can_be_overridden_per_variable():
    class Slower(Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(
                gradient, variable, learning_rate * (0.5 if variable.name == "bias" else 1.0)
            )

    (kernel, bias), (same, full) = variables(), variables()
    Slower(0.1).apply(gradients(), [kernel, bias])
    Adam(0.1).apply(gradients(), [same, full])
    np.testing.assert_array_equal(kernel.numpy(), same.numpy())
    np.testing.assert_allclose(0.5 - bias.numpy(), (0.5 - full.numpy()) / 2, rtol=1e-5)


def test_update_step_works_alone():
    optimizer, (kernel, bias), (same, other) = Adam(0.1), variables(), variables()
    optimizer.build([kernel, bias])
    optimizer.update_step(jnp.asarray(gradients()[0]), kernel, 0.1)
    Adam(0.1).apply(gradients(), [same, other])
    np.testing.assert_allclose(kernel.numpy(), same.numpy(), rtol=1e-6)
    with pytest.raises(NotImplementedError, match="update_step"):
        Optimizer(0.1).apply(gradients(), variables())


def test_a_copy_is_independent():
    weights = variables()
    optimizer = Adam(0.1)
    optimizer.build(weights)
    twin, twin_weights = copy.deepcopy((optimizer, weights))
    twin.apply(gradients(), twin_weights)
    assert (int(twin.iterations), int(optimizer.iterations)) == (1, 0)
    np.testing.assert_array_equal(weights[0].numpy(), variables()[0].numpy())


def test_half_precision_weights_keep_their_dtype():
    weight = Variable(np.ones(4), dtype="bfloat16", name="w")
    optimizer = Adam(0.1, use_ema=True, weight_decay=0.1, gradient_accumulation_steps=2)
    for _ in range(2):
        optimizer.apply([jnp.ones(4, "bfloat16")], [weight])
    assert {variable.value.dtype.name for variable in optimizer.variables} == {
        "int32",
        "float32",
        "bfloat16",
    }
    assert weight.value.dtype == "bfloat16"
    np.testing.assert_allclose(weight.numpy().astype("float32"), 0.89, atol=0.01)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad", "RMSprop", "Ftrl", "Lion"])
@pytest.mark.parametrize("scales", [False, True])
def test_sparse_gradients_are_those_of_the_dense_array(name, scales):
    from jax.experimental.sparse import BCOO

    rows = jnp.array([[0], [2]])
    gradient = BCOO((jnp.ones((2, 3)), rows), shape=(4, 3))
    found = []
    for one in (gradient, gradient.todense()):
        optimizer = getattr(optimizers, name)(0.1)
        if scales:
            optimizer = optimizers.LossScaleOptimizer(optimizer, initial_scale=1.0)
        variable = Variable(np.ones((4, 3), "float32"))
        for _ in range(3):
            optimizer.apply_gradients([(one, variable)])
        found.append(np.asarray(variable))
    np.testing.assert_array_equal(*found)
