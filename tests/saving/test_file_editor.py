"""KerasFileEditor: changes of the weights in a file, and files of Keras's."""

import h5py
import numpy as np
import pytest

import gazelle
from gazelle import layers
from gazelle.errors import ModelFileError
from gazelle.saving import KerasFileEditor

KERNEL, BIAS = np.full((3, 3), 0.5, "float32"), np.arange(3, dtype="float32")


def model(*names, name=None):
    return gazelle.Sequential(
        [layers.Input((3,)), *(layers.Dense(3, name=one) for one in names)], name=name
    )


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.keras"
    model("first", "last").save(path)
    return path


def test_a_file_is_fitted_to_a_model_with_another_layer(saved, tmp_path, capsys):
    wider = model("first", "more", "last")
    editor = KerasFileEditor(saved)
    found = editor.compare(wider)
    assert found == {"status": "error", "error_count": 1, "match_count": 4}
    assert "/layers/dense_2 present in reference model, missing" in capsys.readouterr().out
    editor.rename_object("dense_1", "dense_2")
    editor.add_object("layers/dense_1", {"0": KERNEL})
    assert editor.compare(wider)["error_count"] == 1
    editor.add_weights("layers/dense_1", {"1": np.zeros(7)})
    assert editor.compare(wider)["error_count"] == 1
    editor.add_weights("dense_1", {"1": BIAS})
    assert editor.compare(wider) == {"status": "success", "error_count": 0, "match_count": 6}
    editor.save(tmp_path / "wider.weights.h5")
    wider.load_weights(tmp_path / "wider.weights.h5")
    np.testing.assert_array_equal(wider.get_layer("more").kernel, KERNEL)
    np.testing.assert_array_equal(wider.get_layer("more").bias, BIAS)


def test_names_go_with_their_objects(tmp_path):
    model("first", "last").save_weights(tmp_path / "named.weights.h5")
    editor = KerasFileEditor(tmp_path / "named.weights.h5")
    assert editor.object_metadata["layers/dense"] == {"name": "first"}
    editor.rename_object("layers/dense_1", "dense_5")
    editor.delete_object("dense")
    editor.resave_weights(tmp_path / "new.weights.h5")
    again = KerasFileEditor(tmp_path / "new.weights.h5")
    assert list(again.weights_dict["layers"]) == ["dense_5"]
    assert again.object_metadata == {"layers/dense_5": {"name": "last"}}


@pytest.mark.filterwarnings("ignore:__array__")  # Keras's own
def test_keras_reads_what_was_edited_and_the_other_way_round(tmp_path):
    import keras

    def build():
        inputs = keras.Input((3,))
        hidden = keras.layers.Dense(3)(inputs)
        return keras.Model(inputs, keras.layers.Dense(3)(hidden))

    theirs = build()
    theirs.compile("adam", "mse")
    theirs.fit(np.ones((2, 3)), np.ones((2, 3)), verbose=0)
    theirs.save(tmp_path / "theirs.keras")
    editor = KerasFileEditor(tmp_path / "theirs.keras")
    assert editor.metadata["keras_version"] == keras.__version__
    expected = keras.saving.KerasFileEditor(str(tmp_path / "theirs.keras")).weights_dict
    assert expected.keys() == editor.weights_dict.keys()
    for name, value in expected["layers"]["dense"].items():
        np.testing.assert_array_equal(editor.weights_dict["layers"]["dense"][name], value)
    editor.delete_object("optimizer")
    editor.add_weights("dense_1", {"1": BIAS})
    editor.save(tmp_path / "edited.weights.h5")
    plain = build()
    plain.load_weights(tmp_path / "edited.weights.h5")
    np.testing.assert_array_equal(plain.get_weights()[-1], BIAS)
    np.testing.assert_array_equal(plain.get_weights()[0], theirs.get_weights()[0])


def test_weights_of_a_layer_that_holds_layers_and_of_the_model_itself_stay(tmp_path):
    @gazelle.saving.register_keras_serializable("file_editor")
    class Outer(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = layers.Dense(3)

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(3,), initializer="ones", name="scale")
            self.inner.build(input_shape)

        def call(self, x):
            return self.inner(x) * self.scale

    class Own(gazelle.Model):
        def __init__(self):
            super().__init__()
            self.outer = Outer()

        def build(self, input_shape):
            self.shift = self.add_weight(shape=(3,), name="shift")
            self.outer.build(input_shape)

        def call(self, x):
            return self.outer(x) + self.shift

    one, other = Own(), Own()
    for made in (one, other):
        made.build((None, 3))
    one.save_weights(tmp_path / "own.weights.h5")
    editor = KerasFileEditor(tmp_path / "own.weights.h5")
    assert editor.compare(one) == {"status": "success", "error_count": 0, "match_count": 4}
    editor.save(tmp_path / "again.weights.h5")
    other.load_weights(tmp_path / "again.weights.h5")
    for got, expected in zip(other.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_the_summary_names_objects_and_shapes(saved, tmp_path, capsys):
    KerasFileEditor(saved).summary()
    assert "Saved with Keras" in capsys.readouterr().out
    model("first", "last").save_weights(tmp_path / "named.weights.h5")
    KerasFileEditor(tmp_path / "named.weights.h5").summary()
    told = capsys.readouterr().out
    assert "dense_1 ('last')" in told
    assert "0: shape=(3, 3), dtype=float32" in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.rename_object("dense", "a/b"), "leaf name"),
        (lambda e: e.rename_object("dense", "dense_1"), "beside"),
        (lambda e: e.rename_object("absent", "other"), "not found"),
        (lambda e: e.delete_object("layers/absent"), "not found"),
        (lambda e: e.delete_object("layers/dense/0"), "not found"),
        (lambda e: e.add_object("layers/dense", {"0": KERNEL}), "already"),
        (lambda e: e.add_object("absent/dense", {"0": KERNEL}), "not found"),
        (lambda e: e.add_object("layers/dense_2", {"a/b": KERNEL}), "name"),
        (lambda e: e.delete_weight("dense", "5"), "Weight 5 not found"),
    ],
)
def test_what_cannot_be_is_refused(saved, change, message):
    editor = KerasFileEditor(saved)
    with pytest.raises(ValueError, match=message):
        change(editor)
    assert editor.compare(model("first", "last"))["status"] == "success"


@pytest.mark.parametrize("weights", [[KERNEL], {"0": "text"}])
def test_weights_are_arrays_by_name(saved, weights):
    editor = KerasFileEditor(saved)
    with pytest.raises(TypeError):
        editor.add_object("layers/dense_2", weights)
    with pytest.raises(TypeError):
        editor.add_weights("dense", weights)


def test_a_name_that_several_objects_have_needs_a_path(tmp_path):
    inner = model("one")
    outer = gazelle.Sequential([layers.Input((3,)), layers.Dense(3), inner])
    outer.save(tmp_path / "nested.keras")
    editor = KerasFileEditor(tmp_path / "nested.keras")
    with pytest.raises(ValueError, match="more than once"):
        editor.delete_object("dense")
    for path in ["layers/dense", "layers/sequential/layers/dense"]:
        editor.delete_object(path)
    with pytest.raises(ValueError, match="not found"):
        editor.delete_object("dense")


def test_a_gap_is_not_written(saved, tmp_path):
    editor = KerasFileEditor(saved)
    editor.delete_weight("dense", "0")
    with pytest.raises(ValueError, match="gap"):
        editor.save(tmp_path / "gap.weights.h5")
    assert not (tmp_path / "gap.weights.h5").exists()
    for path in ("model.keras", "weights.h5"):
        with pytest.raises(ValueError, match="extension"):
            editor.save(tmp_path / path)


def test_files_are_not_trusted(saved, tmp_path):
    link = tmp_path / "link.weights.h5"
    with h5py.File(link, "w") as file:
        file["layers"] = h5py.ExternalLink("other.h5", "/layers")
    bomb = tmp_path / "bomb.weights.h5"
    with h5py.File(bomb, "w") as file:
        file.create_dataset(
            "vars/0",
            shape=(1 << 28,),
            dtype="float32",
            chunks=(1 << 20,),
            compression="gzip",
            fillvalue=0,
        )
    for path in (link, bomb):
        with pytest.raises(ModelFileError):
            KerasFileEditor(path)
    with pytest.raises(ModelFileError, match="max_bytes"):
        KerasFileEditor(saved, max_bytes=10)
    with pytest.raises(ValueError, match="extension"):
        KerasFileEditor(tmp_path / "model.h5")
