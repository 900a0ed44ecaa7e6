"""Every row of the table of old forms, as scripts write it."""

import numpy as np
import pytest

import gazelle
from gazelle import compat
from gazelle.compat._forms import CALLS, FILES, MEMBERS, MODULES, NAMES
from gazelle.compat._modules import path_of, room

# Values for the arguments of the table; the others take 1.
VALUES = {
    "W_constraint": "max_norm", "W_regularizer": "l2", "b_constraint": "max_norm",
    "b_regularizer": "l1", "beta_init": "zero", "bias": False, "gamma_init": "one", "init": "zero",
    "p": 0.25, "sigma": 0.1, "epsilon": 1e-3, "lr": 0.5, "batch_input_shape": (None, 3),
    "input_dtype": "float32", "low": 0.0, "high": 1.0, "m": 2.0, "theta": 1.0, "alpha": 0.2,
    "nb_words": 10, "nb_classes": 3,
}  # fmt: skip
REQUIRED = {
    "layers.Dense": (3,), "layers.Dropout": (0.5,), "layers.AlphaDropout": (0.5,),
    "layers.GaussianDropout": (0.5,), "layers.GaussianNoise": (0.5,), "layers.Embedding": (5, 2),
    "layers.SpatialDropout1D": (0.5,), "callbacks.ModelCheckpoint": ("x.keras",),
    "utils.to_categorical": ([0, 1],),
}  # fmt: skip
# Classes that are made in another way, tested by name below.
ELSEWHERE = ("layers.Model", "layers.ThresholdedReLU", "layers.InputLayer", "models.Model", "Input")


def callable_of(path):
    place, _, name = path.rpartition(".")
    return getattr(room(path_of(place) if place else ""), name)


ROWS = [
    (path, old, new)
    for path, renamed in CALLS.items()
    for old, new in renamed.arguments.items()
    if not path.startswith("Model.") and path not in ELSEWHERE and "load_data" not in path
    and not path.startswith(("optimizers.Optimizer", "layers.TimeDistributedDense"))
    and "BatchNormalizationV" not in path and not path.startswith("backend.")
]  # fmt: skip


@pytest.mark.parametrize(("path", "old", "new"), ROWS)
def test_an_old_argument_is_todays(installed, path, old, new):
    made = callable_of(path)
    positional = list(REQUIRED.get(path, ()))
    value = VALUES.get(old, 1)
    if positional and old in ("output_dim", "p", "sigma"):
        positional = positional[1:]
    old_way = made(*positional, **{old: value})
    new_way = made(*positional, **{new: value})
    if isinstance(old_way, np.ndarray):
        np.testing.assert_array_equal(old_way, new_way)
    elif hasattr(old_way, "get_config"):
        first, second = old_way.get_config(), new_way.get_config()
        assert {**first, "name": None} == {**second, "name": None}
        assert first.get(new, value) is not None
    elif old != "epsilon":
        assert getattr(old_way, new) == value == getattr(new_way, new)
    else:
        assert old_way.min_delta == new_way.min_delta == value


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (path, name)
        for path, renamed in CALLS.items()
        for name in renamed.dropped
        if path.startswith(("callbacks.", "layers.BatchNormalization", "optimizers.Nadam"))
        and "V1" not in path and "V2" not in path
    ],
)  # fmt: skip
def test_a_dropped_argument_is_taken(installed, path, name, tmp_path):
    allowed = CALLS[path].dropped[name]
    value = allowed[0] if isinstance(allowed, tuple) else 0
    options = {"log_dir": str(tmp_path)} if path.endswith("TensorBoard") else {}
    callable_of(path)(*REQUIRED.get(path, ()), **{name: value}, **options)


def test_a_dropped_argument_that_mattered_is_refused(installed):
    import keras

    with pytest.raises(gazelle.errors.ArgumentError, match="mode"):
        keras.layers.BatchNormalization(mode=1)


def test_the_same_argument_under_two_names_is_refused(installed):
    import keras

    with pytest.raises(gazelle.errors.ArgumentError, match="two names"):
        keras.layers.Dense(output_dim=3, units=3)


@pytest.mark.parametrize(("old", "new"), NAMES.items())
def test_an_old_name_is_todays(installed, old, new):
    place, _, name = old.rpartition(".")
    value = getattr(room(path_of(place)), name)
    there, _, today = new.rpartition(".")
    assert value is getattr(room(there or place), today)


@pytest.mark.parametrize("old", MODULES)
def test_an_old_module_is_todays(installed, old):
    assert room(path_of(old)) is room(MODULES[old])


@pytest.mark.parametrize("file", sorted(FILES))
def test_files_of_keras_3_are_in_their_rooms(installed, file):
    assert path_of(f"src.layers.{file}") == "layers"


@pytest.mark.parametrize("path", MEMBERS)
def test_an_old_member_is_there(installed, path):
    owner, _, name = path.partition(".")
    found = {
        "Model": gazelle.Model,
        "Layer": gazelle.layers.Layer,
        "Metric": gazelle.metrics.Metric,
        "Optimizer": gazelle.optimizers.Optimizer,
    }[owner]
    assert hasattr(found, name)


def test_input_of_a_number(installed):
    from keras.layers import Input

    assert Input(784).shape == (None, 784)
    assert Input(batch_input_shape=(None, 3)).shape == (None, 3)


def test_model_of_input_and_output(installed):
    from keras.layers import Dense, Input
    from keras.models import Model

    x = Input((3,))
    assert Model(input=x, output=Dense(2)(x)).output_shape == (None, 2)


def test_layers_with_weights(installed):
    from keras.layers import Dense, Embedding
    from keras.models import Sequential

    kernel, bias, table = np.ones((3, 2)), np.full(2, 5.0), np.arange(8.0).reshape(4, 2)
    model = Sequential([Dense(2, weights=[kernel, bias], input_shape=(3,))])
    np.testing.assert_array_equal(model.get_weights()[1], bias)
    model = Sequential([Embedding(4, 2, weights=[table], input_length=3)])
    np.testing.assert_array_equal(model.predict(np.array([[3, 0, 1]]))[0, 0], table[3])


def test_an_embedding_knows_its_input(installed):
    from keras.layers import Dense, Embedding, Flatten
    from keras.models import Sequential

    first = Embedding(10, 4, input_length=3)
    model = Sequential([first, Flatten(), Dense(1)])
    first.set_weights([np.zeros((10, 4))])
    assert model.output_shape == (None, 1)
    assert Sequential([Embedding(10, 4)]).output_shape == (None, None, 4)


def test_decay_is_that_of_keras_2(installed):
    """Keras 2: rate / (1 + decay * iterations); a step of SGD moves by the rate."""
    from keras.optimizers import SGD

    variable = gazelle.Variable(np.zeros(1))
    optimizer = SGD(lr=0.5, decay=0.25)
    moved, rate = [], 0.5
    for _ in range(3):
        before = float(variable[0])
        optimizer.apply([np.ones(1)], [variable])
        moved.append(before - float(variable[0]))
    np.testing.assert_allclose(moved, [rate / (1 + 0.25 * step) for step in range(3)], rtol=1e-6)
    assert float(optimizer.lr) == 0.5
    config = optimizer.get_config()["learning_rate"]
    assert config["class_name"] == "InverseTimeDecay"


@pytest.mark.parametrize(
    ("name", "given"),
    [("SGD", (0.1, 0.9, 0.01, True)), ("Adam", (0.1, 0.9, 0.999, 1e-8, 0.01, True))],
)
def test_decay_by_its_place(installed, name, given):
    """Keras 2: SGD(lr, momentum, decay, nesterov), and Adam's decay before amsgrad."""
    from keras import optimizers

    optimizer = getattr(optimizers, name)(*given)
    assert optimizer.decay == 0.01
    assert optimizer.nesterov if name == "SGD" else optimizer.amsgrad
    assert optimizers.SGD(0.1, 0.9, True).nesterov


def test_decay_within_fit(installed):
    """The compiled epoch decays as single steps do, also where the native kernel would train."""
    from keras.layers import Dense
    from keras.models import Sequential
    from keras.optimizers import Adam

    def trained(fit):
        model = Sequential([Dense(2, input_dim=3, init="one"), Dense(1, init="one")])
        model.compile(loss="mse", optimizer=Adam(lr=0.1, decay=0.5))
        rows = np.random.default_rng(0)
        x, y = rows.normal(size=(64, 3)), rows.normal(size=(64, 1))
        fit(model, x, y)
        return model.get_weights()

    def steps(model, x, y):
        for start in range(0, 64, 16):
            model.train_on_batch(x[start : start + 16], y[start : start + 16])

    whole = trained(lambda m, x, y: m.fit(x, y, batch_size=16, shuffle=False, verbose=0))
    for one, other in zip(whole, trained(steps), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_out_of_scope_is_an_error_of_gazelles(installed):
    assert issubclass(compat.OutOfScopeError, gazelle.errors.GazelleError)
