"""Files of any name, as scripts save and load them."""

import numpy as np
import pytest

pytestmark = [
    pytest.mark.filterwarnings("ignore::gazelle.compat.OldFormWarning"),
    pytest.mark.filterwarnings("ignore:.*old format of Keras"),
]
X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def small():
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential([Dense(4, input_dim=3, activation="relu"), Dense(2)])
    model.compile("adam", "mse")
    model.fit(X, np.ones((5, 2)), epochs=1, verbose=0)
    return model


@pytest.mark.parametrize("name", ["m.h5", "m.hdf5", "m.keras", "m", "m.model", "sub/folder/m"])
def test_whole_models(installed, tmp_path, name):
    from keras.models import load_model

    model, path = small(), str(tmp_path / name)
    model.save(path)
    again = load_model(path)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert int(again.optimizer.iterations) == 1


@pytest.mark.parametrize("name", ["w.h5", "w.hdf5", "w.weights.h5", "ckpt", "cp-0001.ckpt"])
def test_weights(installed, tmp_path, name):
    model, other, path = small(), small(), str(tmp_path / name)
    model.save_weights(path)
    other.load_weights(path).expect_partial()
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_weights_by_name(installed, tmp_path):
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential([Dense(4, input_dim=3, name="kept"), Dense(2, name="left")])
    path = str(tmp_path / "w.h5")
    model.save_weights(path)
    other = Sequential([Dense(4, input_dim=3, name="kept"), Dense(5, name="new")])
    other.load_weights(path, by_name=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_open_files_of_h5py(installed, tmp_path, monkeypatch):
    import h5py
    from keras.models import load_model, save_model

    monkeypatch.chdir(tmp_path)
    model = small()
    with h5py.File(tmp_path / "m.h5", "w") as file:
        save_model(model, file)
    assert [p.name for p in tmp_path.iterdir()] == ["m.h5"]
    with h5py.File(tmp_path / "m.h5", "r") as file:
        again = load_model(file)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_yaml(installed):
    from keras.models import model_from_config, model_from_yaml

    model = small()
    again = model_from_yaml(model.to_yaml())
    assert [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]
    assert model_from_config(model.get_config()).output_shape == (None, 2)


@pytest.mark.parametrize("kind", ["Highway", "MaxoutDense"])
@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_layers_of_keras_1(installed, tmp_path, kind, name):
    from keras import layers
    from keras.models import Sequential, load_model

    options = {"output_dim": 4} if kind == "MaxoutDense" else {}
    model = Sequential([getattr(layers, kind)(input_dim=3, W_regularizer="l2", **options)])
    model.compile("sgd", "mse")
    model.save(str(tmp_path / name))
    again = load_model(str(tmp_path / name))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
