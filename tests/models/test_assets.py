"""Layers that write and read files of their own: `save_assets` and `load_assets`."""

import json
import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

import gazelle
from gazelle.errors import ArgumentError, CheckWarning, ModelFileError, StateError

X = np.ones((2, 3), "float32")


def classes_of(library):
    """A layer with assets, and a model that has two of them, as classes of a library."""

    class Words(library.layers.Layer):
        def __init__(self, units=2, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.words = []
            self.dense = library.layers.Dense(units)

        def build(self, shape):
            self.dense.build(shape)
            self.built = True

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

        def save_assets(self, folder):
            Path(folder, "words.txt").write_text("\n".join(self.words))
            Path(folder, "more").mkdir()
            Path(folder, "more", "length.json").write_text(json.dumps(len(self.words)))

        def load_assets(self, folder):
            words = Path(folder, "words.txt").read_text()
            self.words = words.split("\n")
            assert json.loads(Path(folder, "more", "length.json").read_text()) == len(self.words)

    return {"Words": Words}


def made(library, classes):
    model = library.Sequential(
        [
            library.layers.Input((3,)),
            classes["Words"](name="first"),
            library.Sequential([library.layers.Input((2,)), classes["Words"](name="second")]),
        ]
    )
    model.layers[-2].words = ["a", "b"]
    model.layers[-1].layers[-1].words = ["ü", "x y"]
    return model


def words_of(model):
    return model.layers[-2].words, model.layers[-1].layers[-1].words


@pytest.mark.parametrize("name", ["m.keras", "folder"])
def test_they_come_back(tmp_path, name):
    classes = classes_of(gazelle)
    model = made(gazelle, classes)
    model.save(tmp_path / name, zipped=name.endswith(".keras"))
    loaded = gazelle.models.load_model(tmp_path / name, custom_objects=classes)
    assert words_of(loaded) == (["a", "b"], ["ü", "x y"])
    assert np.array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
@pytest.mark.parametrize("way", ["from keras", "to keras"])
def test_they_are_those_of_keras(tmp_path, way):
    import keras

    writer, reader = (keras, gazelle) if way == "from keras" else (gazelle, keras)
    model = made(writer, classes_of(writer))
    model.save(tmp_path / "m.keras")
    loaded = reader.models.load_model(tmp_path / "m.keras", custom_objects=classes_of(reader))
    assert words_of(loaded) == (["a", "b"], ["ü", "x y"])


def test_the_same_assets_give_the_same_bytes(tmp_path):
    model = made(gazelle, classes_of(gazelle))
    for name in ("a.keras", "b.keras"):
        model.save(tmp_path / name)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def changed(path, change):
    """Write an archive again with other contents, and right CRCs."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    change(contents)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("digests", [True, False])
def test_an_asset_that_was_changed_is_refused_if_the_file_has_digests(tmp_path, digests):
    classes = classes_of(gazelle)
    made(gazelle, classes).save(tmp_path / "m.keras")

    def change(contents):
        contents["assets/layers/words/words.txt"] = b"evil\nwords"
        if not digests:
            metadata = json.loads(contents["metadata.json"])
            del metadata["assets_sha256"]
            contents["metadata.json"] = json.dumps(metadata).encode()

    changed(tmp_path / "m.keras", change)
    if digests:
        with pytest.raises(ModelFileError, match="asset-checksum"):
            gazelle.models.load_model(tmp_path / "m.keras", custom_objects=classes)
    else:
        loaded = gazelle.models.load_model(tmp_path / "m.keras", custom_objects=classes)
        assert words_of(loaded)[0] == ["evil", "words"]


def test_a_link_among_the_assets_of_a_folder_is_refused(tmp_path):
    classes = classes_of(gazelle)
    made(gazelle, classes).save(tmp_path / "folder", zipped=False)
    (tmp_path / "secret").write_text("s")
    os.symlink(tmp_path / "secret", tmp_path / "folder" / "assets" / "layers" / "words" / "link")
    with pytest.raises(ModelFileError, match="a link"):
        gazelle.models.load_model(tmp_path / "folder", custom_objects=classes)


def test_a_name_that_could_not_be_read_is_refused(tmp_path):
    class Odd(classes_of(gazelle)["Words"]):
        def save_assets(self, folder):
            Path(folder, "a:b").write_text("")

    model = gazelle.Sequential([gazelle.Input((3,)), Odd()])
    with pytest.raises(ArgumentError, match="a:b"):
        model.save(tmp_path / "m.keras")
    assert os.listdir(tmp_path) == []


def test_both_methods_are_needed(tmp_path):
    class Half(gazelle.layers.Layer):
        def call(self, x):
            return x

        def save_assets(self, folder):
            pass

    model = gazelle.Sequential([gazelle.Input((3,)), Half()])
    with pytest.raises(StateError, match="does not define load_assets"):
        model.save(tmp_path / "m.keras")


@pytest.mark.parametrize("name", ["m.weights.h5", "m.h5"])
def test_files_without_room_for_assets_say_so(tmp_path, name):
    model = made(gazelle, classes_of(gazelle))
    save = model.save_weights if "weights" in name else model.save
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*old format of Keras")
        with pytest.warns(CheckWarning, match="without the assets of first, second"):
            save(tmp_path / name)


def test_a_list_that_contains_itself(tmp_path):
    @gazelle.saving.register_keras_serializable(package="test_assets")
    class Cyclic(gazelle.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.blocks = [gazelle.layers.Dense(2)]
            self.blocks.append(self.blocks)

        def call(self, x):
            return self.blocks[0](x)

    model = Cyclic()
    expected = model.predict(X)
    model.save(tmp_path / "m.keras")
    assert np.array_equal(gazelle.models.load_model(tmp_path / "m.keras").predict(X), expected)
