"""The exported file: complete, the same for the same model, and never half written."""

import errno
import functools
import os
import subprocess
import sys

import jax
import numpy as np
import onnx
import pytest
from _export.running import check, own_outputs, random_data, random_weights, run, session
from models.graphs import GRAPHS, chain, model_in_model

import gazelle
from gazelle import Input, layers
from gazelle._export import onnx_file
from gazelle.errors import ArgumentError, PackageError, StateError

pytestmark = pytest.mark.slow


def small():
    return chain(gazelle)


def refuses(model, tmp_path, error, match, **arguments):
    with pytest.raises(error, match=match):
        model.export(tmp_path / "model.onnx", **arguments)
    assert list(tmp_path.iterdir()) == []


# ---- What is in the file ----


@pytest.mark.parametrize("make", GRAPHS)
def test_a_file_is_complete_in_itself(make, tmp_path):
    make(gazelle).export(tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    proto = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    for tensor in proto.graph.initializer:
        assert tensor.data_location == onnx.TensorProto.DEFAULT
        assert list(tensor.external_data) == []
    onnx.checker.check_model(proto, full_check=True)


def test_the_file_says_what_it_is(tmp_path):
    model = small()
    model.export(tmp_path / "model.onnx")
    proto = onnx.load(tmp_path / "model.onnx")
    assert (proto.producer_name, proto.producer_version) == ("gazelle", gazelle.__version__)
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", 18)]
    assert proto.ir_version == 8
    assert proto.graph.name == model.name


def test_the_same_model_gives_the_same_bytes(tmp_path):
    model = random_weights(model_in_model(gazelle))
    copy = gazelle.models.model_from_json(model.to_json())
    copy.set_weights(model.get_weights())
    contents = []
    for made in (model, model, copy):
        made.export(tmp_path / "model.onnx")
        contents.append((tmp_path / "model.onnx").read_bytes())
    assert contents[0] == contents[1] == contents[2]
    copy.set_weights([2 * weight for weight in model.get_weights()])
    copy.export(tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() != contents[0]


SAME = """
import sys, numpy as np, gazelle
L = gazelle.layers
x = gazelle.Input((4,))
h = L.Dense(3, "gelu", kernel_initializer="ones")(x)
gazelle.Model(x, [h[:, 1:] * 2.0, L.BatchNormalization()(h)]).export(sys.argv[1])
"""


def test_two_processes_write_the_same_bytes(tmp_path):
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", SAME, str(tmp_path / f"{seed}.onnx")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        )
    assert (tmp_path / "1.onnx").read_bytes() == (tmp_path / "2.onnx").read_bytes()


def test_a_layer_that_is_called_twice_is_written_once(tmp_path):
    x = Input((50,))
    dense = layers.Dense(50)
    gazelle.Model(x, dense(dense(x))).export(tmp_path / "model.onnx")
    sizes = [
        np.prod(tensor.dims) for tensor in onnx.load(tmp_path / "model.onnx").graph.initializer
    ]
    assert sorted(sizes) == [50, 2500]


# ---- Writing ----


def test_a_file_is_replaced(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"old")
    check(random_weights(small()), tmp_path)


def test_a_full_disk_leaves_the_old_file(monkeypatch, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"old")

    def full(self, data):
        self._file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gazelle._files.early.EarlyFile.write", full)
    with pytest.raises(OSError, match="No space left"):
        small().export(tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_bytes() == b"old"


def test_a_folder_that_does_not_exist_is_refused_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_file, "write_graph", None)
    with pytest.raises(ArgumentError, match="cannot be written"):
        small().export(tmp_path / "nowhere" / "model.onnx")


def test_it_prints_only_when_asked(capsys, tmp_path):
    path = tmp_path / "model.onnx"
    small().export(path)
    assert capsys.readouterr().out == ""
    small().export(path, verbose=True)
    assert capsys.readouterr().out == f"Saved artifact at {str(path)!r}.\n"


# ---- What is refused ----


def test_a_missing_package_is_asked_for(monkeypatch, tmp_path):
    model = small()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(PackageError) as caught:
        model.export(tmp_path / "model.onnx")
    assert str(caught.value).splitlines() == [
        "model.export needs onnx, which is not installed.",
        "  fix: pip install 'gazelle[onnx]'",
    ]
    assert list(tmp_path.iterdir()) == []


def test_importing_the_models_does_not_import_onnx():
    code = "import sys, gazelle.models as m; m.Sequential; print('onnx' in sys.modules)"
    code += "; import gazelle._export.onnx_file; print('onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_formats(tmp_path):
    for name, format in (("model", None), ("model.keras", None), ("m.onnx", "tf_saved_model")):
        with pytest.raises(ArgumentError, match="exports models to ONNX files only"):
            small().export(tmp_path / name, format=format)
    assert list(tmp_path.iterdir()) == []
    small().export(str(tmp_path / "model"), format="onnx", opset_version=18)
    assert session(tmp_path / "model").get_inputs()[0].shape == ["batch", 4]


def test_arguments_of_keras_without_a_meaning_are_refused(tmp_path):
    refuses(small(), tmp_path, ArgumentError, "input signature", input_signature=[Input((4,))])
    refuses(small(), tmp_path, ArgumentError, "always has opset 18", opset_version=17)
    refuses(small(), tmp_path, ArgumentError, "received: jax2tf_kwargs", jax2tf_kwargs={})


def test_a_model_that_is_not_built(tmp_path):
    refuses(
        gazelle.Sequential([layers.Dense(2)]),
        tmp_path,
        StateError,
        r"export: the model 'sequential.*' is not built",
    )


class Scale(layers.Layer):
    def call(self, inputs):
        return 2 * inputs


class Wider(layers.Dense):
    def call(self, inputs):
        return 2 * super().call(inputs)


class Own(gazelle.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.Lambda(lambda x: 2 * x, name="it"), "Lambda"),
        (Scale(name="it"), "Scale"),
        (Wider(3, name="it"), "Wider"),
        (Own(name="it"), "Own"),
        (layers.Dense(2, activation=Scale(name="it")), "Scale"),
        (gazelle.Sequential([Input((3,)), Scale(name="it")]), "Scale"),
    ],
)
def test_a_layer_without_an_onnx_form_is_named(layer, name, tmp_path):
    model = gazelle.Sequential([Input((3,)), layers.Dense(3), layer])
    refuses(model, tmp_path, ArgumentError, rf"The layer 'it' \({name}\) has no ONNX form")
    with pytest.raises(
        ArgumentError, match=r"expected: the layers Activation, .*, UnitNormalization"
    ):
        model.export(tmp_path / "model.onnx")


def test_a_subclassed_model_is_named(tmp_path):
    model = Own(name="mine")
    model.build((None, 3))
    refuses(model, tmp_path, ArgumentError, r"The model 'mine' \(Own\) cannot be exported")


def triple(x):
    return 3 * x


@pytest.mark.parametrize("function", [triple, jax.nn.relu, functools.partial(triple)])
def test_a_function_that_is_not_an_activation_is_named(function, tmp_path):
    name = getattr(function, "__name__", "triple")
    dense = layers.Dense(2, activation=function, name="it")
    model = gazelle.Sequential([Input((3,)), dense])
    match = f"The activation '{name}' of the layer 'it' has no ONNX form"
    refuses(model, tmp_path, ArgumentError, match)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float16", "bfloat16"])
def test_half_precision_is_refused(policy, tmp_path):
    model = gazelle.Sequential(
        [Input((3,), dtype="float32"), layers.Dense(2, dtype=policy, name="it")]
    )
    refuses(model, tmp_path, ArgumentError, f"the layer 'it' has the dtype policy {policy}")
    x = Input((3,), dtype="float16", name="half")
    refuses(gazelle.Model(x, layers.Dense(2)(x)), tmp_path, ArgumentError, "the input 'half'")


def test_the_advice_about_half_precision_works(tmp_path):
    def made(dtype):
        return gazelle.Sequential([Input((3,), dtype="float32"), layers.Dense(2, dtype=dtype)])

    model, new = made("mixed_bfloat16"), made("float32")
    new.set_weights(model.get_weights())
    new.export(tmp_path / "model.onnx")
    x = random_data(new, 5)
    found = run(tmp_path / "model.onnx", x)[0]
    np.testing.assert_allclose(found, own_outputs(model, x, 0)[0].astype("float32"), atol=0.05)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool"])
def test_arithmetic_that_onnx_lacks_is_refused(dtype, tmp_path):
    a, b = Input((3,), dtype=dtype), Input((3,), dtype=dtype)
    match = f"computes in {dtype}"
    refuses(gazelle.Model([a, b], layers.Multiply()([a, b])), tmp_path, ArgumentError, match)
    refuses(gazelle.Model([a, b], a * b), tmp_path, ArgumentError, match)


def test_an_activation_of_integers_is_refused(tmp_path):
    x = Input((3,), dtype="int32")
    model = gazelle.Model(x, layers.ReLU(name="it")(x))
    refuses(model, tmp_path, ArgumentError, r"The layer 'it' \(ReLU\) .* floats only")


@pytest.mark.parametrize("index", [np.s_[1:], np.s_[0], np.s_[None], np.s_[:, np.array([1, 0])]])
def test_an_index_without_an_onnx_form_is_refused(index, tmp_path):
    x = Input((3,))
    model = gazelle.Model(x, x[index])
    refuses(model, tmp_path, ArgumentError, "The index of 'get_item.*' has no ONNX form")


def test_a_model_beyond_the_limit_is_refused_before_any_work(monkeypatch, tmp_path):
    model = gazelle.Sequential([Input((1000,)), layers.Dense(1000)])
    monkeypatch.setattr(onnx_file, "_MOST_BYTES", 4_003_999)
    monkeypatch.setattr(onnx_file, "write_graph", None)
    refuses(model, tmp_path, ArgumentError, "too large for an ONNX file")


def test_a_file_beyond_the_limit_is_not_written(monkeypatch, tmp_path):
    model = gazelle.Sequential([Input((1000,)), layers.Dense(1000)])
    monkeypatch.setattr(onnx_file, "_MOST_BYTES", 4_004_000)
    refuses(model, tmp_path, ArgumentError, "too large for an ONNX file")
