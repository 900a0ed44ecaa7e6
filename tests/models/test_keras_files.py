"""`.keras` files both ways: equal predictions, and equal weights after one more epoch."""

import inspect
import warnings

import keras
import numpy as np
import pytest
from models import graphs

import gazelle

# Keras reads its variables in a way that NumPy 2 warns about.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 4)).astype("float32")
Y = RNG.uniform(0.1, 0.9, size=(24, 2)).astype("float32")

GRAPHS = [maker for name, maker in inspect.getmembers(graphs, inspect.isfunction)]

LAYERS = {
    "dense": lambda K: K.layers.Dense(3, activation="gelu", use_bias=False),
    "dense-regularized": lambda K: K.layers.Dense(
        3,
        kernel_regularizer=K.regularizers.L1L2(0.01, 0.02),
        bias_regularizer="l2",
        activity_regularizer=K.regularizers.L2(0.1),
        kernel_constraint=K.constraints.MaxNorm(1.5, axis=0),
        bias_constraint="non_neg",
    ),
    "dense-constraints": lambda K: K.layers.Dense(
        3,
        kernel_constraint=K.constraints.MinMaxNorm(0.1, 0.9, rate=0.5),
        bias_constraint=K.constraints.UnitNorm(axis=0),
        kernel_regularizer=K.regularizers.OrthogonalRegularizer(0.02, mode="columns"),
    ),
    "dense-float64-name": lambda K: K.layers.Dense(3, name="a name-with.dots"),
    "dense-layer-as-activation": lambda K: K.layers.Dense(3, activation=K.layers.PReLU()),
    "activation": lambda K: K.layers.Activation("swish"),
    "activity": lambda K: K.layers.ActivityRegularization(l1=0.01, l2=0.02),
    "batchnorm": lambda K: K.layers.BatchNormalization(momentum=0.9, epsilon=0.01, scale=False),
    "layernorm": lambda K: K.layers.LayerNormalization(epsilon=0.01, center=False),
    "unitnorm": lambda K: K.layers.UnitNormalization(axis=-1),
    "elu": lambda K: K.layers.ELU(alpha=0.5),
    "leaky": lambda K: K.layers.LeakyReLU(negative_slope=0.1),
    "prelu": lambda K: K.layers.PReLU(alpha_initializer=K.initializers.Constant(0.3)),
    "relu": lambda K: K.layers.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.05),
    "softmax": lambda K: K.layers.Softmax(axis=-1),
    "rescaling": lambda K: K.layers.Rescaling(0.5, offset=0.1),
    "identity": lambda K: K.layers.Identity(),
    "flatten": lambda K: K.layers.Flatten(),
    "reshape": lambda K: K.Sequential(
        [K.layers.Reshape((2, 2)), K.layers.Permute((2, 1)), K.layers.Flatten()]
    ),
    "repeat": lambda K: K.Sequential([K.layers.RepeatVector(2), K.layers.Flatten()]),
    "frozen": lambda K: K.layers.Dense(3, trainable=False),
}
# Layers that draw random numbers while training: only predictions are compared.
RANDOM = {
    "dropout": lambda K: K.layers.Dropout(0.3, seed=1),
    "alpha-dropout": lambda K: K.layers.AlphaDropout(0.3),
    "gaussian-dropout": lambda K: K.layers.GaussianDropout(0.3),
    "gaussian-noise": lambda K: K.layers.GaussianNoise(0.3),
}
OPTIMIZERS = {
    "sgd": lambda K: K.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "sgd-clipnorm": lambda K: K.optimizers.SGD(0.05, clipnorm=0.1, weight_decay=0.01),
    "adam": lambda K: K.optimizers.Adam(0.01, beta_1=0.8, amsgrad=True),
    "adam-ema": lambda K: K.optimizers.Adam(0.01, use_ema=True),
    "adam-accumulates": lambda K: K.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "adamw": lambda K: K.optimizers.AdamW(0.01, weight_decay=0.02, global_clipnorm=1.0),
    "adamax": lambda K: K.optimizers.Adamax(0.01),
    "adadelta": lambda K: K.optimizers.Adadelta(0.5),
    "adafactor": lambda K: K.optimizers.Adafactor(0.01),
    "adagrad": lambda K: K.optimizers.Adagrad(0.05, initial_accumulator_value=0.2),
    "ftrl": lambda K: K.optimizers.Ftrl(0.05, l1_regularization_strength=0.001),
    "lamb": lambda K: K.optimizers.Lamb(0.01),
    "lion": lambda K: K.optimizers.Lion(0.001),
    "nadam": lambda K: K.optimizers.Nadam(0.01),
    "rmsprop": lambda K: K.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "cosine": lambda K: K.optimizers.SGD(K.optimizers.schedules.CosineDecay(0.1, 10, alpha=0.1)),
    "restarts": lambda K: K.optimizers.SGD(K.optimizers.schedules.CosineDecayRestarts(0.1, 3)),
    "exponential": lambda K: K.optimizers.Adam(
        K.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5, staircase=True)
    ),
    "inverse": lambda K: K.optimizers.SGD(K.optimizers.schedules.InverseTimeDecay(0.1, 2, 0.5)),
    "piecewise": lambda K: K.optimizers.SGD(
        K.optimizers.schedules.PiecewiseConstantDecay([2, 4], [0.1, 0.05, 0.01])
    ),
    "polynomial": lambda K: K.optimizers.SGD(
        K.optimizers.schedules.PolynomialDecay(0.1, 5, 0.01, power=2.0)
    ),
}
LOSSES = {
    "mse": lambda K: "mse",
    "mae": lambda K: K.losses.MeanAbsoluteError(),
    "mape": lambda K: "mean_absolute_percentage_error",
    "msle": lambda K: K.losses.MeanSquaredLogarithmicError(),
    "huber": lambda K: K.losses.Huber(),  # Keras's files lose its delta
    "log-cosh": lambda K: K.losses.LogCosh(),
    "poisson": lambda K: K.losses.Poisson(),
    "kld": lambda K: K.losses.KLDivergence(),
    "cosine": lambda K: K.losses.CosineSimilarity(axis=-1),
    "bce": lambda K: K.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
    "focal": lambda K: K.losses.BinaryFocalCrossentropy(gamma=1.5, from_logits=True),
    "cce": lambda K: K.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
    "hinge": lambda K: K.losses.Hinge(),
    "squared-hinge": lambda K: K.losses.SquaredHinge(reduction="sum"),
    "categorical-hinge": lambda K: K.losses.CategoricalHinge(),
    "function": lambda K: K.losses.mean_squared_error,
}
# The other losses take probabilities.
LINEAR = ("bce", "focal", "cce", "hinge", "squared-hinge")
HEADS = {LOSSES[name]: "linear" for name in LINEAR}
METRICS = {
    "names": lambda K: ["mae", "accuracy", "mse"],
    "regression": lambda K: [
        K.metrics.RootMeanSquaredError(name="rmse"),
        K.metrics.R2Score(class_aggregation="variance_weighted_average"),
        K.metrics.CosineSimilarity(axis=-1),
    ],
    "thresholds": lambda K: [
        K.metrics.AUC(num_thresholds=50, curve="PR", multi_label=True, num_labels=2),
        K.metrics.Precision(thresholds=0.4),
        K.metrics.Recall(top_k=1),
    ],
    "scores": lambda K: [
        K.metrics.F1Score(average="macro", threshold=0.5),
        K.metrics.FBetaScore(beta=2.0, threshold=0.5),
        K.metrics.BinaryAccuracy(threshold=0.3),
    ],
    "function": lambda K: [K.metrics.mean_absolute_error],
}
INITIALIZERS = [
    ("Constant", {"value": 0.3}),
    ("GlorotNormal", {"seed": 1}),
    ("HeUniform", {"seed": 2}),
    ("LecunNormal", {"seed": 3}),
    ("Orthogonal", {"gain": 0.5, "seed": 4}),
    ("RandomNormal", {"mean": 0.1, "stddev": 0.2}),
    ("RandomUniform", {"minval": -0.3, "maxval": 0.2}),
    ("TruncatedNormal", {"stddev": 0.4}),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_avg", "distribution": "uniform"}),
    ("Ones", {}),
]


def chain(K, *layers, optimizer="adam", loss="mse", metrics=None, head=None):
    head = head or K.layers.Dense(2, activation="sigmoid")
    model = K.Sequential([K.Input((4,)), *layers, head])
    model.compile(optimizer, loss, metrics=metrics)
    return model


CASES = {
    **{
        f"layer-{name}": lambda K, make=make: chain(K, make(K))
        for name, make in {**LAYERS, **RANDOM}.items()
    },
    **{
        f"optimizer-{name}": lambda K, make=make: chain(
            K, K.layers.Dense(3, activation="relu"), optimizer=make(K)
        )
        for name, make in OPTIMIZERS.items()
    },
    **{
        f"loss-{name}": lambda K, make=make: chain(
            K, loss=make(K), head=K.layers.Dense(2, activation=HEADS.get(make, "sigmoid"))
        )
        for name, make in LOSSES.items()
    },
    **{
        f"metrics-{name}": lambda K, make=make: chain(K, metrics=make(K))
        for name, make in METRICS.items()
    },
    **{
        f"initializer-{name}": lambda K, name=name, options=options: chain(
            K, K.layers.Dense(3, kernel_initializer=getattr(K.initializers, name)(**options))
        )
        for name, options in INITIALIZERS
    },
}


def fit(model, name, epochs=1):
    y = Y
    if "hinge" in name or "cce" in name:
        y = np.stack([Y[:, 0] > 0.5, Y[:, 0] <= 0.5], axis=1).astype("float32")
    return model.fit(X, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)


def check_equal_predictions(found, expected, x):
    found, expected = found.predict(x, verbose=0), expected.predict(x, verbose=0)
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def check_equal_state(found, expected):
    for a, b in zip(found.variables, expected.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(a.value), np.asarray(b.value))


def leaves(value):
    if isinstance(value, dict):
        return [value[key] for key in sorted(value)]
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("writer", ["keras", "gazelle"])
def test_the_other_library_opens_a_file_and_trains_on(name, writer, tmp_path):
    source, reader = (keras, gazelle) if writer == "keras" else (gazelle, keras)
    model = CASES[name](source)
    fit(model, name, epochs=2)
    model.save(tmp_path / "m.keras")
    read = reader.models.load_model(tmp_path / "m.keras")
    check_equal_predictions(read, model, X)
    if writer == "keras" and name == "optimizer-adam-ema":
        return  # Keras has deleted arrays of the model that it has saved
    check_equal_state(read.optimizer, model.optimizer)
    if name.removeprefix("layer-") not in RANDOM:
        losses = fit(model, name).history, fit(read, name).history
        assert list(losses[0]) == list(losses[1])
        for key in losses[0]:
            np.testing.assert_allclose(losses[0][key], losses[1][key], rtol=2e-4, atol=1e-6)
        for a, b in zip(model.get_weights(), read.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("maker", GRAPHS, ids=lambda maker: maker.__name__)
@pytest.mark.parametrize("writer", ["keras", "gazelle"])
def test_every_kind_of_graph_goes_both_ways(maker, writer, tmp_path):
    source, reader = (keras, gazelle) if writer == "keras" else (gazelle, keras)
    model = maker(source)
    model.set_weights([RNG.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    model.save(tmp_path / "m.keras")
    read = reader.models.load_model(tmp_path / "m.keras")
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    x = [RNG.uniform(0.1, 1, (6, *shape)).astype("float32") for shape in shapes]
    if maker is graphs.dict_ports:
        x = dict(zip(["a", "z"], x, strict=True))
    check_equal_predictions(read, model, x if len(shapes) > 1 else leaves(x)[0])
    assert [layer.name for layer in read.layers] == [layer.name for layer in model.layers]


class Gate:
    """A layer of the user's with weights of its own and a layer within; `K` is the library."""

    @staticmethod
    def of(K):
        class Gate(K.layers.Layer):
            def __init__(self, units, **kwargs):
                super().__init__(**kwargs)
                self.units = units
                self.dense = K.layers.Dense(units)

            def build(self, input_shape):
                self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="s")
                self.dense.build(input_shape)

            def call(self, inputs):
                return self.dense(inputs) * self.scale

            def get_config(self):
                return {**super().get_config(), "units": self.units}

        return Gate


def subclass_of(K):
    class Blocks(K.Model):
        def __init__(self, width, name="blocks"):
            super().__init__(name=name)
            self.width = width
            self.gates = [Gate.of(K)(width), Gate.of(K)(width, name="second")]
            self.head = K.layers.Dense(2, activation="sigmoid")

        def call(self, inputs):
            for gate in self.gates:
                inputs = gate(inputs)
            return self.head(inputs)

        def get_config(self):
            return {"width": self.width, "name": self.name}

    return Blocks


@pytest.mark.parametrize("writer", ["keras", "gazelle"])
def test_subclassed_models_go_both_ways(writer, tmp_path):
    source, reader = (keras, gazelle) if writer == "keras" else (gazelle, keras)
    model = subclass_of(source)(3)
    model.compile("adam", "mse", metrics=["mae"])
    fit(model, "subclass", epochs=2)
    model.save(tmp_path / "m.keras")
    known = {"Blocks": subclass_of(reader), "Gate": Gate.of(reader)}
    read = reader.models.load_model(tmp_path / "m.keras", custom_objects=known)
    check_equal_predictions(read, model, X)
    losses = fit(model, "subclass").history, fit(read, "subclass").history
    np.testing.assert_allclose(losses[0]["loss"], losses[1]["loss"], rtol=1e-4)


@pytest.mark.parametrize("writer", ["keras", "gazelle"])
def test_layers_and_functions_of_the_users_own_go_both_ways(writer, tmp_path):
    source, reader = (keras, gazelle) if writer == "keras" else (gazelle, keras)

    def doubled(x):
        return 2 * x

    def loss(y_true, y_pred):
        return (y_true - y_pred) ** 4

    def distance(y_true, y_pred):
        return abs(y_true - y_pred)

    def build(K):
        layers = [Gate.of(K)(3), K.layers.Dense(3, activation=doubled)]
        return chain(K, *layers, loss=loss, metrics=[distance])

    model = build(source)
    fit(model, "own")
    model.save(tmp_path / "m.keras")
    with pytest.raises((ValueError, TypeError), match=r"Gate|doubled"):
        reader.models.load_model(tmp_path / "m.keras")
    known = {"Gate": Gate.of(reader), "doubled": doubled, "loss": loss, "distance": distance}
    read = reader.models.load_model(tmp_path / "m.keras", custom_objects=known)
    check_equal_predictions(read, model, X)
    histories = fit(model, "own").history, fit(read, "own").history
    assert sorted(histories[0]) == sorted(histories[1]) == ["distance", "loss"]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-4)


@pytest.mark.parametrize("compile", [True, False])
def test_a_folder_of_keras_is_a_model_too(compile, tmp_path):
    model = CASES["layer-dense"](keras)
    fit(model, "folder")
    keras.saving.save_model(model, tmp_path / "m", zipped=False)
    read = gazelle.models.load_model(tmp_path / "m", compile=compile)
    check_equal_predictions(read, model, X)
    assert read.compiled is compile


def test_keras_opens_a_folder_of_gazelle(tmp_path):
    model = CASES["layer-dense"](gazelle)
    fit(model, "folder")
    model.save(tmp_path / "m", zipped=False)
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [
        "config.json", "metadata.json", "model.weights.h5",
    ]  # fmt: skip
    check_equal_predictions(keras.models.load_model(tmp_path / "m"), model, X)
    with pytest.raises(ValueError, match="already exists"):
        model.save(tmp_path / "m", zipped=False)


def counter_of(K):
    class Counter(K.layers.Layer):
        """Has a weight, and a list of names that no weight holds."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.table = np.zeros(0, "float32")

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, inputs):
            return inputs * self.scale

        def save_own_variables(self, store):
            store["scale"] = np.asarray(self.scale.value)
            store["table"] = self.table

        def load_own_variables(self, store):
            self.scale.assign(store["scale"])
            self.table = np.asarray(store["table"])
            if len(self.table) == 1:
                raise RuntimeError("a table of one")

    return Counter


@pytest.mark.parametrize("writer", ["keras", "gazelle"])
def test_a_layer_may_save_its_state_itself(writer, tmp_path):
    source, reader = (keras, gazelle) if writer == "keras" else (gazelle, keras)
    layer = counter_of(source)()
    model = chain(source, layer)
    layer.scale.assign(3.0)
    layer.table = np.array([1, 2, 3], "float32")
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    known = {"Counter": counter_of(reader)}
    with warnings.catch_warnings():  # the optimizer has no state yet, of which Keras warns
        warnings.filterwarnings("ignore", message="Skipping variable loading for optimizer")
        read = reader.models.load_model(tmp_path / "m.keras", custom_objects=known)
        other = chain(reader, counter_of(reader)())
        other.load_weights(tmp_path / "m.weights.h5")
    for found in (read, other):
        np.testing.assert_array_equal(found.layers[0].table, [1, 2, 3])
        check_equal_predictions(found, model, X)


def test_a_loader_that_fails_changes_no_weight(tmp_path):
    layer = counter_of(gazelle)()
    model = chain(gazelle, layer, gazelle.layers.Dense(3))
    layer.table = np.ones(1, "float32")
    model.save_weights(tmp_path / "m.weights.h5")
    other = chain(gazelle, counter_of(gazelle)(), gazelle.layers.Dense(3))
    before = other.get_weights()
    with pytest.raises(RuntimeError, match="a table of one"):
        other.load_weights(tmp_path / "m.weights.h5")
    for a, b in zip(other.get_weights()[1:], before[1:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_own_variables_are_loaded_by_their_names_not_by_their_order():
    layer, other = gazelle.layers.Dense(3), gazelle.layers.Dense(3)
    layer.build((None, 3))
    other.build((None, 3))
    store = {}
    layer.save_own_variables(store)
    other.load_own_variables(dict(reversed(store.items())))
    np.testing.assert_array_equal(other.get_weights()[0], layer.get_weights()[0])
