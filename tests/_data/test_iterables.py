"""Data of other libraries: stand-ins with their protocols, and torch where it is installed."""

import numpy as np
import pytest

import gazelle
from gazelle import layers

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Tensor:
    """An array of another library."""

    def __init__(self, array):
        self.array = array
        self.shape = array.shape
        self.dtype = "other.float32"

    def __array__(self, dtype=None, copy=None):
        return self.array


class Loader:
    """As torch's DataLoader: it knows its length, and every pass begins anew."""

    def __init__(self, form):
        self.form = form

    def __len__(self):
        return 3

    def __iter__(self):
        for i in range(0, 12, 4):
            yield self.form(Tensor(X[i : i + 4]), Tensor(Y[i : i + 4]))


class OfUnknownLength(Loader):
    """As a data set of tf.data after a filter."""

    def __len__(self):
        raise TypeError("The data set's length is unknown.")


class Iterable(Loader):
    """As Grain's IterDataset: without a length."""

    __len__ = None  # type: ignore[assignment]


FORMS = {
    "tuple": lambda x, y: (x, y),
    "list": lambda x, y: [x, y],
    "list of inputs": lambda x, y: ([x], y),
    "dict": lambda x, y: ({"x": x}, y),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [Loader, OfUnknownLength, Iterable])
def test_batches_train_like_arrays(kind, form):
    def made():
        gazelle.utils.set_random_seed(0)
        x = gazelle.Input((3,), name="x")
        y = layers.Dense(1)(x)
        model = gazelle.Model({"x": x} if form == "dict" else x, y)
        model.compile("sgd", "mse")
        return model

    data = kind(FORMS[form])
    streamed, whole = made(), made()
    history = streamed.fit(data, epochs=2, verbose=0, validation_data=data)
    x = {"x": X} if form == "dict" else X
    expected = whole.fit(x, Y, 4, 2, verbose=0, shuffle=False, validation_data=(x, Y))
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(history.history[name], expected.history[name], rtol=1e-5)
    assert streamed.predict(data).shape == (12, 1)
    assert streamed.evaluate(data, verbose=0) == pytest.approx(history.history["val_loss"][-1])


def test_a_data_loader_of_torch():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = torch.utils.data.DataLoader(data, batch_size=4)
    model = gazelle.Sequential([gazelle.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(loader, epochs=2, verbose=0, validation_data=loader)
    assert int(model.optimizer.iterations) == 6
