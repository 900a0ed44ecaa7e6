"""Lookups, hashes and TextVectorization; the expected values are those of Keras on TensorFlow."""

import json

import numpy as np
import pytest

import gazelle
from gazelle import layers
from gazelle.errors import ArgumentError, StateError

WORDS = ["a", "b", "c"]
X = np.array([["a", "c"], ["z", "b"]])


def again(layer):
    return gazelle.layers.deserialize(json.loads(json.dumps(gazelle.layers.serialize(layer))))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("int", [[1, 3], [0, 2]]),
        ("one_hot", [[[0, 1, 0, 0], [0, 0, 0, 1]], [[1, 0, 0, 0], [0, 0, 1, 0]]]),
        ("multi_hot", [[0, 1, 0, 1], [1, 0, 1, 0]]),
        ("count", [[0, 1, 0, 1], [1, 0, 1, 0]]),
        ("tf_idf", [[0, 0.1, 0, 0.3], [0.2, 0, 0.2, 0]]),
    ],
)
def test_modes_of_a_lookup(mode, expected):
    idf = [0.1, 0.2, 0.3] if mode == "tf_idf" else None
    layer = layers.StringLookup(vocabulary=WORDS, output_mode=mode, idf_weights=idf)
    np.testing.assert_allclose(layer(X), expected, rtol=1e-6)
    np.testing.assert_allclose(again(layer)(X), expected, rtol=1e-6)
    spec = layer(gazelle.Input((2,), dtype="string"))
    assert spec.shape == (None, *np.shape(expected)[1:])


@pytest.mark.parametrize(
    "form", [X, X.astype(object), X.astype("S"), X.tolist(), X.astype(object).T.T]
)
def test_forms_of_text(form):
    np.testing.assert_array_equal(layers.StringLookup(vocabulary=WORDS)(form), [[1, 3], [0, 2]])


def test_special_tokens():
    layer = layers.StringLookup(vocabulary=WORDS, mask_token="", num_oov_indices=2)
    assert layer.get_vocabulary() == ["", "[UNK]", "[UNK]", *WORDS]
    assert layer.get_vocabulary(include_special_tokens=False) == WORDS
    assert layer.vocabulary_size() == 6
    found = np.asarray(layer(["", "a", "y", "z"]))
    assert found[:2].tolist() == [0, 3]
    assert set(found[2:].tolist()) <= {1, 2}
    back = layers.StringLookup(
        vocabulary=layer.get_vocabulary(), mask_token="", num_oov_indices=2, invert=True
    )
    assert back([0, 3, 99]).tolist() == ["", "a", "[UNK]"]


def test_unknown_numbers_are_divided():
    layer = layers.IntegerLookup(num_oov_indices=3, vocabulary=[10, 11])
    assert np.asarray(layer([1, 2, 3, -4, 10])).tolist() == [1, 2, 0, 2, 3]
    hashed = layers.IntegerLookup(num_oov_indices=3, vocabulary=[10], oov_method="farmhash")
    expected = layers.Hashing(3)([1, 2, 3])
    np.testing.assert_array_equal(hashed([1, 2, 3]), expected)


def test_adapt_sorts_by_count_and_then_backwards():
    layer = layers.StringLookup()
    layer.adapt(["b", "a", "c", "b", "d", "a"])
    assert layer.get_vocabulary() == ["[UNK]", "b", "a", "d", "c"]
    layer = layers.StringLookup(max_tokens=3)
    layer.adapt([["b", "a"], ["b", "c"]])
    assert layer.get_vocabulary() == ["[UNK]", "b", "c"]
    layer.adapt(np.array(batch) for batch in (["x", "y"], ["y"]))
    assert layer.get_vocabulary() == ["[UNK]", "y", "x"]


def test_idf_of_documents():
    layer = layers.StringLookup(output_mode="tf_idf")
    layer.adapt([["a", "b"], ["a", "a"], ["c", "a"]])
    idf = np.log(1 + 3 / (1 + np.array([3, 1, 1])))  # a, c, b
    np.testing.assert_allclose(layer.idf_weights, [idf.mean(), *idf], rtol=1e-6)
    np.testing.assert_allclose(layer([["a", "a"]]), [[0, 2 * idf[0], 0, 0]], rtol=1e-6)


def test_texts_as_indices_and_vectors():
    layer = layers.TextVectorization()
    layer.adapt(["The cat sat.", "the dog! É é"])
    assert layer.get_vocabulary() == ["", "[UNK]", "the", "é", "É", "sat", "dog", "cat"]
    np.testing.assert_array_equal(layer(["the É", "cat dog the"]), [[2, 4, 0], [7, 6, 2]])
    cut = layers.TextVectorization(vocabulary=["x"], output_sequence_length=2)
    np.testing.assert_array_equal(cut([["x y x"], [""]]), [[2, 1], [0, 0]])
    grams = layers.TextVectorization(vocabulary=["a", "b", "a b"], ngrams=2, output_mode="count")
    np.testing.assert_array_equal(grams(["a b c"]), [[2, 1, 1, 1]])
    letters = layers.TextVectorization(vocabulary=["n"], split="character", standardize=None)
    np.testing.assert_array_equal(letters(["no"]), [[2, 1]])


@gazelle.saving.register_keras_serializable(package="preprocessing_text")
def without_tags(texts):
    return np.char.replace(texts, "<br/>", " ")


@gazelle.saving.register_keras_serializable(package="preprocessing_text")
def at_commas(texts):
    return [text.split(",") for text in texts]


def test_functions_of_the_user():
    layer = layers.TextVectorization(
        standardize=without_tags, split=at_commas, vocabulary=["a b", "c"]
    )
    np.testing.assert_array_equal(layer(["a<br/>b,c,d"]), [[2, 3, 1]])
    np.testing.assert_array_equal(again(layer)(["a<br/>b,c,d"]), [[2, 3, 1]])


def test_hashes():
    assert np.asarray(layers.Hashing(3)([1, 2, 3, 4, 5])).tolist() == [0, 1, 0, 2, 1]
    assert np.asarray(layers.Hashing(3)(list("ABCDE"))).tolist() == [1, 0, 1, 1, 2]
    assert np.asarray(layers.Hashing(3, salt=133)(list("ABCDE"))).tolist() == [0, 0, 2, 1, 0]
    masked = layers.Hashing(3, mask_value="")
    assert np.asarray(masked(["A", "B", "", "C", "D"])).tolist() == [1, 1, 0, 2, 2]
    assert np.asarray(layers.Hashing(10)(np.arange(12))).tolist() == [
        5,
        9,
        9,
        1,
        3,
        1,
        7,
        8,
        7,
        5,
        2,
        9,
    ]
    cross = layers.HashedCrossing(5)
    found = cross((list("ABABA"), [101, 101, 101, 102, 102]))
    assert np.asarray(found).tolist() == [1, 4, 1, 1, 3]
    assert again(layers.Hashing(3, salt=(1, 2))).salt == [1, 2]


def test_a_vocabulary_in_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("a\nb\nc\n", encoding="utf-8")
    layer = layers.StringLookup(vocabulary=str(path))
    np.testing.assert_array_equal(layer(X), [[1, 3], [0, 2]])
    config = layer.get_config() | {"vocabulary": str(path)}
    for kind in (layers.StringLookup, layers.TextVectorization):
        with pytest.raises(ArgumentError, match="outside of its file"):
            kind.from_config({"name": "lookup", "vocabulary": config["vocabulary"]})


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        (lambda: layers.StringLookup(vocabulary=["a", "a"]), ValueError, "repeated"),
        (lambda: layers.StringLookup(vocabulary=[]), ValueError, "empty"),
        (
            lambda: layers.StringLookup(vocabulary=["a", ""], mask_token=""),
            ValueError,
            "reserved mask",
        ),
        (lambda: layers.StringLookup(max_tokens=2, vocabulary=["a", "b"]), ValueError, "larger"),
        (lambda: layers.StringLookup(vocabulary="no such file"), ValueError, "no vocabulary at"),
        (lambda: layers.StringLookup(max_tokens=1), ValueError, "greater than 1"),
        (lambda: layers.StringLookup(pad_to_max_tokens=True), ValueError, "max_tokens"),
        (lambda: layers.StringLookup(invert=True, output_mode="count"), ValueError, "invert"),
        (lambda: layers.StringLookup(sparse=True, output_mode="count"), ValueError, "sparse"),
        (lambda: layers.StringLookup(output_mode="tf_idf", vocabulary=["a"]), ValueError, "idf"),
        (lambda: layers.StringLookup()(["a"]), ValueError, "adapt"),
        (lambda: layers.StringLookup(vocabulary=["a"]).adapt(["b"]), ValueError, "fixed"),
        (lambda: layers.StringLookup(vocabulary=["a"])([1]), ValueError, "not text"),
        (lambda: layers.StringLookup(vocabulary=["a"])(["a", None]), ValueError, "None at"),
        (
            lambda: layers.StringLookup(vocabulary=["a"])(np.array(["a", np.nan], object)),
            ValueError,
            "nan at position 1",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["b"]),
            ValueError,
            "not in the vocabulary",
        ),
        (lambda: layers.IntegerLookup(salt=3, vocabulary=[1]), ValueError, "farmhash"),
        (lambda: layers.IntegerLookup(vocabulary_dtype="int32"), ValueError, "vocabulary_dtype"),
        (lambda: layers.TextVectorization(split="words"), ValueError, "split"),
        (lambda: layers.TextVectorization(standardize="upper"), ValueError, "standardize"),
        (lambda: layers.TextVectorization(ngrams="two"), ValueError, "ngrams"),
        (lambda: layers.TextVectorization(ragged=True), ValueError, "ragged"),
        (
            lambda: layers.TextVectorization(output_mode="count", output_sequence_length=3),
            ValueError,
            "output_sequence_length",
        ),
        (lambda: layers.TextVectorization(vocabulary=["a"])([["a", "b"]]), ValueError, "one text"),
        (lambda: layers.Hashing(0), ValueError, "num_bins"),
        (lambda: layers.Hashing(3, salt="x"), ValueError, "salt"),
        (lambda: layers.Hashing(3, dtype="float32"), ValueError, "integer"),
        (lambda: layers.HashedCrossing(3)([["a"]]), ValueError, "two inputs"),
        (lambda: layers.HashedCrossing(3)((["a"], [1.5])), ValueError, "whole numbers"),
        (lambda: layers.HashedCrossing(3)((["a"], [1, 2])), ValueError, "shapes"),
    ],
)  # fmt: skip
def test_what_is_refused(action, error, words):
    with pytest.raises(error, match=words):
        action()


def test_the_size_cannot_change_under_the_layers_behind():
    layer = layers.StringLookup(output_mode="count")
    layer.adapt(["a"])
    with pytest.raises(StateError, match="cannot be changed"):
        layer.adapt(["a", "b"])
