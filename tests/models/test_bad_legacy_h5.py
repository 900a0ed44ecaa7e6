"""Old `.h5` files that must be refused, each in one line; and their twins, which load.

The ids with L are those of the project's table of bad inputs; those with H are its rows about
weights, in this format.
"""

import base64
import io
import json

import h5py
import numpy as np
import pytest
from models import old_files
from models.old_files import batch_norm_2, called, dense_2, graph, input_2
from models.refusals import refusal

import gazelle
from gazelle import layers, models
from gazelle._formats.legacy_h5 import DIGESTS
from gazelle.errors import DataError, ModelFileError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*an old format of Keras")]

RNG = np.random.default_rng(0)
DENSE = "model_weights/d/d"
X = RNG.normal(size=(4, 4)).astype("float32")
LAMBDA_3 = {"class_name": "__lambda__", "config": {"code": base64.b64encode(b"4w").decode()}}


def values():
    kernel, bias = RNG.normal(size=(4, 4)), RNG.normal(size=4)
    norm = {name: RNG.uniform(0.5, 1, 4) for name in ("gamma", "beta", "moving_mean")}
    norm["moving_variance"] = RNG.uniform(0.5, 1, 4)
    weights = {
        "d": {"d/kernel:0": kernel, "d/bias:0": bias},
        "n": {f"n/{name}:0": value for name, value in norm.items()},
    }
    return {
        layer: {name: value.astype("float32") for name, value in arrays.items()}
        for layer, arrays in weights.items()
    }


def made(change_config=None, change_file=None, config=None, **options):
    """The bytes of a file of Keras 2, changed."""
    chain = [dense_2("d", 4, batch_input_shape=[None, 4]), batch_norm_2("n")]
    config = config or {"class_name": "Sequential", "config": {"name": "s", "layers": chain}}
    training = {
        "optimizer_config": {"class_name": "SGD", "config": {"lr": 0.1}},
        "loss": "mse", "metrics": ["mae"], "sample_weight_mode": None, "loss_weights": None,
    }  # fmt: skip
    if change_config:
        change_config(config, training)
    buffer = io.BytesIO()
    old_files.write(buffer, config, values(), training=training, **options)
    if change_file:
        with h5py.File(buffer, "r+") as file:
            change_file(file)
    return buffer.getvalue()


def check_refused(content, tmp_path, code):
    message = refusal(content, tmp_path, code, "bad.h5")
    with pytest.raises(DataError):
        gazelle.runtime.load(tmp_path / "bad.h5")
    return message


def test_the_file_itself_loads(tmp_path):
    (tmp_path / "m.h5").write_bytes(made())
    model = models.load_model(tmp_path / "m.h5")
    assert model.compiled
    np.testing.assert_allclose(
        gazelle.runtime.load(tmp_path / "m.h5")(X), model.predict(X, verbose=0), atol=1e-6
    )


# ---- Code, and configs that are none ----


def with_lambda(**options):
    def change(config, training):
        inner = {"name": "la", "trainable": True, **options}
        config["config"]["layers"].insert(1, {"class_name": "Lambda", "config": inner})

    return change


LAMBDAS = {
    "L01": {"function": LAMBDA_3},
    "L02": {"function": ["4wAA", None, None], "function_type": "lambda", "output_shape": None,
            "output_shape_type": "raw", "module": "__main__", "arguments": {}},
    "L02 of Keras 1": {"function": "c\x00", "function_type": "lambda", "arguments": {}},
    "output shape": {"function": "relu", "function_type": "function", "output_shape": ["4w"],
                     "output_shape_type": "lambda"},
}  # fmt: skip


@pytest.mark.parametrize("name", LAMBDAS)
def test_code_is_refused(name, tmp_path):
    message = check_refused(made(with_lambda(**LAMBDAS[name])), tmp_path, "config-code")
    assert "custom_objects" in message


@pytest.mark.parametrize("name", ["L01", "L02", "L02 of Keras 1"])
def test_a_lambda_is_given_its_function(name, tmp_path):
    content = made(with_lambda(**LAMBDAS[name]))
    (tmp_path / "m.h5").write_bytes(content)
    model = models.load_model(tmp_path / "m.h5", custom_objects={"la": lambda x: 2 * x})
    weights = dict(zip("kbgemv", model.get_weights(), strict=True))
    hidden = 2 * (X @ weights["k"] + weights["b"])
    expected = old_files.normalized(hidden, *(weights[key] for key in "gemv"))
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)


def test_code_among_the_arguments_of_compile_is_refused(tmp_path):  # L03
    def change(config, training):
        training["loss"] = LAMBDA_3

    refusal(made(change), tmp_path, "config-code", "bad.h5")
    assert not models.load_model(tmp_path / "bad.h5", compile=False).compiled


def attribute(name, value):
    def change(file):
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value

    return change


CONFIGS = {
    "L04": (attribute("model_config", None), "h5-missing"),
    "L05": (attribute("model_config", b"no JSON"), "config-json"),
    "L06": (attribute("model_config", b"[1, 2]"), "config-field"),
    "text": (attribute("model_config", b'"Sequential"'), "config-field"),
    "number": (attribute("model_config", 3), "h5-attribute"),
    "list": (attribute("model_config", [b"{}", b"{}"]), "h5-attribute"),
    "empty": (attribute("model_config", b""), "config-json"),
    "not UTF-8": (attribute("model_config", np.bytes_(b"\xff\xfe{}")), "h5-damaged"),
    "key twice": (attribute("model_config", b'{"class_name": 1, "class_name": 2}'), "config-json"),
    "deep": (attribute("model_config", b"[" * 5000 + b"]" * 5000), "config-json"),
    "unknown": (attribute("model_config", b'{"class_name": "os", "config": {}}'), "config-class"),
    "no layers": (attribute("model_config", b'{"class_name": "Dense", "config": {}}'), "config-"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_that_are_none_are_refused(name, tmp_path):
    change, code = CONFIGS[name]
    check_refused(made(change_file=change), tmp_path, code)


TRAINING = {
    "not JSON": (b"x", "config-json"),
    "list": (b"[]", "config-field"),
    "no optimizer": (b'{"loss": "mse"}', "config-field"),
    "unknown optimizer": (
        b'{"optimizer_config": {"class_name": "os", "config": {}}, "loss": "mse"}', "config-class"
    ),
    "unknown loss": (
        b'{"optimizer_config": {"class_name": "SGD", "config": {}}, "loss": "system"}', "config-"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAINING)
def test_arguments_of_compile_that_are_none_are_refused(name, tmp_path):
    text, code = TRAINING[name]
    refusal(made(change_file=attribute("training_config", text)), tmp_path, code, "bad.h5")
    assert not models.load_model(tmp_path / "bad.h5", compile=False).compiled


# ---- Weights ----


def listed(group, name, names):
    def change(file):
        file[group].attrs[name] = np.array(names, "S") if names else []

    return change


def replaced(**options):
    def change(file):
        del file[f"{DENSE}/bias:0"]
        file[f"{DENSE}"].create_dataset("bias:0", **options)

    return change


def moved(place, link):
    def change(file):
        del file[place]
        file[place] = link

    return change


def named_again(file):
    file["model_weights"].move("d", "e")
    file["model_weights"].attrs["layer_names"] = np.array(["e", "n"], "S")


BIG = {"shape": (1 << 29,), "dtype": "f4", "chunks": (1 << 20,), "compression": "gzip"}
WEIGHTS = {
    "L07": (lambda file: file.move("model_weights", "other"), "h5-missing"),
    "L09": (listed("model_weights", "layer_names", ["d", "gone"]), "h5-missing"),
    "L10": (listed("model_weights/d", "weight_names", ["../n/n/beta:0", "d/bias:0"]), "h5-missing"),
    "L11": (
        listed("model_weights/d", "weight_names", ["/model_weights/d/d/kernel:0", "d/bias:0"]),
        "h5-missing",
    ),
    "L12": (listed("model_weights/d", "weight_names", ["d/bias:0", "d/kernel:0"]), "h5-mismatch"),
    "L12 of one shape": (
        listed("model_weights/n", "weight_names",
               ["n/beta:0", "n/gamma:0", "n/moving_mean:0", "n/moving_variance:0"]),
        "h5-mismatch",
    ),
    "L13": (moved("model_weights/d", h5py.ExternalLink("other.h5", "/x")), "h5-link"),
    "L14": (moved(f"{DENSE}/bias:0", h5py.SoftLink(f"/{DENSE}/kernel:0")), "h5-link"),
    "L15": (replaced(**BIG), "h5-shape"),
    "L16": (replaced(shape=(4,), dtype="f4", external=[("secret", 0, 16)]), "h5-external"),
    "layer not listed": (listed("model_weights", "layer_names", ["d"]), "h5-extra"),
    "layer twice": (listed("model_weights", "layer_names", ["d", "d", "n"]), "h5-attribute"),
    "weight twice": (listed("model_weights/d", "weight_names", ["d/bias:0"] * 2), "h5-attribute"),
    "weight not listed": (listed("model_weights/d", "weight_names", ["d/kernel:0"]), "h5-extra"),
    "no names": (lambda file: file["model_weights/d"].attrs.clear(), "h5-extra"),
    "no list": (lambda file: file["model_weights"].attrs.clear(), "h5-extra"),
    "group for an array": (listed("model_weights/d", "weight_names", ["d", "d/bias:0"]), "h5-"),
    "numbers as names": (
        lambda file: file["model_weights/d"].attrs.__setitem__("weight_names", [1, 2]),
        "h5-attribute",
    ),
    "other names": (named_again, "h5-mismatch"),
    "H11": (replaced(data=np.ones((1, 4), "f4")), "h5-mismatch"),
    "H16": (replaced(data=np.ones(4, "c8")), "h5-dtype"),
    "H18": (replaced(data=np.array([b"1"] * 4)), "h5-dtype"),
    "H22": (replaced(data=np.array([1, 2, np.nan, 4], "f4")), "h5-nonfinite"),
    "H23": (replaced(data=np.array([1, 2, np.inf, 4], "f4")), "h5-nonfinite"),
    "H24": (lambda file: file.__delitem__(f"{DENSE}/bias:0"), "h5-missing"),
    "H27": (lambda file: file["model_weights/d"].create_dataset("x", data=[1.0]), "h5-extra"),
    "H28": (lambda file: file["model_weights"].create_dataset("x/x", data=[1.0]), "h5-extra"),
}  # fmt: skip
# What a NumPy runtime does not look at.
ANYHOW = ("other names", "H22", "H23", "L12")


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_cannot_be_those_of_the_model_are_refused(name, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(16))
    change, code = WEIGHTS[name]
    check = refusal if name in ANYHOW else None
    content = made(change_file=change)
    if check:
        refusal(content, tmp_path, code, "bad.h5")
    else:
        check_refused(content, tmp_path, code)
    target = gazelle.Sequential(
        [layers.Input((4,)), layers.Dense(4, name="d"), layers.BatchNormalization(name="n")]
    )
    if name in ("H22", "H23", "other names"):
        return  # weights alone are loaded as they are, and by their order
    before = target.get_weights()
    with pytest.raises(ValueError):  # noqa: PT011 (its text is checked above)
        target.load_weights(tmp_path / "bad.h5")
    for found, expected in zip(target.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def in_another_type(dtype, **options):
    def change(file):
        data = file[f"{DENSE}/bias:0"][()].astype(dtype)
        del file[f"{DENSE}/bias:0"]
        file[DENSE].create_dataset("bias:0", data=data, **options)

    return change


TWINS = {
    "float64": in_another_type("f8"),
    "big-endian": in_another_type(">f4"),
    "compressed": in_another_type("f4", compression="gzip", shuffle=True),
    "attributes of the user's": lambda file: file.attrs.update(
        {"classes": [b"a", b"b"], "accuracy": 0.5, "matrix": np.eye(3)}
    ),
    "data of the user's": lambda file: file.create_dataset("mine/data", data=np.arange(9)),
    "text of the user's": lambda file: file.create_dataset("mine/text", data=[b"a", b"b"]),
    "names of variable length": lambda file: file["model_weights"].attrs.__setitem__(
        "layer_names", ["d", "n"]
    ),
    "a long config": lambda file: attribute(
        "model_config", file.attrs["model_config"] + " " * 200_000
    )(file),
    "without compile": attribute("training_config", None),
    "without a version": attribute("keras_version", None),
}


@pytest.mark.parametrize("name", TWINS)
def test_other_ways_to_write_the_same_model_load(name, tmp_path):
    (tmp_path / "m.h5").write_bytes(made(change_file=TWINS[name]))
    model = models.load_model(tmp_path / "m.h5")
    np.testing.assert_allclose(
        gazelle.runtime.load(tmp_path / "m.h5")(X), model.predict(X, verbose=0), atol=1e-6
    )


def test_nonfinite_weights_load_on_request(tmp_path):
    change, _ = WEIGHTS["H22"]
    (tmp_path / "m.h5").write_bytes(made(change_file=change))
    model = models.load_model(tmp_path / "m.h5", allow_nonfinite=True)
    assert np.isnan(model.get_weights()[1]).any()


@pytest.mark.parametrize("version", ["v108", "latest"])
def test_newer_kinds_of_hdf5_are_read(version, tmp_path):
    config = {"class_name": "Sequential",
              "config": [dense_2("d", 4, batch_input_shape=[None, 4])]}  # fmt: skip
    with h5py.File(tmp_path / "m.h5", "w", libver=version) as file:
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights/d")
        file["model_weights"].attrs["layer_names"] = np.array(["d"], "S")
        group.attrs["weight_names"] = np.array(["kernel:0", "bias:0"], "S")
        group["kernel:0"], group["bias:0"] = np.eye(4, dtype="f4"), np.ones(4, "f4")
    model = models.load_model(tmp_path / "m.h5")
    np.testing.assert_allclose(model.predict(X, verbose=0), X + 1, atol=1e-6)


# ---- Graphs ----


def test_graphs_that_do_not_hold_together_are_refused(tmp_path):
    def broken(change):
        entries = [
            input_2("x", 4),
            called(dense_2("d", 4), [["x", 0, 0, {}]]),
            called(batch_norm_2("n"), [["d", 0, 0, {}]]),
        ]
        config = graph("g", "Model", entries, [["x", 0, 0]], [["n", 0, 0]])
        change(config["config"])
        return made(config=config)

    def redirect(place):
        return lambda config: config["layers"][1].update(inbound_nodes=[[place]])

    (tmp_path / "m.h5").write_bytes(broken(lambda config: None))
    models.load_model(tmp_path / "m.h5")
    for place in (["n", 0, 0, {}], ["d", 0, 0, {}], ["gone", 0, 0], ["x", 5, 0, {}], ["x", 0, 9],
                  ["x"], [], [1, 2, 3], {"x": 1}, "x", ["x", "0", 0, {}]):  # fmt: skip
        refusal(broken(redirect(place)), tmp_path, "config-", "bad.h5")
    for change in (
        lambda config: config.update(output_layers=[["gone", 0, 0]]),
        lambda config: config.update(output_layers=None),
        lambda config: config.pop("input_layers"),
        lambda config: config["layers"][1].pop("inbound_nodes"),
        lambda config: config["layers"].append(config["layers"][1]),
    ):
        refusal(broken(change), tmp_path, "config-", "bad.h5")


# ---- Files ----


@pytest.mark.parametrize("count", [0, 1, 8, 64, 512, 2000])
def test_a_truncated_file_is_refused(count, tmp_path):
    refusal(made()[:count], tmp_path, "h5-", "bad.h5")
    refusal(made()[:-1], tmp_path, "h5-truncated", "bad.h5")


@pytest.mark.parametrize("content", [b"<html>no</html>" * 9, b"PK\x03\x04" + bytes(90), bytes(99)])
def test_another_file_is_called_by_what_it_is(content, tmp_path):
    refusal(content, tmp_path, "h5-kind", "bad.h5")


def test_new_weights_with_an_old_name_are_refused_with_advice(tmp_path):
    model = gazelle.Sequential([layers.Input((4,)), layers.Dense(2)])
    model.save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "m.weights.h5").rename(tmp_path / "m.h5")
    with pytest.raises(ModelFileError, match=r"\.weights\.h5"):
        model.load_weights(tmp_path / "m.h5")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A file of Gazelle's."""
    model = gazelle.Sequential([layers.Input((4,)), layers.Dense(2, name="d")], name="s")
    model.compile("adam", "mse")
    model.fit(X, X[:, :2], verbose=0)
    path = tmp_path_factory.mktemp("own") / "m.h5"
    model.save(path)
    return path.read_bytes()


def state(path):
    model = models.load_model(path)
    return json.dumps(model.get_compile_config()), [
        *model.get_weights(), *model.optimizer.get_weights()
    ]  # fmt: skip


def test_flipped_bits_are_found_or_change_nothing(own, tmp_path):
    (tmp_path / "m.h5").write_bytes(own)
    before = state(tmp_path / "m.h5")
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(150):
        changed = bytearray(own)
        changed[rng.integers(len(own))] ^= 1 << rng.integers(8)
        (tmp_path / "m.h5").write_bytes(changed)
        try:
            after = state(tmp_path / "m.h5")
        except ModelFileError:
            refused += 1
            continue
        assert after[0] == before[0]
        for found, expected in zip(after[1], before[1], strict=True):
            np.testing.assert_array_equal(found, expected)
    assert refused > 20


OWN = {
    "weight": lambda file: file["model_weights/d/s/d/kernel"].__setitem__((0, 0), 9),
    "state": lambda file: next(iter(file["optimizer_weights"].values()))["iteration"].__setitem__(
        (), 9
    ),
    "config": lambda file: file.attrs.__setitem__(
        "model_config", file.attrs["model_config"].replace("linear", "relu")
    ),
    "training": lambda file: file.attrs.__setitem__(
        "training_config", file.attrs["training_config"].replace("0.001", "0.002")
    ),
    "training gone": lambda file: file.attrs.__delitem__("training_config"),
    "optimizer gone": lambda file: file.__delitem__("optimizer_weights"),
    "array more": lambda file: file.create_dataset("mine", data=[1]),
    "attribute more": lambda file: file.attrs.__setitem__("mine", "x"),
}


@pytest.mark.parametrize("name", OWN)
def test_what_was_changed_in_a_file_of_gazelle_is_found(name, own, tmp_path):
    def changed(with_digests):
        buffer = io.BytesIO(own)
        with h5py.File(buffer, "r+") as file:
            OWN[name](file)
            if not with_digests:
                del file[DIGESTS]
        return buffer.getvalue()

    refusal(changed(True), tmp_path, "h5-checksum", "bad.h5")
    (tmp_path / "m.h5").write_bytes(changed(False))
    models.load_model(tmp_path / "m.h5")
