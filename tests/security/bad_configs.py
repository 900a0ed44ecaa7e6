"""Bad configs: code and names (A), what is malformed (B), and excess (D)."""

from __future__ import annotations

import base64
import copy
import json
import marshal
from typing import Any

from bad_kit import Case, Change, Kit, Make, with_config, with_text

# ---- Changes of a config ----


def code(kit: Kit) -> dict[str, Any]:
    """A Python function that leaves a marker, as Keras stores it."""
    function = eval(f"lambda x: (open({str(kit.marker)!r}, 'w'), x)[1]")
    text = base64.b64encode(marshal.dumps(function.__code__)).decode()
    inner = {"code": text, "defaults": None, "closure": None}
    return {"class_name": "__lambda__", "config": inner}


def function(module: str, name: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def a_lambda(function: Any, **arguments: Any) -> dict[str, Any]:
    inner = {"name": "la", "trainable": True, "function": function, "arguments": arguments}
    return {"module": "keras.layers", "class_name": "Lambda", "config": inner}


def a_layer(class_name: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": config}


def nested(layer: dict[str, Any], name: str = "inner") -> dict[str, Any]:
    return a_layer("Sequential", "keras", name=name, layers=[layer])


RESCALING = a_layer("Rescaling", scale=1.0, name="scaled")


def inserted(layer: Any) -> Change:
    """Put a layer before the dense one."""

    def change(config: Any, kit: Kit) -> None:
        made = layer(kit) if callable(layer) else copy.deepcopy(layer)
        config["config"]["layers"].insert(1, made)

    return change


def dense(**options: Any) -> Change:
    """Change arguments of the dense layer."""
    return lambda config, kit: config["config"]["layers"][1]["config"].update(
        {key: value(kit) if callable(value) else value for key, value in options.items()}
    )


def node(**options: Any) -> Change:
    """Change what describes the dense layer."""
    return lambda config, kit: config["config"]["layers"][1].update(copy.deepcopy(options))


def compiled(**options: Any) -> Change:
    return lambda config, kit: config["compile_config"].update(
        {key: value(kit) if callable(value) else value for key, value in options.items()}
    )


def optimizer(**options: Any) -> Change:
    return lambda config, kit: config["compile_config"]["optimizer"].update(options)


def optimizer_option(**options: Any) -> Change:
    return lambda config, kit: config["compile_config"]["optimizer"]["config"].update(options)


def rate(value: Any) -> Change:
    return optimizer_option(learning_rate=value)


def listed(**options: Any) -> Change:
    return lambda config, kit: config["config"].update(options)


def input_layer(**options: Any) -> Change:
    return lambda config, kit: config["config"]["layers"][0]["config"].update(options)


def whole(value: Any) -> Make:
    """A file whose config is one value."""
    return with_text(lambda kit: json.dumps(value(kit) if callable(value) else value).encode())


def case(
    id: str,
    what: str,
    change: Change | Make,
    code: str,
    twin: Change | None = None,
    **options: Any,
) -> Case:
    """A case of the config of a chain."""
    make = with_config(change)
    return Case(id, what, make, code, twin=with_config(twin), **options)


# ---- A: code and names ----

PLAIN = inserted(RESCALING)
NAMED = inserted(a_lambda(function("builtins", "relu")))
ADVISORIES = [
    ("A10", "os", "system"),
    ("A11", "builtins", "eval"),
    ("A13", "keras.utils", "get_file"),
    ("A14", "keras.src.utils.file_utils", "get_file"),
    ("A15", "keras.config", "enable_unsafe_deserialization"),
    ("A16", "keras.src.backend.common.global_state", "set_global_attribute"),
    ("A17", "keras.models", "load_model"),
    ("A18", "keras.src.utils.python_utils", "func_load"),
    ("A19", "keras.visualization", "plot_image_gallery"),
    ("A20", "keras.datasets.cifar10", "load_data"),
    ("A21", "keras.utils", "plot_model"),
    ("A22", "keras.config", "set_floatx"),
    ("A23", "keras.utils", "set_random_seed"),
]
WITH_FUNCTION = {"twin_options": {"custom_objects": {"la": lambda x: x}}}
_LAMBDA = inserted(lambda kit: a_lambda(code(kit)))
NAMES = [
    case("A01", "Lambda layer with Python code", _LAMBDA, "config-code", _LAMBDA, **WITH_FUNCTION),
    case(
        "A02",
        "the same without a module",
        inserted(lambda kit: {**a_lambda(code(kit)), "module": None}),
        "config-code",
        inserted({**RESCALING, "module": None}),
    ),
    case(
        "A03",
        "the same with class_name and config alone",
        inserted(lambda kit: {"class_name": "Lambda", "config": {"function": code(kit)}}),
        "config-code",
        inserted({"class_name": "Rescaling", "config": {"scale": 1.0}}),
    ),
    case(
        "A04", "code as activation", dense(activation=code), "config-code", dense(activation="relu")
    ),
    case("A05", "code as loss", compiled(loss=code), "config-code", compiled(loss="mae")),
    case(
        "A06",
        "code as metric",
        compiled(metrics=lambda kit: [code(kit)]),
        "config-code",
        compiled(metrics=["mae"]),
    ),
    case(
        "A07",
        "code as initializer",
        dense(kernel_initializer=code),
        "config-code",
        dense(kernel_initializer="zeros"),
    ),
    case(
        "A08",
        "code in a TimeDistributed layer",
        inserted(lambda kit: a_layer("TimeDistributed", layer=a_lambda(code(kit)))),
        "config-code",
        PLAIN,
    ),
    case(
        "A09",
        "code in a nested model",
        inserted(lambda kit: nested(a_lambda(code(kit)))),
        "config-code",
        inserted(nested(RESCALING)),
    ),
    *(
        case(
            id,
            f"Lambda of {module}.{name}",
            inserted(a_lambda(function(module, name))),
            "config-class",
            NAMED,
            **WITH_FUNCTION,
        )
        for id, module, name in ADVISORIES
    ),
    case(
        "A12",
        "subprocess.Popen as layer",
        lambda config, kit: node(
            module="subprocess", class_name="Popen", config={"args": ["touch", str(kit.marker)]}
        )(config, kit),
        "config-class",
        node(module="keras.layers"),
    ),
    case(
        "A24",
        "TFSMLayer with the path of a file",
        inserted(lambda kit: a_layer("TFSMLayer", filepath=str(kit.secret_file))),
        "config-code",
        PLAIN,
    ),
    case(
        "A25",
        "TorchModuleWrapper with a pickle",
        inserted(a_layer("TorchModuleWrapper", module=base64.b64encode(b"\x80\x04N.").decode())),
        "config-code",
        PLAIN,
    ),
    case(
        "A26",
        "vocabulary that is the path of a file",
        inserted(lambda kit: a_layer("StringLookup", vocabulary=str(kit.secret_file))),
        "config-field",
        PLAIN,
    ),
    case(
        "A27",
        "vocabulary that is an address",
        inserted(lambda kit: a_layer("StringLookup", vocabulary=kit.url)),
        "config-field",
        PLAIN,
    ),
    case(
        "A28",
        "the same of TextVectorization",
        inserted(lambda kit: a_layer("TextVectorization", vocabulary=str(kit.secret_file))),
        "config-field",
        PLAIN,
    ),
    case(
        "A29",
        "registered_name builtins.eval",
        node(registered_name="builtins.eval"),
        "config-class",
        node(registered_name="Dense"),
    ),
    case(
        "A30",
        "module that is not installed",
        node(module="keras_hub.not_there"),
        "config-class",
        node(module="keras_core.layers"),
    ),
    case(
        "A31",
        "module whose import leaves a marker",
        node(module="planted_module"),
        "config-class",
        node(module="keras.layers"),
    ),
    case("A32", "Model as layer, with fields of Dense", node(class_name="Model"), "config-", PLAIN),
    case(
        "A33",
        "callback as layer",
        node(module="keras.callbacks", class_name="EarlyStopping", config={}),
        "config-class",
        PLAIN,
    ),
    case(
        "A34",
        "BackupAndRestore with a folder",
        lambda config, kit: node(
            module="keras.callbacks",
            class_name="BackupAndRestore",
            config={"backup_dir": str(kit.root / "cwd" / "backup")},
        )(config, kit),
        "config-class",
        PLAIN,
    ),
    case(
        "A35",
        "FileEditor with a path",
        inserted(
            lambda kit: a_layer("KerasFileEditor", "keras.saving", filepath=str(kit.secret_file))
        ),
        "config-class",
        PLAIN,
    ),
    case(
        "A40",
        "class registered by its writer",
        node(module=None, registered_name="Mine>Dense"),
        "config-class",
        node(module=None, registered_name=None),
    ),
]


def config_of(*place: Any) -> Make:
    """A file whose config is a part of the good one."""

    def part(kit: Kit) -> Any:
        found = kit.config()
        for key in place:
            found = found[key]
        return found

    return whole(part)


GOOD = with_config()
NOT_MODELS = [
    ("A36", "function as model", whole(function("keras.activations", "relu")), "config-"),
    ("A37", "layer as model", config_of("config", "layers", 1), "config-not-a-model"),
    ("A38", "optimizer as model", config_of("compile_config", "optimizer"), "config-not-a-model"),
    ("A39", "array as model",
     whole({"class_name": "__numpy__", "config": {"value": [1], "dtype": "float32"}}), "config-"),
    ("B01", "empty config", with_text(b" "), "config-json"),
    ("B02", "config hello", with_text(b"hello"), "config-json"),
    ("B03", "config null", with_text(b"null"), "config-json"),
    ("B04", "config []", with_text(b"[]"), "config-json"),
    ("B05", "config 3", with_text(b"3"), "config-json"),
    ("B06", 'config "x"', with_text(b'"x"'), "config-json"),
    ("B07", "config cut after 200 bytes",
     with_text(lambda kit: json.dumps(kit.config()).encode()[:200]), "config-json"),
    ("B11", "number of 5,000 digits", with_text(b'{"a": ' + b"9" * 5000 + b"}"), "config-json"),
    ("B12", "key twice", with_text(
        lambda kit: json.dumps(kit.config()).replace('"units"', '"units": 7, "units"').encode()
    ), "config-json"),
    ("B13", "200,000 lists in lists", with_text(b"[" * 200_000 + b"]" * 200_000), "config-json"),
    ("B14", "3,000 models in models", with_text(
        b'{"module": "keras", "class_name": "Sequential", "config": {"layers": [' * 3000
        + b"]}}" * 3000
    ), "config-json"),
    ("B17", "300 lists in lists", with_text(b"[" * 300 + b"]" * 300), "config-json"),
    ("B15", "config {}", with_text(b"{}"), "config-"),
    ("B16", "invalid UTF-8", with_text(b'{"a": "\xff"}'), "config-json"),
]  # fmt: skip


# ---- B: malformed fields ----

FIELDS: list[tuple[str, str, Change, Change]] = [
    ("B09", "units NaN", dense(units=float("nan")), dense(units=3)),
    ("B10", "units Infinity", dense(units=float("inf")), dense(units=3)),
    ("B20", "units -1", dense(units=-1), dense(units=3)),
    ("B21", "units 0", dense(units=0), dense(units=3)),
    ("B22", 'units "3"', dense(units="3"), dense(units=3)),
    ("B23", "units 3.5", dense(units=3.5), dense(units=3)),
    ("B24", "units true", dense(units=True), dense(units=3)),
    ("B25", "units null", dense(units=None), dense(units=3)),
    ("B26", "units [3]", dense(units=[3]), dense(units=3)),
    ("B27", "activation rellu", dense(activation="rellu"), dense(activation="relu")),
    ("B28", "dtype float13", dense(dtype="float13"), dense(dtype="float32")),
    ("B29", "unknown argument", dense(unit=3), dense(use_bias=True)),
    ("B30", "no units", lambda c, kit: c["config"]["layers"][1]["config"].pop("units"),
     lambda c, kit: c["config"]["layers"][1]["config"].pop("activation")),
    ("B31", "name ../../evil", dense(name="../../evil"), dense(name="..d")),
    ("B32", "name a/b", dense(name="a/b"), dense(name="a-b")),
    ("B33", "empty name", dense(name=""), dense(name="d e")),
    ("B34", "name with NUL", dense(name="a\0b"), dense(name="ab")),
    ("B35", "name 5", dense(name=5), dense(name="5")),
    ("B36", 'trainable "yes"', dense(trainable="yes"), dense(trainable=True)),
    ("B37", "layer twice",
     lambda c, kit: inserted(c["config"]["layers"][1])(c, kit), inserted(RESCALING)),
    ("B38", "layers null", listed(layers=None), listed(name="t")),
    ("B39", "layers {}", listed(layers={}), listed(name="t")),
    ("B41", "config []", lambda c, kit: c.update(config=[]), listed(name="t")),
    ("B42", "class Dence", node(class_name="Dence"), node(class_name="Dense")),
    ("B43", "class 5", node(class_name=5), node(class_name="Dense")),
    ("B45", "input of -4 columns", input_layer(batch_shape=[None, -4]),
     input_layer(batch_shape=[8, 4])),
    ("B46", 'input shape "abc"', input_layer(batch_shape="abc"),
     input_layer(batch_shape=[None, 4])),
    ("B47", "optimizer SGDD", optimizer(class_name="SGDD"), optimizer(class_name="SGD")),
    ("B48", 'learning rate "fast"', rate("fast"), rate(0.5)),
    ("B52", "10^40 steps between updates", optimizer_option(gradient_accumulation_steps=10**40),
     optimizer_option(gradient_accumulation_steps=2)),
    ("B50", "loss nope", compiled(loss="nope"), compiled(loss="mae")),
]  # fmt: skip


# ---- B6: graphs ----


def history(*place: Any) -> Change:
    def change(config: Any, kit: Kit) -> None:
        tensor = config["config"]["layers"][1]["inbound_nodes"][0]["args"][0]
        tensor["config"]["keras_history"] = list(place)

    return change


def dead_layer(config: Any, kit: Kit) -> None:
    """A layer on no path from the input to the output."""
    layer = copy.deepcopy(config["config"]["layers"][1])
    layer["name"] = layer["config"]["name"] = "dead"
    config["config"]["layers"].append(layer)


def dead_operation(config: Any, kit: Kit) -> None:
    """The same, called with a function."""
    dead_layer(config, kit)
    layer = config["config"]["layers"][-1]
    layer.update(module="keras.src.ops.numpy", class_name="Add", config={"name": "dead"})
    layer["inbound_nodes"][0]["args"].append(function("keras.config", "floatx"))


def argument(value: Any) -> Change:
    """An argument in a call of a layer."""
    return lambda config, kit: config["config"]["layers"][1]["inbound_nodes"][0]["kwargs"].update(
        training=value(kit) if callable(value) else value
    )


def tensor_shape(*shape: Any) -> Change:
    def change(config: Any, kit: Kit) -> None:
        tensor = config["config"]["layers"][1]["inbound_nodes"][0]["args"][0]
        tensor["config"]["shape"] = list(shape)

    return change


def repeated_calls(count: int) -> Change:
    def change(config: Any, kit: Kit) -> None:
        layer = config["config"]["layers"][1]
        layer["inbound_nodes"] = layer["inbound_nodes"] * count

    return change


GRAPHS: list[tuple[str, str, Change, str]] = [
    ("B60", "call on an unknown layer", history("nobody", 0, 0), "config-"),
    ("B61", "call on its own output", history("h", 0, 0), "config-"),
    ("B62", "call on node 99", history("x", 99, 0), "config-"),
    ("B63", "call on tensor 99", history("x", 0, 99), "config-"),
    ("B64", "output of an unknown layer", listed(output_layers=[["nobody", 0, 0]]), "config-"),
    ("B65", "no outputs", lambda c, kit: c["config"].pop("output_layers"), "config-"),
    ("B66", "calls that are text",
     lambda c, kit: c["config"]["layers"][1].update(inbound_nodes="x"), "config-"),
    ("B67", "tensor of another shape", tensor_shape(None, 7), "config-"),
    ("D10", "operation on no path, called with a function", dead_operation, "config-"),
    ("D11", "layer on no path", dead_layer, "config-"),
    ("D12", "function in a call", argument(function("os", "getcwd")), "config-"),
    ("D13", "code in a call", argument(code), "config-code"),
    ("D14", "50,000 calls", repeated_calls(50_000), "config-json"),
    ("D18", "21,000 calls", repeated_calls(21_000), "config-budget"),
]  # fmt: skip

# ---- D: excess ----


def many(count: int) -> Change:
    """Layers that the file has no weights for."""
    return lambda config, kit: config["config"]["layers"].extend(
        {**copy.deepcopy(config["config"]["layers"][1]), "config": {"units": 300, "name": f"l{n}"}}
        for n in range(count)
    )


def build_config(columns: int) -> Change:
    return node(build_config={"input_shape": [None, columns]})


def shared_ids(config: Any, kit: Kit) -> None:
    """Two objects that claim to be the same one."""
    initializer = {"module": "keras.initializers", "class_name": "Zeros", "config": {}}
    regularizer = {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.01}}
    dense(
        kernel_initializer={**initializer, "shared_object_id": 7},
        kernel_regularizer={**regularizer, "shared_object_id": 7},
    )(config, kit)


EXCESS = [
    case("D02", "200 million units", dense(units=200_000_000), "config-budget", dense(units=3)),
    case(
        "D03",
        "embedding of 400 million rows",
        inserted(a_layer("Embedding", input_dim=400_000_000, output_dim=1)),
        "config-budget",
        PLAIN,
    ),
    case("D15", "3,000 layers, weights of one", many(3000), "config-budget", PLAIN),
    case(
        "D16",
        "30,000 layers",
        lambda config, kit: config["config"]["layers"].extend([RESCALING] * 30_000),
        "config-budget",
        PLAIN,
    ),
    case(
        "D17",
        "input of 2^40 columns",
        input_layer(batch_shape=[None, 1 << 40]),
        "config-budget",
        input_layer(batch_shape=[None, 4]),
    ),
    case(
        "D20",
        "types of layers in a map",
        dense(dtype=a_layer("DTypePolicyMap", "keras.dtype_policies", default_policy="float16")),
        "config-",
        dense(dtype=a_layer("DTypePolicy", "keras", name="float32")),
    ),
]
_IGNORED = "Gazelle's layers are built by their models: what a file says of it is not read"
LEGAL = [
    Case(
        "B08",
        "byte order mark",
        with_text(lambda kit: b"\xef\xbb\xbf" + json.dumps(kit.config()).encode()),
        loads="JSON allows it",
    ),
    Case("B44", "built for 2^40 columns", with_config(build_config(1 << 40)), loads=_IGNORED),
    Case("D01", "built for 2^26 columns", with_config(build_config(1 << 26)), loads=_IGNORED),
    Case(
        "B49",
        "learning rate -1",
        with_config(rate(-1.0)),
        loads="an optimizer may have it: it climbs",
    ),
    Case("D22", "one id for two objects", with_config(shared_ids), loads="the ids are not read"),
    Case(
        "B51",
        "optimizer null",
        with_config(compiled(optimizer=None)),
        loads="a model may be compiled without an optimizer",
    ),
]
CASES = [
    *NAMES,
    *(Case(id, what, make, code, twin=GOOD) for id, what, make, code in NOT_MODELS),
    *(case(id, what, change, "config-", twin) for id, what, change, twin in FIELDS),
    case("B40", "no layers", listed(layers=[]), "", listed(name="t")),
    *(
        Case(id, what, with_config(change, graph=True), code, twin=with_config(graph=True))
        for id, what, change, code in GRAPHS
    ),
    *EXCESS,
    *LEGAL,
]
