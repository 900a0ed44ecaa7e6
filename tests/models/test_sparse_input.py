"""Sparse matrices as inputs: the same numbers as dense ones, and never dense as a whole."""

import numpy as np
import pytest
import scipy.sparse
from jax.experimental.sparse import BCOO

import gazelle
from gazelle import layers
from gazelle._data import sparse_rows
from gazelle._data.feeds import ArrayFeed
from gazelle._data.windows import on_device
from gazelle.errors import DataError, ShapeError

ROWS, COLUMNS = 230, 300
DENSE = 3 * scipy.sparse.random(ROWS, COLUMNS, 0.01, random_state=0).toarray()
DENSE[3] = 0  # a row without a value
X = scipy.sparse.csr_matrix(DENSE)
Y = (DENSE.sum(axis=1) > DENSE.sum(axis=1).mean()).astype(np.int32)
FORMS = {
    "csr": X,
    "csr array": scipy.sparse.csr_array(X),
    "csc": X.tocsc(),
    "coo": X.tocoo(),
    "lil": X.tolil(),
    "BCOO": BCOO.from_scipy_sparse(X.tocoo()),
    "BCOO, batched": BCOO.fromdense(DENSE.astype("float32"), n_batch=1),
}


class OneAtATime(gazelle.utils.PyDataset):
    """The rows of X in batches."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        rows = slice(index * 32, index * 32 + 32)
        return X[rows], Y[rows]


def made(first=(), **input_arguments):
    gazelle.utils.set_random_seed(4)
    model = gazelle.Sequential(
        [
            layers.Input((COLUMNS,), **input_arguments),
            *first,
            layers.Dense(8, "relu"),
            layers.Dense(2, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def history_of(model, x, y=Y, **options):
    gazelle.utils.set_random_seed(8)
    return model.fit(x, y, epochs=3, verbose=0, **options).history


def agree(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_trains_like_the_dense_matrix(form):
    options = {"batch_size": 32, "validation_split": 0.2, "class_weight": {0: 1.0, 1: 2.0}}
    dense, sparse = made(), made(sparse=True)
    agree(history_of(dense, DENSE, **options), history_of(sparse, FORMS[form], **options))
    x = FORMS[form]
    np.testing.assert_allclose(dense.predict(DENSE), sparse.predict(x), rtol=1e-4, atol=1e-5)
    expected = dense.evaluate(DENSE, Y, batch_size=50, verbose=0)
    np.testing.assert_allclose(sparse.evaluate(x, Y, batch_size=50, verbose=0), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": False},
        {"shuffle": "batch", "batch_size": 7},
        {"batch_size": 500},
        {"steps_per_epoch": 3},
        {"batch_size": 64, "validation_data": (X[:40], Y[:40]), "validation_batch_size": 9},
    ],
    ids=str,
)
def test_every_way_through_the_data(options):
    dense, sparse = made(), made()
    validation = {}
    if "validation_data" in options:
        validation = {"validation_data": (DENSE[:40], Y[:40])}
    agree(history_of(dense, DENSE, **options | validation), history_of(sparse, X, **options))


def test_streams_and_single_batches():
    dense, sparse = made(), made()
    expected = history_of(dense, DENSE, batch_size=32, shuffle=False)
    gazelle.utils.set_random_seed(8)
    found = sparse.fit(OneAtATime(), epochs=3, verbose=0, shuffle=False).history
    agree(expected, found)
    np.testing.assert_allclose(sparse.predict(OneAtATime()), dense.predict(DENSE), rtol=1e-4)
    first = slice(0, 20)
    for name in ("train_on_batch", "test_on_batch"):
        found = getattr(sparse, name)(X[first], Y[first])
        expected = getattr(dense, name)(DENSE[first], Y[first])
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_allclose(sparse.predict_on_batch(X[first]), sparse(X[first]), rtol=1e-5)
    np.testing.assert_allclose(sparse(X[first]), sparse(DENSE[first]), rtol=1e-4, atol=1e-6)


def test_a_batch_with_far_more_values_than_the_others():
    x = X.tolil()
    x[5], x[200] = 1.0, 0.5  # full rows
    x = x.tocsr()
    options = {"batch_size": 16, "validation_split": 0.1}
    agree(history_of(made(), x.toarray(), **options), history_of(made(), x, **options))


@pytest.mark.parametrize("kind", ["deferred", "subclassed", "eager", "bfloat16", "own step"])
def test_every_kind_of_model(kind):
    class Small(gazelle.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.head = layers.Dense(8, "relu"), layers.Dense(2, "softmax")

        def call(self, x):
            return self.head(self.hidden(x))

    class OwnStep(Small):
        def train_step(self, state, data):
            return super().train_step(state, data)

    def model():
        gazelle.utils.set_random_seed(4)
        hidden = layers.Dense(8, "relu", dtype="mixed_bfloat16" if kind == "bfloat16" else None)
        plain = gazelle.Sequential([hidden, layers.Dense(2, "softmax", dtype="float32")])
        made = {"subclassed": Small, "own step": OwnStep}.get(kind, lambda: plain)()
        made.compile("adam", "sparse_categorical_crossentropy", run_eagerly=kind == "eager")
        return made

    expected, found = history_of(model(), DENSE), history_of(model(), X)
    rounding = 0.02 if kind == "bfloat16" else 2e-4
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=rounding)


def test_sparse_and_dense_inputs_by_name():
    numbers = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")

    def model():
        gazelle.utils.set_random_seed(4)
        words, others = gazelle.Input((COLUMNS,), name="words"), gazelle.Input((4,), name="others")
        joined = layers.Concatenate()([layers.Dense(8)(words), others])
        made = gazelle.Model([words, others], layers.Dense(2, "softmax")(joined))
        made.compile("adam", "sparse_categorical_crossentropy")
        return made

    expected = history_of(model(), {"words": DENSE, "others": numbers})
    agree(expected, history_of(model(), {"words": X, "others": numbers}))


@gazelle.saving.register_keras_serializable(package="sparse_input")
class Doubled(layers.Layer):
    """Keeps what it was given."""

    def call(self, inputs):
        self.seen = type(inputs).__name__
        return inputs * 2.0


def test_a_users_layer_gets_what_the_input_says():
    for sparse, seen in ((True, "BCOO"), (False, "DynamicJaxprTracer")):
        own = Doubled()
        model = made([own], sparse=sparse)
        history_of(model, X)
        assert own.seen == seen


def test_layers_of_dense_arrays_get_dense_batches():
    first = lambda: [layers.BatchNormalization(), layers.Dropout(0.1, seed=1)]  # noqa: E731
    agree(history_of(made(first()), DENSE), history_of(made(first()), X))


def test_the_data_is_never_dense_as_a_whole(monkeypatch):
    wide = scipy.sparse.random(400, 50_000, 0.0005, format="csr", random_state=1)
    to_dense = type(wide).toarray

    def of_few_rows(matrix):
        assert matrix.shape[0] <= 21
        return to_dense(matrix)

    monkeypatch.setattr(type(wide), "toarray", of_few_rows)
    monkeypatch.setattr(type(wide), "todense", None)
    model = gazelle.Sequential([layers.Dense(4), layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    labels = np.arange(400) % 2
    model.fit(wide, labels, batch_size=20, verbose=0, validation_split=0.25)
    assert model.predict(wide).shape == (400, 2)

    feed = ArrayFeed(wide, labels, batch_size=20, shuffle=True)
    assert np.shares_memory(feed.x.matrix.data, wide.data)  # taken in place
    training, _ = feed.split(0.25)
    assert np.shares_memory(training.x.matrix.data, wide.data)
    window = on_device(feed)
    window.begin(feed.order())
    room = window.piece(0).data[0]
    assert room.values.nbytes + room.places.nbytes < 4 * (wide.data.nbytes + wide.indices.nbytes)


def test_later_passes_seldom_need_more_room():
    feed = ArrayFeed(X, Y, batch_size=16, shuffle=True)
    sizes = {feed.x.slots(feed.order(), 16) for _ in range(50)}
    assert len(sizes) <= 4  # each new size compiles the epoch once more


def test_steps_from_nonzeros_compute_the_gradient():
    import jax
    import jax.numpy as jnp

    from gazelle._core.sparse import matmul

    kernel = np.random.default_rng(0).normal(size=(COLUMNS, 5)).astype("float32")
    x = FORMS["BCOO"]
    padded = BCOO(
        (
            jnp.concatenate([x.data, jnp.full(3, 7.0)]),
            jnp.concatenate([x.indices, jnp.full((3, 2), 10_000)]),  # outside: JAX's padding
        ),
        shape=x.shape,
    )
    dense = DENSE.astype("float32")
    for given in (x, padded):
        found = jax.value_and_grad(lambda k, x=given: (matmul(x, k) ** 2).sum())(kernel)
        expected = jax.value_and_grad(lambda k: ((dense @ k) ** 2).sum())(kernel)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_files_and_configs_keep_sparse(tmp_path):
    model = made(sparse=True)
    history_of(model, X)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = gazelle.saving.load_model(path)
    assert loaded.inputs[0].sparse
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    found = gazelle.runtime.load(path)(X[:9])
    np.testing.assert_allclose(found, model.predict(X[:9]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "error", "words"),
    [
        (X[:, :9], Y, ShapeError, "expected shape=(None, 300)"),
        (X[:-1], Y, ShapeError, "different numbers of samples"),
        (X[:0], Y[:0], DataError, "x is empty"),
        (X.astype(complex), Y, DataError, "does not hold real numbers"),
        (X, X, TypeError, "y is a sparse matrix"),
        (X * np.inf, Y, DataError, "NaN or infinite"),
        (X * 1e300, Y, DataError, "number that float32 cannot hold"),
        (BCOO.fromdense(np.ones((2, 3, 4))), Y[:2], ShapeError, "expected: two axes"),
    ],
    ids=["columns", "rows", "empty", "complex", "targets", "infinite", "large", "axes"],
)
def test_bad_sparse_data_is_refused(x, y, error, words):
    with pytest.raises(error) as caught:
        made().fit(x, y, verbose=0)
    assert words in str(caught.value)


def test_the_place_of_a_bad_value_is_named():
    bad = X.copy()
    bad.data[7] = np.nan
    row, column = np.argwhere(np.isnan(bad.toarray()))[0]
    with pytest.raises(DataError, match=f"nan at row {row}, column {column}"):
        made().fit(bad, Y, verbose=0)


def test_rows_are_recognized_again():
    model = made()
    model.fit(X, Y, verbose=0)
    sample = model.history.fits[-1].sample
    assert len(sample) == 128
    model.fit(DENSE, Y, verbose=0)
    assert model.history.fits[-1].sample == sample


def test_rounded_numbers_of_slots():
    rounded = [sparse_rows._rounded(n) for n in (0, 1, 15, 16, 17, 1000, 1025)]
    assert rounded == [1, 1, 15, 16, 18, 1024, 1152]
