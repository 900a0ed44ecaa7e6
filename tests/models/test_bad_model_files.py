"""Files that must be refused, each with its reason in one line; and their twins, which load.

The ids are those of the project's table of bad inputs: A code and names, B malformed configs, D
excess, H weights, Z the zip archive.
"""

import base64
import copy
import io
import json
import os
import struct
import sys
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest

import gazelle
from gazelle.errors import ModelFileError

pytestmark = pytest.mark.slow

KERNEL, BIAS = "layers/dense/vars/0", "layers/dense/vars/1"
_events: list[tuple[str, object]] | None = None


def _hook(event, arguments):
    watched = ("import", "exec", "marshal.loads", "pickle.find_class", "socket.connect")
    if _events is not None and event in (*watched, "subprocess.Popen", "os.system", "open"):
        _events.append((event, arguments[0] if arguments else None))


sys.addaudithook(_hook)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Config and weights of the model that the bad files are made from, as Keras writes them."""
    model = gazelle.Sequential(
        [gazelle.Input((4,), name="inp"), gazelle.layers.Dense(3, name="d")], name="s"
    )
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 4)), np.ones((4, 3)), verbose=0)
    path = tmp_path_factory.mktemp("good") / "m.keras"
    model.save(path)
    gazelle.models.load_model(path)  # afterwards nothing needs to be imported
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "r+") as file:
        del file["gazelle_sha256"]
    return config, weights.getvalue()


def archived(config, weights, metadata=b'{"keras_version": "3.15.1"}', **more):
    """The bytes of a `.keras` file."""
    config = config if isinstance(config, bytes) else json.dumps(config).encode()
    members = {"metadata.json": metadata, "config.json": config, "model.weights.h5": weights}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**members, **more}.items():
            if content is not None:
                archive.writestr(name, content)
    return buffer.getvalue()


def refusal(content, tmp_path, code, name="bad.keras"):
    """The message of the error that a file must raise; nothing else may happen."""
    global _events
    path = tmp_path / name
    path.write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    settings = gazelle.config.floatx(), gazelle.config.backend()
    _events = []
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError) as caught:
            gazelle.models.load_model(path)
    finally:
        events, _events = _events, None
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    error = caught.value
    assert error.code.startswith(code), error
    message = str(error)
    assert len(message) <= 300
    assert message.isprintable()
    assert name in message
    assert all([error.found, error.expected, error.fix])
    others = [argument for event, argument in events if event == "open"]
    assert {str(name) for name in others if str(name).startswith(str(tmp_path))} <= {str(path)}
    assert not [event for event, _ in events if event not in ("open", "import", "exec")]
    assert peak < 300e6
    assert sorted(tmp_path.rglob("*")) == before
    assert (gazelle.config.floatx(), gazelle.config.backend()) == settings
    return message


def load(content, tmp_path, **options):
    path = tmp_path / "twin.keras"
    path.write_bytes(content)
    return gazelle.models.load_model(path, **options)


# ---- A: code and names ----

CODE = {"class_name": "__lambda__", "config": {"code": base64.b64encode(b"4w").decode()}}


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": "f"}


def a_lambda(function):
    config = {"name": "la", "function": function, "arguments": {}}
    return {"module": "keras.layers", "class_name": "Lambda", "config": config}


def nested(layer):
    inner = {"name": "inner", "layers": [layer]}
    return {"module": "keras", "class_name": "Sequential", "config": inner}


def inserted(layer):
    return lambda config: config["config"]["layers"].insert(1, layer)


def dense(**options):
    return lambda config: config["config"]["layers"][1]["config"].update(options)


def node(**options):
    return lambda config: config["config"]["layers"][1].update(options)


def compiled(**options):
    return lambda config: config["compile_config"].update(options)


A_PLAIN = {"module": "keras.layers", "class_name": "Rescaling", "config": {"scale": 1.0}}
NAMES = {
    "A01": (inserted(a_lambda(CODE)), "config-code"),
    "A02": (inserted({**a_lambda(CODE), "module": None}), "config-code"),
    "A03": (inserted({"class_name": "Lambda", "config": {"function": CODE}}), "config-code"),
    "A04": (dense(activation=CODE), "config-code"),
    "A05": (compiled(loss=CODE), "config-code"),
    "A06": (compiled(metrics=[CODE]), "config-code"),
    "A07": (dense(kernel_initializer=CODE), "config-code"),
    "A09": (inserted(nested(a_lambda(CODE))), "config-code"),
    "A10": (inserted(a_lambda(function("os", "system"))), "config-class"),
    "A11": (inserted(a_lambda(function("builtins", "eval"))), "config-class"),
    "A12": (
        node(module="subprocess", class_name="Popen", config={"args": ["touch", "x"]}),
        "config-class",
    ),
    "A13": (inserted(a_lambda(function("keras.utils", "get_file"))), "config-class"),
    "A15": (
        inserted(a_lambda(function("keras.config", "enable_unsafe_deserialization"))),
        "config-class",
    ),
    "A17": (inserted(a_lambda(function("keras.models", "load_model"))), "config-class"),
    "A19": (inserted(a_lambda(function("keras.datasets.cifar10", "load_data"))), "config-class"),
    "A22": (inserted(a_lambda(function("keras.config", "set_floatx"))), "config-class"),
    "A24": (node(class_name="TFSMLayer", config={"filepath": "/etc/passwd"}), "config-code"),
    "A25": (node(class_name="TorchModuleWrapper", config={"module": "gASV"}), "config-code"),
    "A26": (
        inserted(
            {
                "module": "keras.layers",
                "class_name": "StringLookup",
                "config": {"vocabulary": "/etc/passwd"},
            }
        ),
        "config-class",
    ),
    "A29": (node(registered_name="builtins.eval"), "config-class"),
    "A30": (node(module="keras_hub.not_there"), "config-class"),
    "A31": (node(module="antigravity"), "config-class"),
    "A32": (node(class_name="Model"), "config-"),
    "A33": (node(module="keras.callbacks", class_name="BackupAndRestore"), "config-class"),
    "users-class": (node(module=None, registered_name="Mine>Dense"), "config-class"),
}


@pytest.mark.parametrize("name", NAMES)
def test_code_and_unknown_names_are_refused(name, good, tmp_path):
    change, code = NAMES[name]
    config = copy.deepcopy(good[0])
    change(config)
    refusal(archived(config, good[1]), tmp_path, code)


def test_no_public_name_of_keras_that_gazelle_does_not_have_is_a_function(good, tmp_path):
    import keras

    names = {
        name
        for room in (keras.config, keras.utils, keras.saving, keras.random, keras.backend)
        for name in dir(room)
        if not name.startswith("_") and callable(getattr(room, name))
    }
    assert len(names) > 50
    for name in sorted(names):
        with pytest.raises(ValueError, match=r"identifier|class"):
            gazelle.saving.deserialize_keras_object(function("keras.utils", name))


def test_a_lambda_is_given_its_function(good, tmp_path):
    config = copy.deepcopy(good[0])
    inserted(a_lambda(CODE))(config)
    content = archived(config, good[1])
    assert "Lambda" in refusal(content, tmp_path, "config-code")
    model = load(content, tmp_path, custom_objects={"la": lambda x: 2 * x})
    plain = load(archived(*good), tmp_path)
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(model.predict(x), plain.predict(2 * x), rtol=1e-6)


@pytest.mark.parametrize(
    "config",
    [function("keras.activations", "relu"), None, [], 3, {"class_name": "__numpy__"}],
    ids=["A36", "null", "list", "number", "A39"],
)
def test_what_is_not_a_model_is_refused(config, good, tmp_path):
    refusal(archived(config, good[1]), tmp_path, "config-")


@pytest.mark.parametrize("place", [("config", "layers", 1), ("compile_config", "optimizer")])
def test_a_layer_or_an_optimizer_is_not_a_model(place, good, tmp_path):
    config = good[0]
    for key in place:
        config = config[key]
    refusal(archived(config, good[1]), tmp_path, "config-not-a-model")


# ---- B: malformed configs ----

TEXTS = {
    "B01": b"",
    "B02": b"hello",
    "B07": b'{"module": "keras", "class_na',
    "B11": b'{"a": ' + b"9" * 5000 + b"}",
    "B13": b"[" * 200_000 + b"]" * 200_000,
    "B15": b"{}",
    "B16": b'{"a": "\xff"}',
    "Z12": b" " * (70 << 20),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_are_no_config_are_refused(name, good, tmp_path):
    code = "zip-size" if name == "Z12" else "config-"
    refusal(archived(TEXTS[name], good[1]), tmp_path, code)


def test_a_key_that_stands_twice_is_refused(good, tmp_path):
    text = json.dumps(good[0]).replace('"units": 3', '"units": 7, "units": 3').encode()
    assert "twice" in refusal(archived(text, good[1]), tmp_path, "config-json")


def test_a_byte_order_mark_is_read_over(good, tmp_path):
    load(archived(b"\xef\xbb\xbf" + json.dumps(good[0]).encode(), good[1]), tmp_path)


def wrapped(depth):
    layer = A_PLAIN
    for number in range(depth):
        layer = nested(layer)
        layer["config"]["name"] = f"inner{number}"
    return layer


def test_models_within_models_without_end_are_refused(good, tmp_path):
    config = copy.deepcopy(good[0])
    inserted(wrapped(100))(config)
    refusal(archived(config, good[1]), tmp_path, "config-json")


def listed(**options):
    return lambda config: config["config"].update(options)


FIELDS = {
    "B09": dense(units=float("nan")),
    "B10": dense(units=float("inf")),
    "B20": dense(units=-1),
    "B21": dense(units=0),
    "B22": dense(units="3"),
    "B25": dense(units=None),
    "B26": dense(units=[3]),
    "B27": dense(activation="rellu"),
    "B28": dense(dtype="float13"),
    "B29": dense(unit=3),
    "B30": lambda config: config["config"]["layers"][1]["config"].pop("units"),
    "B31": dense(name="../../evil"),
    "B32": dense(name="a/b"),
    "B33": dense(name=""),
    "B34": dense(name="a\0b"),
    "B35": dense(name=5),
    "B36": dense(trainable="yes"),
    "B37": lambda config: inserted(config["config"]["layers"][1])(config),
    "B38": listed(layers=None),
    "B39": listed(layers={}),
    "B41": lambda config: config.update(config=[]),
    "B42": node(class_name="Dence"),
    "B43": node(class_name=5),
    "B45": lambda config: config["config"]["layers"][0]["config"].update(batch_shape=[None, -4]),
    "B46": lambda config: config["config"]["layers"][0]["config"].update(batch_shape="abc"),
    "B47": lambda config: config["compile_config"]["optimizer"].update(class_name="SGDD"),
    "B48": lambda config: config["compile_config"]["optimizer"]["config"].update(
        learning_rate="fast"
    ),
    "B50": compiled(loss="nope"),
    "huge steps": lambda config: config["compile_config"]["optimizer"]["config"].update(
        gradient_accumulation_steps=10**40
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_wrong_fields_are_refused(name, good, tmp_path):
    config = copy.deepcopy(good[0])
    FIELDS[name](config)
    refusal(archived(config, good[1]), tmp_path, "config-")


# ---- B6: graphs ----


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    x = gazelle.Input((4,), name="x")
    h = gazelle.layers.Dense(3, name="h")(x)
    model = gazelle.Model(x, gazelle.layers.Dense(2, name="out")(h), name="g")
    path = tmp_path_factory.mktemp("graph") / "m.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json")), archive.read("model.weights.h5")


def history(*place):
    def change(config):
        tensor = config["config"]["layers"][1]["inbound_nodes"][0]["args"][0]
        tensor["config"]["keras_history"] = list(place)

    return change


def dead_layer(config):
    layer = copy.deepcopy(config["config"]["layers"][1])
    layer["name"] = layer["config"]["name"] = "dead"
    config["config"]["layers"].append(layer)


def dead_function(config):
    config["config"]["layers"][1]["inbound_nodes"][0]["kwargs"]["training"] = function("os", "x")


def tensor_shape(config):
    tensor = config["config"]["layers"][1]["inbound_nodes"][0]["args"][0]
    tensor["config"]["shape"] = [None, 7]


EDGES = {
    "B60": history("nobody", 0, 0),
    "B61": history("h", 0, 0),
    "B62": history("x", 0, 99),
    "B63": history("x", 99, 0),
    "B64": lambda config: config["config"].update(output_layers=[["nobody", 0, 0]]),
    "B65": lambda config: config["config"].pop("output_layers"),
    "B66": lambda config: config["config"]["layers"][1].update(inbound_nodes="x"),
    "B67": tensor_shape,
    "D11": dead_layer,
    "D12": dead_function,
}


@pytest.mark.parametrize("name", EDGES)
def test_graphs_that_do_not_hold_together_are_refused(name, graph, tmp_path):
    config = copy.deepcopy(graph[0])
    EDGES[name](config)
    refusal(archived(config, graph[1]), tmp_path, "config-")


def test_the_graph_itself_loads(graph, tmp_path):
    assert load(archived(*graph), tmp_path).output_shape == (None, 2)


# ---- D: excess ----

EXCESS = {
    "D02": dense(units=200_000_000),
    "B44": lambda config: config["config"]["layers"][0]["config"].update(
        batch_shape=[None, 1 << 40]
    ),
    "D15": lambda config: config["config"]["layers"].extend(
        {**copy.deepcopy(config["config"]["layers"][1]), "config": {"units": 300, "name": f"l{n}"}}
        for n in range(3000)
    ),
    "layers": lambda config: config["config"]["layers"].extend([A_PLAIN] * 30_000),
}


@pytest.mark.parametrize("name", EXCESS)
def test_what_declares_more_than_the_file_holds_is_refused(name, good, tmp_path):
    config = copy.deepcopy(good[0])
    EXCESS[name](config)
    refusal(archived(config, good[1]), tmp_path, "config-budget")


def test_calls_without_end_are_refused(graph, tmp_path):
    config = copy.deepcopy(graph[0])
    inbound = config["config"]["layers"][1]["inbound_nodes"]
    config["config"]["layers"][1]["inbound_nodes"] = inbound * 50_000
    refusal(archived(config, graph[1]), tmp_path, "config-budget")


# ---- H: weights ----


def weights_with(content, change):
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        change(file)
    return buffer.getvalue()


def replaced(path, **options):
    def change(file):
        del file[path]
        file.create_dataset(path, **options)

    return change


def removed(path):
    return lambda file: file.__delitem__(path)


def linked(path, link):
    def change(file):
        del file[path]
        file[path] = link

    return change


WEIGHTS = {
    "H02": (linked("layers", h5py.ExternalLink("/etc/passwd", "/x")), "h5-link"),
    "H03": (linked(BIAS, h5py.ExternalLink("/etc/passwd", "/x")), "h5-link"),
    "H05": (linked(BIAS, h5py.SoftLink("/" + KERNEL)), "h5-link"),
    "H06": (linked("layers/dense", h5py.SoftLink("/optimizer")), "h5-link"),
    "H08": (
        replaced(BIAS, shape=(2**50,), dtype="f8", chunks=(1024,), compression="gzip"),
        "h5-shape",
    ),
    "H10": (replaced(BIAS, shape=(2**29,), dtype="f4"), "h5-shape"),
    "H11": (replaced(KERNEL, data=np.zeros((3, 4), "f4")), "h5-mismatch"),
    "H12": (replaced(BIAS, data=np.zeros((1, 3), "f4")), "h5-mismatch"),
    "H13": (replaced(BIAS, data=np.float32(1)), "h5-mismatch"),
    "H14": (replaced(BIAS, data=np.array([1, 2, 2**60 + 1])), "h5-mismatch"),
    "H15": (replaced(BIAS, data=np.array([1, 2, 1e300])), "h5-mismatch"),
    "H16": (replaced(BIAS, data=np.zeros(3, "c8")), "h5-dtype"),
    "H17": (replaced(BIAS, data=np.zeros(3, "?")), "h5-mismatch"),
    "H18": (replaced(BIAS, data=np.array([b"1.5", b"2", b"3"])), "h5-dtype"),
    "H19": (replaced(BIAS, data=["1.5", "2", "3"]), "h5-dtype"),
    "H22": (replaced(BIAS, data=np.array([1, np.nan, 2], "f4")), "h5-nonfinite"),
    "H23": (replaced(BIAS, data=np.array([1, np.inf, 2], "f4")), "h5-nonfinite"),
    "H24": (removed(BIAS), "h5-mismatch"),
    "H25": (removed("layers/dense"), "h5-"),
    "H27": (lambda file: file.create_dataset("layers/dense/vars/2", data=[1.0]), "h5-mismatch"),
    "H28": (lambda file: file.create_dataset("layers/dense_1/vars/0", data=[1.0]), "h5-mismatch"),
    "H30": (lambda file: (removed(BIAS)(file), file.create_group(BIAS)), "h5-"),
    "H34": (replaced(BIAS, data=h5py.Empty("f4")), "h5-shape"),
    "M13": (removed("optimizer/vars/1"), "h5-mismatch"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_cannot_be_those_of_the_model_are_refused(name, good, tmp_path):
    change, code = WEIGHTS[name]
    refusal(archived(good[0], weights_with(good[1], change)), tmp_path, code)


TWINS = {
    "H36": replaced(BIAS, data=np.array([1, 2, 3], ">f4")),
    "H37": replaced(BIAS, data=np.array([1, 2, 3], "f2")),
    "H38": replaced(BIAS, data=np.array([1, 2, 3], "f4"), chunks=(3,), compression="gzip"),
    "H14": replaced(BIAS, data=np.array([1, 2, 3])),
    "H15": replaced(BIAS, data=np.array([1, 2, 3], "f8")),
}


@pytest.mark.parametrize("name", TWINS)
def test_other_ways_to_store_the_same_weights_load(name, good, tmp_path):
    model = load(archived(good[0], weights_with(good[1], TWINS[name])), tmp_path)
    np.testing.assert_array_equal(model.get_weights()[1], [1, 2, 3])


def test_nonfinite_weights_load_on_request(good, tmp_path):
    weights = weights_with(good[1], replaced(BIAS, data=np.array([1, np.nan, 2], "f4")))
    model = load(archived(good[0], weights), tmp_path, allow_nonfinite=True)
    assert np.isnan(model.get_weights()[1][1])


# ---- Z: the archive ----


def zipped(members, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def members(good):
    return [("config.json", json.dumps(good[0]).encode()), ("model.weights.h5", good[1])]


def patched(content, place, fmt, value):
    content = bytearray(content)
    struct.pack_into(fmt, content, place, value)
    return bytes(content)


def central(content, name):
    """Where the central entry of a member begins."""
    return content.rindex(b"PK\x01\x02", 0, content.rindex(name.encode()))


def symlink(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


ZIPS = {
    "Z01": (lambda g: zipped([*members(g), ("config.json", b"{}")]), "zip-duplicate"),
    "Z02": (lambda g: zipped(members(g)[1:]), "zip-missing"),
    "Z03": (lambda g: zipped(members(g)[:1]), "zip-missing"),
    "Z05": (lambda g: zipped([*members(g), ("../x", b"1")]), "zip-member"),
    "Z06": (lambda g: zipped([*members(g), ("/x", b"1")]), "zip-member"),
    "asset": (lambda g: zipped([*members(g), ("assets/../x", b"1")]), "zip-member"),
    "Z07": (lambda g: zipped([*members(g), (symlink("assets/x"), "/etc/passwd")]), "zip-kind"),
    "Z08": (lambda g: zipped([*members(g), ("assets\\x", b"1")]), "zip-member"),
    "Z10": (lambda g: zipped([*members(g), ("CONFIG.JSON", b"1")]), "zip-member"),
    "Z11": (lambda g: zipped([*members(g), ("model.weights.npz", b"1")]), "zip-member"),
    "Z20": (lambda g: b"", "zip-not-a-zip"),
    "Z21": (lambda g: b"<!doctype html><html>" + b" " * 100, "zip-not-a-zip"),
    "Z22": (lambda g: g[1], "zip-not-a-zip"),
    "Z23": (lambda g: b"#!/bin/sh\n" + zipped(members(g)), "zip-"),
    "Z24": (lambda g: zipped(members(g)) + b"more", "zip-"),
    "Z36": (lambda g: zipped([(f"assets/{n}", b"") for n in range(3000)]), "zip-members"),
    "Z38": (lambda g: zipped([*members(g), ("__MACOSX/config.json", b"1")]), "zip-member"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ZIPS)
def test_archives_that_keras_never_writes_are_refused(name, good, tmp_path):
    make, code = ZIPS[name]
    refusal(make(good), tmp_path, code)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_called_truncated(share, good, tmp_path):
    content = archived(*good)
    content = content[: int(share * len(content))]
    assert f"byte {len(content):,}" in refusal(content, tmp_path, "zip-truncated")


PATCHES = {  # place in the central entry, format, value
    "Z28": (8, "<H", 1),
    "Z29": (10, "<H", 99),
    "Z30": (24, "<L", 10),
    "Z31": (24, "<L", 0xFFFFFFF0),
    "Z33": (42, "<L", 0),
    "crc": (16, "<L", 12345),
    "disk": (34, "<H", 1),
}


@pytest.mark.parametrize("name", PATCHES)
def test_changed_fields_of_the_archive_are_refused(name, good, tmp_path):
    content = archived(*good)
    place, fmt, value = PATCHES[name]
    refusal(patched(content, central(content, "config.json") + place, fmt, value), tmp_path, "zip-")


def test_a_changed_local_name_is_refused(good, tmp_path):
    content = archived(*good)
    place = content.index(b"config.json")
    refusal(content[:place] + b"konfig" + content[place + 6 :], tmp_path, "zip-header")


def test_every_flipped_bit_is_found(tmp_path):
    """Of Gazelle's own files: none loads with other values, wherever the bit is."""
    model = gazelle.Sequential([gazelle.Input((2,)), gazelle.layers.Dense(1, name="d")], name="s")
    path = tmp_path / "m.keras"
    model.save(path)
    content = path.read_bytes()
    config, weights = model.to_json(), model.get_weights()
    rng, refused = np.random.default_rng(0), 0
    for place in rng.choice(len(content) * 8, 400, replace=False):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            read = gazelle.models.load_model(path)
        except ModelFileError:
            refused += 1
            continue
        assert read.to_json() == config
        for a, b in zip(read.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(a, b)
    assert refused > 350


def test_a_config_changed_with_its_crc_is_found(tmp_path):
    model = gazelle.Sequential([gazelle.Input((2,)), gazelle.layers.Dense(1)], name="s")
    path = tmp_path / "bad.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(b'"linear"', b'"softmax"')
    refusal(zipped(list(parts.items())), tmp_path, "config-checksum")


ARCHIVE_TWINS = {
    "deflated": lambda g: zipped(members(g), zipfile.ZIP_DEFLATED),
    "Z04": lambda g: zipped(members(g)),
    "assets": lambda g: zipped([*members(g), ("assets/", b""), ("assets/d/vocabulary.txt", b"a")]),
    "Z34": lambda g: archived(*g, metadata=b'{"keras_version": "99.0.0"}'),
}


@pytest.mark.parametrize("name", ARCHIVE_TWINS)
def test_other_ways_to_zip_the_same_model_load(name, good, tmp_path):
    assert load(ARCHIVE_TWINS[name](good), tmp_path).output_shape == (None, 3)


def test_an_archive_written_to_a_pipe_loads(good, tmp_path):
    """Its sizes come after the data, in descriptors."""

    class Pipe(io.RawIOBase):
        def __init__(self):
            self.content = bytearray()

        def writable(self):
            return True

        def write(self, data):
            self.content += data
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members(good):
            archive.writestr(name, content)
    assert load(bytes(pipe.content), tmp_path).output_shape == (None, 3)


def test_files_that_are_not_there_or_not_regular_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.keras")
    for name in ("gone.keras", "pipe.keras"):
        with pytest.raises(ModelFileError, match="cannot be opened"):
            gazelle.models.load_model(tmp_path / name)
    with pytest.raises(ModelFileError, match=r"config\.json"):
        gazelle.models.load_model(tmp_path)


def test_saving_the_same_state_gives_the_same_bytes(tmp_path):
    model = gazelle.Sequential([gazelle.Input((2,)), gazelle.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    for name in ("a.keras", "b.keras"):
        model.save(tmp_path / name)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    again = gazelle.models.load_model(tmp_path / "a.keras")
    again.save(tmp_path / "c.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "c.keras").read_bytes()
