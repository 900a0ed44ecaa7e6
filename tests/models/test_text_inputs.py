"""Models that take text: what runs on the host, how often, and that nothing else changes."""

import numpy as np
import pandas
import pytest

import gazelle
from gazelle import Input, Model, layers, ops
from gazelle.errors import ArgumentError, DataError, ShapeError
from gazelle.layers._preprocessing.host import HostLayer

RANDOM = np.random.default_rng(0)
COLOURS = np.array(["red", "green", "blue", "black"], object)[RANDOM.integers(0, 4, 120)]
NUMBERS = RANDOM.normal(size=(120, 2)).astype("float32")
Y = np.isin(COLOURS, ["red", "blue"]).astype("int32")
TEXTS = np.array(
    [f"I {'love' if y else 'hate'} {colour}!" for y, colour in zip(Y, COLOURS, strict=True)], object
)


def lookup(**options):
    layer = layers.StringLookup(**options)
    layer.adapt(COLOURS)
    return layer


def embedded(**compiled):
    gazelle.utils.set_random_seed(0)
    words = lookup()
    colour = gazelle.Input((1,), dtype="string", name="colour")
    hidden = layers.Flatten()(layers.Embedding(words.vocabulary_size(), 4)(words(colour)))
    model = gazelle.Model(colour, layers.Dense(1, "sigmoid")(hidden))
    model.compile(
        gazelle.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"], **compiled
    )
    return model


def of_indices():
    """The same model behind the lookup, and its input."""
    gazelle.utils.set_random_seed(0)
    model = gazelle.Sequential(
        [gazelle.Input((1,), dtype="int32"), layers.Embedding(5, 4), layers.Flatten()]
    )
    model.add(layers.Dense(1, "sigmoid"))
    model.compile(gazelle.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model, np.asarray(lookup()(COLOURS))[:, None]


@pytest.mark.parametrize(
    "options",
    [
        {"validation_split": 0.25, "batch_size": 16},
        {"class_weight": {0: 1.0, 1: 2.0}, "shuffle": False},
        {"sample_weight": np.linspace(0, 1, 120), "steps_per_epoch": 3},
    ],
    ids=["validation", "class weights", "sample weights"],
)
def test_text_trains_like_its_indices(options):
    model, indices = of_indices()
    gazelle.utils.set_random_seed(1)
    expected = model.fit(indices, Y, epochs=4, verbose=0, **options).history
    text = embedded()
    gazelle.utils.set_random_seed(1)
    found = text.fit(COLOURS, Y, epochs=4, verbose=0, **options).history
    assert found == expected
    np.testing.assert_array_equal(text.predict(COLOURS), model.predict(indices))
    assert text.evaluate(COLOURS, Y, verbose=0) == model.evaluate(indices, Y, verbose=0)


FORMS = {
    "object": COLOURS,
    "str": COLOURS.astype(str),
    "bytes": COLOURS.astype("S"),
    "column": COLOURS[:, None],
    "list": COLOURS.tolist(),
    "series": pandas.Series(COLOURS),
    "string series": pandas.Series(COLOURS, dtype="string"),
    "dict": {"colour": COLOURS},
    "list of one": [COLOURS],
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_text(form):
    model = embedded()
    expected = model.predict(COLOURS)
    np.testing.assert_array_equal(model.predict(FORMS[form]), expected)
    model.fit(FORMS[form], Y, verbose=0)


def test_every_call_of_a_model():
    model = embedded()
    model.fit(COLOURS, Y, epochs=2, verbose=0, validation_data=(COLOURS, Y))
    expected = model.predict(COLOURS)
    np.testing.assert_allclose(model(COLOURS), expected, rtol=1e-5)
    np.testing.assert_allclose(model.predict_on_batch(COLOURS[:3]), expected[:3], rtol=1e-5)
    one, other = model.test_on_batch(COLOURS, Y), model.evaluate(COLOURS, Y, verbose=0)
    np.testing.assert_allclose(one, other, rtol=1e-5)
    model.train_on_batch(COLOURS[:8], Y[:8])
    model.run_eagerly = True
    model.fit(COLOURS, Y, verbose=0)


def test_streams_of_text():
    class Colours(gazelle.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            rows = slice(30 * index, 30 * index + 30)
            return COLOURS[rows], Y[rows]

    expected = embedded().fit(COLOURS, Y, batch_size=30, shuffle=False, epochs=2, verbose=0)
    found = embedded().fit(Colours(), shuffle=False, epochs=2, verbose=0)
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-5)
    batches = (Colours()[i % 4] for i in range(8))
    found = embedded().fit(batches, steps_per_epoch=4, epochs=2, verbose=0)
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-5)


def test_the_host_works_once_per_call_and_not_per_batch(monkeypatch):
    model = embedded()
    rows = []
    compute = layers.StringLookup.compute

    def counted(layer, inputs):
        rows.append(len(inputs))
        return compute(layer, inputs)

    monkeypatch.setattr(layers.StringLookup, "compute", counted)
    model.fit(COLOURS, Y, batch_size=8, epochs=5, verbose=0, validation_data=(COLOURS[:9], Y[:9]))
    assert rows == [120, 9]


def test_text_beside_numbers():
    colour, numbers = (
        gazelle.Input((1,), dtype="string", name="colour"),
        gazelle.Input((2,), name="n"),
    )
    joined = layers.Concatenate()([lookup(output_mode="one_hot")(colour), numbers])
    model = gazelle.Model({"colour": colour, "n": numbers}, layers.Dense(1)(joined))
    model.compile("sgd", "mse")
    model.fit({"colour": COLOURS, "n": NUMBERS}, Y, epochs=2, verbose=0)
    kernel, bias = map(np.asarray, model.layers[-1].weights)
    one_hot = np.asarray(lookup(output_mode="one_hot")(COLOURS[:, None]))
    expected = np.concatenate([one_hot, NUMBERS], axis=1) @ kernel + bias
    found = model.predict({"n": NUMBERS, "colour": COLOURS})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    border = model.graph_on_host.host.border
    assert len(border) == 2
    assert border[0].name == "n"


def test_a_layer_of_numbers_in_front_of_one_of_the_host():
    number, text = gazelle.Input((1,)), gazelle.Input((1,), dtype="string")
    bins = layers.Discretization(bin_boundaries=[0.0])(number)
    crossed = layers.HashedCrossing(10, output_mode="one_hot")((bins, text))
    model = gazelle.Model([number, text], crossed)
    expected = layers.HashedCrossing(10, output_mode="one_hot")(
        ((NUMBERS[:, :1] >= 0).astype("int32"), COLOURS[:, None])
    )
    np.testing.assert_array_equal(model.predict([NUMBERS[:, :1], COLOURS]), expected)


def test_models_within_models_and_files(tmp_path):
    inner = embedded()
    inner.fit(COLOURS, Y, epochs=3, verbose=0)
    doubled = gazelle.Sequential(
        [gazelle.Input((1,), dtype="string"), inner, layers.Rescaling(2.0)]
    )
    expected = 2 * inner.predict(COLOURS)
    np.testing.assert_allclose(doubled.predict(COLOURS), expected, rtol=1e-5)
    np.testing.assert_allclose(doubled(COLOURS), expected, rtol=1e-5)
    path = tmp_path / "doubled.keras"
    doubled.save(path)
    loaded = gazelle.saving.load_model(path)
    np.testing.assert_allclose(loaded.predict(COLOURS), expected, rtol=1e-5)
    assert loaded.inputs[0].dtype == "string"


@pytest.mark.parametrize("mode", ["multi_hot", "tf_idf", "int"])
def test_texts_in_a_sequential_model(tmp_path, mode):
    vectorize = layers.TextVectorization(
        output_mode=mode, output_sequence_length=3 if mode == "int" else None
    )
    vectorize.adapt(TEXTS)
    first = [layers.Embedding(vectorize.vocabulary_size(), 4), layers.Flatten()] * (mode == "int")
    gazelle.utils.set_random_seed(2)
    model = gazelle.Sequential(
        [vectorize, *first, layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")]
    )
    model.compile(gazelle.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(TEXTS, Y, epochs=15, verbose=0).history
    assert history["accuracy"][-1] == 1.0
    found = model.predict(["I love it", "I hate it"]).ravel()
    assert found[0] > 0.5 > found[1]
    path = tmp_path / "texts.keras"
    model.save(path)
    loaded = gazelle.saving.load_model(path)
    np.testing.assert_array_equal(loaded.predict(TEXTS), model.predict(TEXTS))
    loaded.fit(TEXTS, Y, verbose=0)


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        (layers.StringLookup, b"\xff\xfe\x00", "not text"),
        (layers.StringLookup, b"[UNK]\nred\nred", "repeated"),
        (layers.IntegerLookup, b"-1\nred", "damaged"),
        (layers.TextVectorization, None, "no vocabulary"),
    ],
)
def test_a_damaged_vocabulary_is_refused(tmp_path, kind, content, words):
    if content is not None:
        (tmp_path / "vocabulary.txt").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        kind().load_assets(tmp_path)


class Own(gazelle.Model):
    """Calls a layer of text itself."""

    def __init__(self):
        super().__init__()
        self.words, self.head = lookup(), layers.Dense(1)

    def call(self, x):
        return self.head(self.words(x))


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        (
            lambda: embedded().predict(np.array(["red", None], object)),
            DataError,
            "None at position 1",
        ),
        (lambda: embedded().predict(np.array([1, 2])), DataError, "not text"),
        (lambda: embedded().predict(np.array([["red", "blue"]])), ShapeError, "another shape"),
        (lambda: layers.Dense(2)(gazelle.Input((1,), dtype="string")), TypeError, "got text"),
        (lambda: embedded().export("model.onnx"), ArgumentError, "cannot be exported"),
    ],
    ids=["missing", "numbers", "columns", "dense", "onnx"],
)
def test_what_is_refused(action, error, words):
    with pytest.raises(error, match=words):
        action()


def test_a_model_of_the_users_own_is_told_what_to_do():
    model = Own()
    model.compile("sgd", "mse")
    with pytest.raises(DataError, match="StringLookup or TextVectorization as the first"):
        model.fit(COLOURS, Y, verbose=0)
    numbers = gazelle.Sequential([gazelle.Input((1,), dtype="int32"), layers.Rescaling(1.0)])
    numbers.add(layers.Dense(1))
    trained = numbers.outputs[0]
    with pytest.raises(ArgumentError, match="is trained, and a layer behind it computes"):
        gazelle.Model(numbers.inputs, layers.IntegerLookup(vocabulary=[1])(trained))


def test_models_without_text_have_no_part_on_the_host():
    model, _ = of_indices()
    assert model.graph_on_host is None
    assert not any(isinstance(layer, HostLayer) for layer in model.layers)


def test_operations_that_move_elements_take_text(tmp_path):
    a, pair = Input((), dtype="string", name="a"), Input((2,), dtype="string", name="pair")
    rows = {
        "a": np.array(["x", "y", "x"]),
        "pair": np.array([["x", "y"], ["y", "x"], ["z", "y"]], object),
    }
    all_three = ops.concatenate([pair, ops.expand_dims(a, -1)], axis=1)
    lookup = layers.StringLookup(vocabulary=["x", "y"])
    moved = {
        "joined": lookup(all_three),
        "turned": lookup(ops.transpose(all_three)[::-1]),
        "last": lookup(pair[:, 1]),
    }
    model = Model({"a": a, "pair": pair}, moved)
    found = model(rows)
    joined = np.concatenate([rows["pair"], rows["a"][:, None]], axis=1)
    np.testing.assert_array_equal(found["joined"], lookup(joined))
    np.testing.assert_array_equal(found["turned"], lookup(joined.T[::-1]))
    np.testing.assert_array_equal(found["last"], lookup(rows["pair"][:, 1]))
    model.save(tmp_path / "m.keras")
    again = gazelle.models.load_model(tmp_path / "m.keras")(rows)
    np.testing.assert_array_equal(again["joined"], found["joined"])
    for compute in (lambda: a + a, lambda: ops.mean(a), lambda: ops.equal(a, a)):
        with pytest.raises(TypeError, match="does not compute from text"):
            compute()
