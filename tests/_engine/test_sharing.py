"""Models of one architecture share programs, and no model runs a program that is not its own."""

import gc
import weakref
from collections import OrderedDict

import jax.numpy as jnp
import numpy as np
import pytest

import gazelle
from gazelle import layers as L  # noqa: N812
from gazelle._engine import programs

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


@pytest.fixture(autouse=True)
def no_programs(monkeypatch):
    monkeypatch.setattr(programs, "_shared", OrderedDict())


def build(
    first=None,
    *,
    hidden=5,
    optimizer=None,
    loss="binary_crossentropy",
    metrics=("accuracy",),
    **compiled,
):
    first = first or L.Dense(hidden, activation="tanh")
    model = gazelle.Sequential(
        [gazelle.Input((4,)), first, L.Dropout(0.2), L.Dense(1, activation="sigmoid")]
    )
    model.compile(
        optimizer or gazelle.optimizers.Adam(0.01), loss, metrics=list(metrics), **compiled
    )
    return model


def run(make, **fitted):
    """History, weights and predictions of a new model after training."""
    gazelle.utils.set_random_seed(1)
    model = make()
    history = model.fit(X, Y, epochs=2, batch_size=16, verbose=0, **fitted).history
    return {
        **history,
        "eval": model.evaluate(X, Y, verbose=0),
        "weights": model.get_weights(),
        "out": model.predict(X),
    }


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        values = value if isinstance(value, list) else [value]
        others = other[key] if isinstance(value, list) else [other[key]]
        for a, b in zip(values, others, strict=True):
            np.testing.assert_array_equal(a, b)


def functional():
    inputs = gazelle.Input((4,))
    x = L.Dense(5, activation="relu")(inputs)
    outputs = L.Dense(1, activation="sigmoid")(x + L.Dense(5)(inputs))
    model = gazelle.Model(inputs, outputs)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy", gazelle.metrics.AUC()])
    return model


def regularized():
    return build(
        L.Dense(5, kernel_regularizer="l2", activity_regularizer="l1", kernel_constraint="max_norm")
    )


def scheduled():
    rate = gazelle.optimizers.schedules.CosineDecay(0.1, 9)
    return build(optimizer=gazelle.optimizers.SGD(rate, momentum=0.9))


SAME = {
    "sequential": build,
    "functional": functional,
    "normalized": lambda: build(L.BatchNormalization()),
    "regularized": regularized,
    "scheduled": scheduled,
    "averaged": lambda: build(optimizer=gazelle.optimizers.AdamW(0.01, use_ema=True, clipnorm=1.0)),
    "loss object": lambda: build(loss=gazelle.losses.BinaryFocalCrossentropy(gamma=1.5)),
}


@pytest.mark.parametrize("make", SAME.values(), ids=SAME)
def test_a_second_model_of_the_same_architecture_compiles_nothing(make):
    first = run(make, validation_split=0.2)
    count = len(programs._shared)
    assert count
    second = run(make, validation_split=0.2)
    assert len(programs._shared) == count
    assert_equal(first, second)


def with_lora():
    model = build()
    model.layers[0].enable_lora(2)
    return model


def frozen():
    model = build()
    model.layers[0].trainable = False
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


OTHER = {
    "units": lambda: build(hidden=6),
    "activation": lambda: build(L.Dense(5, activation="relu")),
    "negative slope": lambda: build(L.LeakyReLU(0.3)),
    "another slope": lambda: build(L.LeakyReLU(0.1)),
    "penalty": lambda: build(
        L.Dense(5, activation="tanh", kernel_regularizer=gazelle.regularizers.L2(0.5))
    ),
    "penalty of the output": lambda: build(
        L.Dense(5, activation="tanh", activity_regularizer="l2")
    ),
    "constraint": lambda: build(L.Dense(5, activation="tanh", kernel_constraint="non_neg")),
    "no bias": lambda: build(L.Dense(5, activation="tanh", use_bias=False)),
    "optimizer": lambda: build(optimizer="rmsprop"),
    "momentum": lambda: build(optimizer=gazelle.optimizers.Adam(0.01, beta_1=0.5)),
    "clipping": lambda: build(optimizer=gazelle.optimizers.Adam(0.01, clipvalue=1e-3)),
    "decay": lambda: build(optimizer=gazelle.optimizers.Adam(0.01, weight_decay=0.5)),
    "loss": lambda: build(loss="mse"),
    "smoothed loss": lambda: build(loss=gazelle.losses.BinaryCrossentropy(label_smoothing=0.3)),
    "weight of the loss": lambda: build(loss_weights=[3.0]),
    "metric": lambda: build(metrics=["accuracy", gazelle.metrics.BinaryAccuracy(threshold=0.1)]),
    "another threshold": lambda: build(
        metrics=["accuracy", gazelle.metrics.BinaryAccuracy(threshold=0.9)]
    ),
    "names of metrics": lambda: build(metrics=[gazelle.metrics.BinaryAccuracy(name="hits")]),
    "types": lambda: build(L.Dense(5, activation="tanh", dtype="bfloat16")),
    "low rank": with_lora,
    "frozen": frozen,
}


@pytest.mark.parametrize("make", OTHER.values(), ids=OTHER)
def test_a_model_that_differs_trains_with_its_own_programs(make, monkeypatch):
    programs_before = len(programs._shared)
    alone = run(make)
    own = len(programs._shared) - programs_before
    monkeypatch.setattr(programs, "_shared", OrderedDict())
    for other in (build, OTHER["negative slope"], OTHER["metric"]):
        run(other)
    after = len(programs._shared)
    assert_equal(run(make), alone)
    assert own >= 3
    is_known = make in (OTHER["negative slope"], OTHER["metric"])
    assert len(programs._shared) == after + (0 if is_known else own)


def test_decay_that_excludes_weights_by_name_is_not_confused():
    def make(excluded):
        optimizer = gazelle.optimizers.AdamW(0.01, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=excluded)
        return lambda: build(optimizer=optimizer)

    kernels, biases = run(make(["kernel"])), run(make(["bias"]))
    assert not np.array_equal(kernels["weights"][0], biases["weights"][0])


SCALE = 1.0


def scaled_loss(y_true, y_pred):
    return SCALE * jnp.mean((y_true - y_pred) ** 2, axis=-1)


class Scaled(L.Layer):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def call(self, inputs):
        return inputs * self.scale * SCALE


@pytest.mark.parametrize(
    "make", [lambda: build(loss=scaled_loss), lambda: build(Scaled(2.0))], ids=["function", "layer"]
)
def test_a_users_own_code_is_traced_for_each_model(make, monkeypatch):
    first = run(make)
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert not programs._shared
    assert run(make)["loss"][0] != first["loss"][0]


def test_the_setting_of_epsilon_is_part_of_a_program():
    run(build)
    count = len(programs._shared)
    gazelle.config.set_epsilon(1e-3)
    try:
        run(build)
    finally:
        gazelle.config.set_epsilon(1e-7)
    assert len(programs._shared) > count


def test_a_program_keeps_no_model_alive():
    model = build()
    model.fit(X, Y, verbose=0)
    model.predict(X)
    assert programs._shared
    watched = [weakref.ref(model), weakref.ref(model.weights[0]), weakref.ref(model.optimizer)]
    del model
    gc.collect()
    assert [ref() for ref in watched] == [None, None, None]


def test_the_store_of_programs_is_bounded(monkeypatch):
    monkeypatch.setattr(programs, "_LIMIT", 3)
    for units in (2, 3, 4):
        run(lambda units=units: build(hidden=units))
    assert len(programs._shared) == 3
