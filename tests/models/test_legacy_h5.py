"""Old `.h5` files: those of Keras 3 both ways, and those of Keras 1, Keras 2 and tf.keras."""

import warnings

import h5py
import keras
import numpy as np
import pytest
from models import graphs, old_files
from models import test_keras_files as matrix
from models.old_files import (
    Numbers,
    batch_norm_2,
    called,
    dense_1,
    dense_2,
    graph,
    input_2,
    layer_1,
    normalized,
    relu,
    softmax,
)

import gazelle
from gazelle import callbacks, layers, models
from gazelle.errors import ArgumentError, CheckWarning, DataError, ModelFileError, StateError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation"),
    pytest.mark.filterwarnings("ignore:.*an old format of Keras"),
]

X = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)


def predicted(model, x=X):
    return model.predict(x, verbose=0)


def check(model, expected, x=X):
    np.testing.assert_allclose(predicted(model, x), expected, rtol=1e-5, atol=1e-6)


# ---- Keras 3, both ways ----

FITTED = [
    "layer-dense-regularized", "layer-batchnorm", "layer-prelu", "layer-reshape", "layer-frozen",
    "layer-dropout", "optimizer-sgd", "optimizer-adam", "optimizer-nadam",
    "optimizer-exponential", "loss-mse", "loss-bce", "metrics-names", "metrics-function",
]  # fmt: skip
GRAPHS = [
    graphs.called_in_a_row, graphs.chain_in_chain, graphs.dict_ports, graphs.ends_in_a_model,
    graphs.inner_start, graphs.many_ports_in_a_model, graphs.model_in_model, graphs.operators,
    graphs.preprocessing, graphs.several_outputs, graphs.shared_layer, graphs.unused_input,
]  # fmt: skip


@pytest.mark.parametrize("name", FITTED)
def test_a_file_of_keras_predicts_and_trains_on(name, tmp_path):
    model = matrix.CASES[name](keras)
    matrix.fit(model, name)
    model.save(tmp_path / "m.h5")
    read = models.load_model(tmp_path / "m.h5")
    matrix.check_equal_predictions(read, model, matrix.X)
    matrix.check_equal_state(read.optimizer, model.optimizer)
    if name.removeprefix("layer-") not in matrix.RANDOM:
        losses = matrix.fit(model, name).history, matrix.fit(read, name).history
        assert list(losses[0]) == list(losses[1])
        for key in losses[0]:
            np.testing.assert_allclose(losses[0][key], losses[1][key], rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("name", FITTED)
def test_keras_opens_a_file_of_gazelle(name, tmp_path):
    model = matrix.CASES[name](gazelle)
    matrix.fit(model, name)
    model.save(tmp_path / "m.h5")
    read = keras.models.load_model(tmp_path / "m.h5")
    matrix.check_equal_predictions(read, model, matrix.X)
    # Keras builds the optimizer of any .h5 file for no weights, so it has only its first numbers.
    pairs = zip(read.optimizer.variables[:2], model.optimizer.variables, strict=False)
    for found, expected in pairs:
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected.value))
    mine = models.load_model(tmp_path / "m.h5")
    matrix.check_equal_state(mine.optimizer, model.optimizer)
    evaluated = [
        one.evaluate(matrix.X, matrix.Y, verbose=0, return_dict=True) for one in (read, mine)
    ]
    assert sorted(evaluated[0]) == sorted(evaluated[1])
    np.testing.assert_allclose(evaluated[0]["loss"], evaluated[1]["loss"], rtol=1e-4)


def test_gazelle_and_keras_write_the_same_arrays_by_the_same_names(tmp_path):
    found = []
    for library in (keras, gazelle):
        model = matrix.chain(library, library.layers.Dense(3, name="a"), head=None)
        matrix.fit(model, "any")
        model.save(tmp_path / "m.h5")
        with h5py.File(tmp_path / "m.h5") as file:
            lists = [file["model_weights"], file["model_weights/a"], file["optimizer_weights"]]
            found.append([[len(group.attrs[name]) for name in ("layer_names", "weight_names")
                           if name in group.attrs] for group in lists])  # fmt: skip
            found[-1].append(sorted(file.attrs.keys() - {"written_by"}))
            found[-1].append([value.shape for value in file["model_weights/a"].values()
                              if isinstance(value, h5py.Dataset)])  # fmt: skip
    assert found[0] == found[1]


@pytest.mark.parametrize("maker", GRAPHS, ids=lambda maker: maker.__name__)
def test_every_kind_of_graph_goes_both_ways(maker, tmp_path):
    for source, reader in ((keras, gazelle), (gazelle, keras)):
        model = maker(source)
        model.set_weights([matrix.RNG.uniform(0.1, 1, w.shape) for w in model.get_weights()])
        model.save(tmp_path / "m.h5")
        read = reader.models.load_model(tmp_path / "m.h5")
        shapes = [tensor.shape[1:] for tensor in model.inputs]
        x = [matrix.RNG.uniform(0.1, 1, (6, *shape)).astype("float32") for shape in shapes]
        if maker is graphs.dict_ports:
            x = dict(zip(["a", "z"], x, strict=True))
        matrix.check_equal_predictions(read, model, x if len(shapes) > 1 else x[0])


@pytest.mark.parametrize("writer", ["keras", "gazelle"])
def test_classes_of_the_users_own_go_both_ways(writer, tmp_path):
    source, reader = (keras, gazelle) if writer == "keras" else (gazelle, keras)
    model = matrix.chain(source, matrix.Gate.of(source)(3))
    matrix.fit(model, "own")
    model.save(tmp_path / "m.h5")
    with pytest.raises(ValueError, match="Gate"):
        models.load_model(tmp_path / "m.h5")
    known = {"Gate": matrix.Gate.of(reader)}
    matrix.check_equal_predictions(
        reader.models.load_model(tmp_path / "m.h5", custom_objects=known, compile=False),
        model,
        matrix.X,
    )


def test_a_subclassed_model_comes_back(tmp_path):
    model = matrix.subclass_of(gazelle)(3)
    model.compile("adam", "mse")
    matrix.fit(model, "own")
    model.save(tmp_path / "m.h5")
    known = {"Blocks": matrix.subclass_of(gazelle), "Gate": matrix.Gate.of(gazelle)}
    read = models.load_model(tmp_path / "m.h5", custom_objects=known)
    matrix.check_equal_predictions(read, model, matrix.X)
    matrix.check_equal_state(read.optimizer, model.optimizer)


def test_bfloat16_goes_through_float32(tmp_path):
    model = gazelle.Sequential([layers.Input((4,)), layers.Dense(3, dtype="bfloat16")])
    model.save(tmp_path / "m.h5")
    read = models.load_model(tmp_path / "m.h5")
    for found, expected in zip(read.weights, model.weights, strict=True):
        assert found.dtype == "bfloat16"
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    assert keras.models.load_model(tmp_path / "m.h5").weights[0].dtype == "bfloat16"


# ---- Keras 1 ----


def test_a_chain_of_keras_1(tmp_path):
    draw = Numbers()
    k1, b1, k2, b2 = draw(4, 5), draw(5), draw(5, 3), draw(3)
    gamma, beta, mean, variance = draw(5), draw(5), draw(5), draw.positive(5)
    alpha = draw.positive(5)
    penalty = {"name": "L1L2Regularizer", "l1": 0.0, "l2": 0.01}
    norm = {"name": "MaxNorm", "m": 3, "axis": 0}
    first = dense_1(
        "dense_1", 5, batch_input_shape=[None, 4], input_dtype="float32", input_dim=4,
        W_regularizer=penalty, W_constraint=norm,
    )  # fmt: skip
    config = [
        first,
        layer_1("BatchNormalization", "batchnormalization_1", epsilon=0.001, mode=0, axis=-1,
                momentum=0.9, gamma_regularizer=None, beta_regularizer=None),
        layer_1("PReLU", "prelu_1", init="zero"),
        layer_1("Dropout", "dropout_1", p=0.4),
        layer_1("GaussianNoise", "gaussiannoise_1", sigma=0.1),
        layer_1("GaussianDropout", "gaussiandropout_1", p=0.3),
        layer_1("LeakyReLU", "leakyrelu_1", alpha=0.2),
        layer_1("ThresholdedReLU", "thresholdedrelu_1", theta=0.1),
        dense_1("dense_2", 3, "softmax", init="uniform"),
    ]  # fmt: skip
    weights = {
        "dense_1": {"dense_1_W:0": k1, "dense_1_b:0": b1},
        "batchnormalization_1": {
            "batchnormalization_1_gamma:0": gamma, "batchnormalization_1_beta:0": beta,
            "batchnormalization_1_running_mean:0": mean,
            "batchnormalization_1_running_std:0": variance,
        },
        "prelu_1": {"prelu_1_alphas:0": alpha},
        "dropout_1": {}, "gaussiannoise_1": {}, "gaussiandropout_1": {}, "leakyrelu_1": {},
        "thresholdedrelu_1": {},
        "dense_2": {"dense_2_W:0": k2, "dense_2_b:0": b2},
    }  # fmt: skip
    shapes = [k1.shape, b1.shape, gamma.shape, beta.shape, alpha.shape, k2.shape, b2.shape]
    names = ["Adam/iterations:0"] + [f"training/Adam/Variable_{n}:0" for n in range(14)]
    state = dict(zip(names, [np.float32(7), *(draw(*s) for s in 2 * shapes)], strict=True))
    training = {
        "optimizer_config": {
            "class_name": "Adam",
            "config": {"lr": 0.02, "beta_1": 0.9, "beta_2": 0.999, "decay": 0.5, "epsilon": 1e-8},
        },
        "loss": "categorical_crossentropy", "metrics": ["accuracy"], "sample_weight_mode": None,
        "loss_weights": None,
    }  # fmt: skip
    old_files.write(
        tmp_path / "m.h5", {"class_name": "Sequential", "config": config}, weights,
        training=training, optimizer=state, version="1.2.2",
    )  # fmt: skip
    model = models.load_model(tmp_path / "m.h5")
    hidden = normalized(X @ k1 + b1, gamma, beta, mean, variance)
    hidden = relu(hidden) - alpha * relu(-hidden)
    hidden = relu(hidden) - 0.2 * relu(-hidden)
    expected = softmax(np.where(hidden > 0.1, hidden, 0) @ k2 + b2)
    check(model, expected)
    found = gazelle.runtime.load(tmp_path / "m.h5")(X)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    dense = model.get_layer("dense_1")
    assert (dense.kernel_regularizer.l2, dense.kernel_constraint.max_value) == (0.01, 3)
    # Keras 1 divided the rate by 1 + decay * iterations.
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 0.02 / (1 + 0.5 * 7))
    assert int(model.optimizer.iterations) == 7
    moments = list(state.values())[1:]
    for index in range(7):
        pair = model.optimizer.variables[1 + 2 * index : 3 + 2 * index]
        np.testing.assert_array_equal(pair[0].numpy(), moments[index])
        np.testing.assert_array_equal(pair[1].numpy(), moments[7 + index])
    model.fit(X, np.eye(3)[[0, 1, 2, 0, 1, 2]], verbose=0)


@pytest.mark.parametrize(
    ("mode", "function"),
    [
        ("sum", lambda a, b: a + b),
        ("mul", lambda a, b: a * b),
        ("ave", lambda a, b: (a + b) / 2),
        ("max", np.maximum),
        ("concat", lambda a, b: np.concatenate([a, b], axis=-1)),
    ],
)
def test_a_graph_of_keras_1_with_merge(mode, function, tmp_path):
    draw = Numbers()
    k1, b1, k2, b2 = draw(4, 3), draw(3), draw(4, 3), draw(3)
    merge = layer_1(
        "Merge", "merge_1", mode=mode, mode_type="raw", concat_axis=-1, dot_axes=-1,
        output_shape=None, output_shape_type="raw", output_mask=None, output_mask_type="raw",
        arguments={},
    )  # fmt: skip
    source = layer_1("InputLayer", "input_1", batch_input_shape=[None, 4], input_dtype="float32",
                     sparse=False)  # fmt: skip
    del source["config"]["trainable"]
    layers_of = [
        called(source),
        called(dense_1("dense_1", 3, "tanh"), [["input_1", 0, 0]]),
        called(dense_1("dense_2", 3, "relu"), [["input_1", 0, 0]]),
        called(merge, [["dense_1", 0, 0], ["dense_2", 0, 0]]),
    ]
    config = graph("model_1", "Model", layers_of, [["input_1", 0, 0]], [["merge_1", 0, 0]])
    weights = {
        "input_1": {},
        "dense_1": {"dense_1_W": k1, "dense_1_b": b1},
        "dense_2": {"dense_2_W": k2, "dense_2_b": b2},
        "merge_1": {},
    }
    path = old_files.write(tmp_path / "m.h5", config, weights, version="")
    check(models.load_model(path), function(np.tanh(X @ k1 + b1), relu(X @ k2 + b2)))


# ---- Keras 2 ----


def keras_2_model(draw, frozen=False):
    """A model within a model, and what it predicts."""
    k1, b1, k2, b2, k3, b3 = draw(4, 5), draw(5), draw(5, 5), draw(5), draw(5, 2), draw(2)
    gamma, beta, mean, variance = draw(5), draw(5), draw(5), draw.positive(5)
    inner = {
        "class_name": "Sequential",
        "config": [
            dense_2("dense_2", 5, batch_input_shape=[None, 5], dtype="float32"),
            batch_norm_2("batch_normalization_1"),
        ],
        "name": "sequential_1",
    }
    layers_of = [
        input_2("input_1", 4),
        called(dense_2("dense_1", 5, "relu"), [["input_1", 0, 0, {}]]),
        called(inner, [["dense_1", 0, 0, {}]], [["sequential_1", 1, 0, {}]]),
        called(dense_2("dense_3", 2), [["sequential_1", 2, 0, {}]]),
    ]
    config = graph("model_1", "Model", layers_of, [["input_1", 0, 0]], [["dense_3", 0, 0]])
    names = ["dense_2/kernel:0", "dense_2/bias:0", "batch_normalization_1/gamma:0",
             "batch_normalization_1/beta:0", "batch_normalization_1/moving_mean:0",
             "batch_normalization_1/moving_variance:0"]  # fmt: skip
    values = [k2, b2, gamma, beta, mean, variance]
    weights = {
        "input_1": {},
        "dense_1": {"dense_1/kernel:0": k1, "dense_1/bias:0": b1},
        "sequential_1": dict(zip(names, values, strict=True)),
        "dense_3": {"dense_3/kernel:0": k3, "dense_3/bias:0": b3},
    }

    def predict(x):
        hidden = relu(x @ k1 + b1)
        for _ in range(2):
            hidden = normalized(hidden @ k2 + b2, gamma, beta, mean, variance)
        return hidden @ k3 + b3

    return config, weights, predict


def test_a_model_within_a_model_of_keras_2(tmp_path):
    config, weights, predict = keras_2_model(Numbers())
    check(models.load_model(old_files.write(tmp_path / "m.hdf5", config, weights)), predict(X))


@pytest.mark.parametrize("first", [0, 1])
def test_calls_of_inner_models_may_be_counted_from_0_or_1(first, tmp_path):
    config, weights, predict = keras_2_model(Numbers())
    entries = config["config"]["layers"]
    entries[2]["inbound_nodes"][1][0][1] = first
    entries[3]["inbound_nodes"][0][0][1] = first + 1
    check(models.load_model(old_files.write(tmp_path / "m.h5", config, weights)), predict(X))


def test_a_frozen_inner_model_has_its_weights_in_either_order(tmp_path):
    config, weights, predict = keras_2_model(Numbers())
    for entry in config["config"]["layers"][2]["config"]:
        entry["config"]["trainable"] = False
    inner = list(weights["sequential_1"].items())
    for order in (inner, [inner[n] for n in (2, 3, 4, 5, 0, 1)]):
        weights["sequential_1"] = dict(order)
        check(models.load_model(old_files.write(tmp_path / "m.h5", config, weights)), predict(X))


OPTIMIZERS_2 = {
    "SGD": ({"lr": 0.1, "momentum": 0.9, "decay": 0.0, "nesterov": True}, 1, True),
    "RMSprop": ({"lr": 0.1, "rho": 0.9, "decay": 0.0, "epsilon": 1e-7}, 1, False),
    "Adagrad": ({"lr": 0.1, "decay": 0.0, "epsilon": 1e-7}, 1, False),
    "Adadelta": ({"lr": 0.1, "rho": 0.95, "decay": 0.0, "epsilon": 1e-7}, 2, False),
    "Adamax": (
        {"lr": 0.1, "beta_1": 0.9, "beta_2": 0.999, "decay": 0.0, "epsilon": 1e-7}, 2, True
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS_2)
def test_the_state_of_optimizers_of_keras_2(name, tmp_path):
    options, slots, counts = OPTIMIZERS_2[name]
    path, arrays = one_layer_file(tmp_path, name, options, slots, counts)
    model = models.load_model(path)
    optimizer = model.optimizer
    assert type(optimizer).__name__ == name
    assert int(optimizer.iterations) == (9 if counts else 0)
    found = [variable.numpy() for variable in optimizer.variables[2:]]
    assert len(found) == 2 * slots
    for slot in range(slots):
        for weight in range(2):
            expected = arrays[2 * slot + weight]
            assert any(np.array_equal(expected, value) for value in found)
    if name == "Adagrad":
        assert optimizer.initial_accumulator_value == 0.0


def one_layer_file(tmp_path, name, options, slots, counts, loss="mean_squared_error"):
    draw = Numbers()
    config = {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [dense_2("d", 3, batch_input_shape=[None, 4])]},
    }
    weights = {"d": {"d/kernel:0": draw(4, 3), "d/bias:0": draw(3)}}
    arrays = [draw.positive(*shape) for _ in range(slots) for shape in ((4, 3), (3,))]
    state = [np.int64(9), *arrays] if counts else arrays
    training = {
        "optimizer_config": {"class_name": name, "config": options}, "loss": loss,
        "metrics": ["mae", "acc"], "sample_weight_mode": None, "loss_weights": None,
    }  # fmt: skip
    path = old_files.write(
        tmp_path / "m.h5", config, weights, training=training,
        optimizer={f"training/{name}/Variable_{n}:0": value for n, value in enumerate(state)},
    )  # fmt: skip
    return path, arrays


def test_adam_of_keras_2_has_placeholders_where_amsgrad_is_off(tmp_path):
    options = {"lr": 0.1, "beta_1": 0.9, "beta_2": 0.999, "decay": 0.0, "epsilon": 1e-7,
               "amsgrad": False}  # fmt: skip
    path, arrays = one_layer_file(tmp_path, "Adam", options, 2, True)
    with h5py.File(path, "r+") as file:
        group = file["optimizer_weights"]
        names = [*group.attrs["weight_names"], b"x:0", b"y:0"]
        group.attrs["weight_names"] = np.array(names)
        group["x:0"], group["y:0"] = np.zeros(1, "float32"), np.zeros(1, "float32")
    variables = models.load_model(path).optimizer.variables
    for found, expected in zip(variables[2:], [arrays[n] for n in (0, 2, 1, 3)], strict=True):
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize(("name", "slots"), [("Nadam", 2), ("Adam", 1), ("SGD", 3), ("RMSprop", 2)])
def test_state_that_is_not_clear_is_left_out_with_a_warning(name, slots, tmp_path):
    path, _ = one_layer_file(tmp_path, name, {"lr": 0.1}, slots, True)
    with pytest.warns(CheckWarning, match="skipped the state of the optimizer") as caught:
        model = models.load_model(path)
    assert len(caught) == 1
    assert int(model.optimizer.iterations) == 0
    assert not any(np.any(v.numpy()) for v in model.optimizer.variables[2:6])


def test_state_is_loaded_by_its_names(tmp_path):
    model = gazelle.Sequential([layers.Input((4,)), layers.Dense(4), layers.Dense(4)])
    model.compile("adam", "mse")
    model.fit(X, X, verbose=0)
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        del file["gazelle_sha256"]
        names = file["optimizer_weights"].attrs["weight_names"]
        file["optimizer_weights"].attrs["weight_names"] = names[[0, 1, *range(9, 1, -1)]]
    read = models.load_model(tmp_path / "m.h5")
    for found, expected in zip(read.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


# ---- tf.keras ----


def tf_keras_file(path, *, class_name="Functional", optimizer_class="Adam", names="{w}/{s}:0"):
    draw = Numbers()
    k1, b1, k2, b2 = draw(4, 5), draw(5), draw(5, 2), draw(2)
    gamma, beta, mean, variance = draw(5), draw(5), draw(5), draw.positive(5)
    policy = {"class_name": "Policy", "config": {"name": "float32"}}
    relu_config = {
        "name": "re_lu", "trainable": True, "dtype": "float32", "max_value": None,
        "negative_slope": 0.0, "threshold": 0.0,
    }  # fmt: skip
    concatenate = {"name": "both", "trainable": True, "dtype": "float32", "axis": -1}
    layers_of = [
        input_2("input_1", 4, ragged=False),
        called(dense_2("dense", 5, dtype=policy), [["input_1", 0, 0, {}]]),
        called(batch_norm_2("batch_normalization", axis=[1], fused=None),
               [["dense", 0, 0, {"training": False}]]),
        called({"class_name": "ReLU", "config": relu_config}, [["batch_normalization", 0, 0, {}]]),
        called(dense_2("head", 2, "softmax_v2"), [["re_lu", 0, 0, {}]]),
        called({"class_name": "Concatenate", "config": concatenate},
               [["head", 0, 0, {}], ["input_1", 0, 0, {}]]),
    ]  # fmt: skip
    config = graph("model", class_name, layers_of, [["input_1", 0, 0]], [["both", 0, 0]])
    weights = {
        "input_1": {},
        "dense": {"dense/kernel:0": k1, "dense/bias:0": b1},
        "batch_normalization": {
            "batch_normalization/gamma:0": gamma, "batch_normalization/beta:0": beta,
            "batch_normalization/moving_mean:0": mean,
            "batch_normalization/moving_variance:0": variance,
        },
        "re_lu": {},
        "head": {"head/kernel:0": k2, "head/bias:0": b2},
        "both": {},
        "top_level_model_weights": {},
    }  # fmt: skip
    del weights["top_level_model_weights"]
    trained = {"dense/kernel": k1, "dense/bias": b1, "batch_normalization/gamma": gamma,
               "batch_normalization/beta": beta, "head/kernel": k2, "head/bias": b2}  # fmt: skip
    slots = {s: {w: draw.positive(*v.shape) for w, v in trained.items()} for s in "mv"}
    state = {"iteration:0": np.int64(5)}
    pairs = [(s, w) for s in "mv" for w in trained]
    if names.startswith("{s}"):  # new optimizers have the slots of a weight beside each other
        pairs = [(s, w) for w in trained for s in "mv"]
    state |= {f"Adam/{names.format(s=s, w=w)}": slots[s][w] for s, w in pairs}
    options = {"name": "mae", "dtype": "float32", "fn": "mean_absolute_error"}
    metric = {"class_name": "MeanMetricWrapper", "config": options}
    training = {
        "loss": {"class_name": "MeanSquaredError",
                 "config": {"reduction": "auto", "name": "mean_squared_error"}},
        "metrics": [[metric]], "weighted_metrics": None, "loss_weights": None,
        "optimizer_config": {
            "class_name": optimizer_class,
            "config": {"name": "Adam", "learning_rate": 0.01, "decay": 0.0, "beta_1": 0.9,
                       "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": False},
        },
    }  # fmt: skip
    old_files.write(path, config, weights, training=training, optimizer=state, version="2.4.0")

    def predict(x):
        hidden = relu(normalized(x @ k1 + b1, gamma, beta, mean, variance))
        return np.concatenate([softmax(hidden @ k2 + b2), x], axis=-1)

    return slots, predict


@pytest.mark.parametrize(
    ("class_name", "optimizer_class", "names"),
    [
        ("Model", "Adam", "{w}/{s}:0"),
        ("Functional", "Adam", "{w}/{s}:0"),
        ("Functional", "Custom>Adam", "{s}/{w}:0"),
    ],
)
def test_a_graph_of_tf_keras(class_name, optimizer_class, names, tmp_path):
    options = {"class_name": class_name, "optimizer_class": optimizer_class, "names": names}
    slots, predict = tf_keras_file(tmp_path / "m.h5", **options)
    model = models.load_model(tmp_path / "m.h5")
    check(model, predict(X))
    assert int(model.optimizer.iterations) == 5
    found = [variable.numpy() for variable in model.optimizer.variables[2:]]
    expected = [slots[s][w] for w in slots["m"] for s in "mv"]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    logs = model.fit(X, predict(X), verbose=0).history
    assert sorted(logs) == ["loss", "mae"]


def test_configs_with_modules_as_the_last_tf_keras_wrote_them(tmp_path):
    draw = Numbers()
    kernel, bias = draw(4, 3), draw(3)

    def noted(entry, module="keras.layers", registered=None):
        return {"module": module, **entry, "registered_name": registered}

    source = input_2("input_1", 4, ragged=False)
    dense = dense_2("dense", 3, "relu")
    zeros = {"class_name": "Zeros", "config": {}}
    dense["config"]["bias_initializer"] = noted(zeros, "keras.initializers")
    tuple_shape = {"class_name": "__tuple__", "items": [None, 4]}
    source["config"]["batch_input_shape"] = tuple_shape
    layers_of = [
        noted(source),
        {**noted(called(dense, [["input_1", 0, 0, {}]])), "build_config": {}},
    ]
    config = graph("model", "Functional", layers_of, [["input_1", 0, 0]], [["dense", 0, 0]])
    config = noted(config, "keras.src.engine.functional", "Functional")
    weights = {"input_1": {}, "dense": {"dense/kernel:0": kernel, "dense/bias:0": bias}}
    path = old_files.write(tmp_path / "m.h5", config, weights, version="2.15.0")
    check(models.load_model(path), relu(X @ kernel + bias))


def test_names_that_are_divided_because_they_are_long(tmp_path):
    config, weights, predict = keras_2_model(Numbers())
    path = old_files.write(tmp_path / "m.h5", config, weights)
    with h5py.File(path, "r+") as file:
        for group, name in ((file["model_weights"], "layer_names"),
                            (file["model_weights/sequential_1"], "weight_names")):  # fmt: skip
            values = group.attrs[name]
            del group.attrs[name]
            group.attrs[f"{name}0"], group.attrs[f"{name}1"] = values[:2], values[2:]
    check(models.load_model(path), predict(X))


def test_a_model_with_long_names_divides_them(tmp_path):
    names = [f"{'long' * 45}_{number}" for number in range(380)]
    chain = [layers.Activation("linear", name=name) for name in names]
    model = gazelle.Sequential([layers.Input((4,)), *chain, layers.Dense(2)])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert {"layer_names0", "layer_names1"} <= set(file["model_weights"].attrs)
    read = models.load_model(tmp_path / "m.h5")
    assert [layer.name for layer in read.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(read.get_weights()[0], model.get_weights()[0])


def test_an_activation_that_was_another_function_is_refused_unless_it_is_given(tmp_path):
    draw = Numbers()
    kernel, bias = draw(4, 3), draw(3)
    layer = dense_2("d", 3, "hard_sigmoid", batch_input_shape=[None, 4])
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
    weights = {"d": {"d/kernel:0": kernel, "d/bias:0": bias}}
    path = old_files.write(tmp_path / "m.h5", config, weights)
    with pytest.raises(ModelFileError, match="hard_sigmoid of Keras 2"):
        models.load_model(path)

    def hard_sigmoid(x):
        return np.clip(0.2 * x + 0.5, 0, 1) if isinstance(x, np.ndarray) else (
            (0.2 * x + 0.5).clip(0, 1)
        )  # fmt: skip

    model = models.load_model(path, custom_objects={"hard_sigmoid": hard_sigmoid})
    check(model, hard_sigmoid(X @ kernel + bias))
    old_files.write(tmp_path / "new.h5", config, weights, version="3.0.0")
    assert models.load_model(tmp_path / "new.h5") is not None


@pytest.mark.parametrize("kind", ["MaxoutDense", "Highway", "LSTM"])
def test_a_layer_that_gazelle_does_not_have_is_named(kind, tmp_path):
    config = {"class_name": "Sequential",
              "config": [layer_1(kind, "x", batch_input_shape=[None, 4])]}  # fmt: skip
    path = old_files.write(tmp_path / "m.h5", config, {"x": {"x_W": X}}, version="1.2.2")
    with pytest.raises(ModelFileError, match=rf"{kind}.*custom_objects"):
        models.load_model(path)


def test_a_batch_normalization_of_another_mode_is_refused(tmp_path):
    config = {"class_name": "Sequential",
              "config": [layer_1("BatchNormalization", "n", mode=1,
                                 batch_input_shape=[None, 4])]}  # fmt: skip
    path = old_files.write(tmp_path / "m.h5", config, {"n": {}}, version="1.2.2")
    with pytest.raises(ModelFileError, match="mode=1 of BatchNormalization"):
        models.load_model(path)


# ---- Without JAX ----


@pytest.mark.parametrize("kind", ["keras 2", "tf.keras", "gazelle"])
def test_the_runtime_reads_old_files(kind, tmp_path):
    path = tmp_path / "m.h5"
    if kind == "keras 2":
        config, weights, predict = keras_2_model(Numbers())
        old_files.write(path, config, weights)
        expected = predict(X)
    elif kind == "tf.keras":
        expected = tf_keras_file(path)[1](X)
    else:
        model = graphs.model_in_model(gazelle)
        model.save(path)
        expected = predicted(model)
    np.testing.assert_allclose(gazelle.runtime.load(path)(X), expected, rtol=1e-5, atol=1e-6)


def test_the_runtime_refuses_what_it_cannot_tell_apart(tmp_path):
    config, weights, _ = keras_2_model(Numbers())
    inner = weights["sequential_1"]
    weights["sequential_1"] = {
        name.replace("dense_2", "other"): value for name, value in inner.items()
    }
    path = old_files.write(tmp_path / "m.h5", config, weights)
    with pytest.raises(DataError, match="a layer that is not there"):
        gazelle.runtime.load(path)
    weights["sequential_1"] = {name: inner[name] for name in [*inner][::-1]}
    path = old_files.write(tmp_path / "m.h5", config, weights)
    with pytest.raises(DataError, match="another order"):
        gazelle.runtime.load(path)
    path = old_files.write(tmp_path / "w.h5", None, weights)
    with pytest.raises(DataError, match="without a config"):
        gazelle.runtime.load(path)
    with pytest.raises(ArgumentError, match="its own config"):
        gazelle.runtime.load(path, config="{}")


# ---- Weights alone ----


@pytest.mark.parametrize("base", ["", "model_weights"])
def test_weights_are_loaded_in_order_and_by_name(base, tmp_path):
    draw = Numbers()
    arrays = [draw(4, 5), draw(5), draw(5, 4), draw(4)]
    weights = {
        "one": {"one/kernel:0": arrays[0], "one/bias:0": arrays[1]},
        "drop": {},
        "two": {"two/kernel:0": arrays[2], "two/bias:0": arrays[3]},
    }
    path = old_files.write(tmp_path / "w.h5", None, weights, base=base)
    model = gazelle.Sequential([layers.Input((4,)), layers.Dense(5), layers.Dense(4)])
    model.load_weights(path)
    for found, expected in zip(model.get_weights(), arrays, strict=True):
        np.testing.assert_array_equal(found, expected)
    other = gazelle.Sequential(
        [layers.Input((5,)), layers.Dense(4, name="two"), layers.Dense(3, name="new")]
    )
    before = other.get_weights()
    other.load_weights(path, by_name=True)
    for found, expected in zip(other.get_weights(), [*arrays[2:], *before[2:]], strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(ModelFileError, match="without a config"):
        models.load_model(path)


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    weights = {"d": {"d/kernel:0": X[:3], "d/bias:0": X[0, :3]}}
    path = old_files.write(tmp_path / "w.h5", None, weights, base="")
    model = gazelle.Sequential([layers.Input((4,)), layers.Dense(3, name="d")])
    before = model.get_weights()
    for by_name in (None, True):
        with pytest.raises(DataError, match="kernel has shape"):
            model.load_weights(path, by_name=by_name)
        with pytest.warns(UserWarning, match="skipped"):
            model.load_weights(path, by_name=by_name, skip_mismatch=True)
    two = gazelle.Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(3)])
    with pytest.raises(DataError, match="1 layers with weights"):
        two.load_weights(path)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_names_that_say_something_else_give_a_warning(tmp_path):
    draw = Numbers()
    weights = {name: {f"{name}/kernel:0": draw(4, 4), f"{name}/bias:0": draw(4)} for name in "ab"}
    path = old_files.write(tmp_path / "w.h5", None, weights, base="")
    model = gazelle.Sequential(
        [layers.Input((4,)), layers.Dense(4, name="b"), layers.Dense(4, name="a")]
    )
    with pytest.warns(CheckWarning, match="another order"):
        model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[0], weights["a"]["a/kernel:0"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.load_weights(path, by_name=True)
    np.testing.assert_array_equal(model.get_weights()[0], weights["b"]["b/kernel:0"])
    stranger = gazelle.Sequential([layers.Input((4,)), layers.Dense(4, name="x")])
    with pytest.warns(CheckWarning, match="nothing is loaded"):
        stranger.load_weights(path, by_name=True)


def test_keras_loads_the_weights_of_a_file_of_gazelle(tmp_path):
    model = matrix.chain(gazelle, layers.Dense(3))
    model.save(tmp_path / "m.h5")
    other = matrix.chain(keras, keras.layers.Dense(3))
    other.load_weights(tmp_path / "m.h5")
    matrix.check_equal_predictions(other, model, matrix.X)


def test_by_name_is_for_old_files(tmp_path):
    model = gazelle.Sequential([layers.Input((4,)), layers.Dense(3)])
    model.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ArgumentError, match="by_name"):
        model.load_weights(tmp_path / "w.weights.h5", by_name=True)
    with pytest.raises(ArgumentError, match=r"weights\.h5"):
        model.save_weights(tmp_path / "w.h5")


# ---- Saving ----


@pytest.fixture
def trained():
    model = gazelle.Sequential([layers.Input((4,)), layers.Dense(3, name="d")], name="s")
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, X[:, :3], verbose=0)
    return model


def test_saving_gives_one_warning_and_the_same_bytes(trained, tmp_path):
    with pytest.warns(CheckWarning, match=r"old format of Keras.*\.keras") as caught:
        trained.save(tmp_path / "m.h5")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    gazelle.saving.save_model(trained, tmp_path / "n.hdf5")
    models.load_model(tmp_path / "m.h5").save(tmp_path / "again.h5")
    assert (tmp_path / "m.h5").read_bytes() == (tmp_path / "n.hdf5").read_bytes()
    assert (tmp_path / "m.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()


def test_a_file_can_be_without_the_optimizer(trained, tmp_path):
    trained.save(tmp_path / "m.h5", include_optimizer=False)
    assert not models.load_model(tmp_path / "m.h5").compiled
    trained.save(tmp_path / "n.h5")
    assert models.load_model(tmp_path / "n.h5").compiled
    assert not models.load_model(tmp_path / "n.h5", compile=False).compiled
    with pytest.raises(ArgumentError, match="include_optimizer"):
        trained.save(tmp_path / "m.keras", include_optimizer=False)


def test_an_existing_file_is_kept_if_asked(trained, tmp_path):
    (tmp_path / "m.h5").write_bytes(b"mine")
    with pytest.raises(ArgumentError, match="already exists"):
        trained.save(tmp_path / "m.h5", overwrite=False)
    assert (tmp_path / "m.h5").read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["m.h5"]


def test_what_the_format_cannot_hold_is_refused(tmp_path):
    class Own(layers.Layer):
        def save_own_variables(self, store):
            store["x"] = np.ones(2)

        def call(self, inputs):
            return inputs

    model = gazelle.Sequential([layers.Input((4,)), Own(name="own")])
    with pytest.raises(StateError, match=r"own.*\.h5"):
        model.save(tmp_path / "m.h5")
    named = gazelle.Sequential([layers.Input((4,)), layers.Dense(2, name="..")])
    with pytest.raises(ArgumentError, match="name"):
        named.save(tmp_path / "m.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_file_object_with_an_old_file_is_read(trained, tmp_path):
    trained.save(tmp_path / "m.h5")
    with open(tmp_path / "m.h5", "rb") as file:
        check(models.load_model(file), predicted(trained))


def test_checkpoints_may_be_old_files(tmp_path):
    model = gazelle.Sequential([layers.Input((4,)), layers.Dense(3)])
    model.compile("sgd", "mse")
    path = tmp_path / "m-{epoch}.h5"
    model.fit(X, X[:, :3], epochs=2, verbose=0, callbacks=[callbacks.ModelCheckpoint(path)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m-1.h5", "m-2.h5"]
    check(models.load_model(tmp_path / "m-2.h5"), predicted(model))
