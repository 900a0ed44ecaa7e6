"""keras.preprocessing.text and .sequence against the copies that Keras 3 keeps of them."""

import numpy as np
import pytest
from keras.src.legacy.preprocessing import sequence as sequence_oracle
from keras.src.legacy.preprocessing import text as text_oracle

from gazelle.compat._keras import sequence, text

TEXTS = [
    "The cat sat on the mat.", "The dog sat on the log!", "Dogs and cats, living together?",
    "", "the the THE the", "tabs\tand\nlines",
]  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        {}, {"num_words": 5}, {"oov_token": "<oov>"}, {"num_words": 4, "oov_token": "?"},
        {"char_level": True}, {"lower": False}, {"filters": "!"}, {"split": "a"},
    ],
    ids=str,
)  # fmt: skip
def test_tokenizer(options):
    own, other = text.Tokenizer(**options), text_oracle.Tokenizer(**options)
    for tokenizer in (own, other):
        tokenizer.fit_on_texts(TEXTS)
    assert own.word_index == other.word_index
    assert own.word_counts == other.word_counts
    assert dict(own.word_docs) == dict(other.word_docs)
    unseen = [*TEXTS, "a new cat on a mat"]
    numbers = own.texts_to_sequences(unseen)
    assert numbers == other.texts_to_sequences(unseen)
    assert own.sequences_to_texts(numbers) == other.sequences_to_texts(numbers)
    full = [t for t in TEXTS if t]
    for mode in ("binary", "count", "freq", "tfidf"):
        np.testing.assert_allclose(
            own.texts_to_matrix(full, mode), other.texts_to_matrix(full, mode), err_msg=mode
        )
    again = text.tokenizer_from_json(own.to_json())
    assert again.texts_to_sequences(unseen) == numbers
    assert text_oracle.tokenizer_from_json(own.to_json()).texts_to_sequences(unseen) == numbers


def test_words_and_hashes():
    for sentence in TEXTS:
        assert text.text_to_word_sequence(sentence) == text_oracle.text_to_word_sequence(sentence)
        assert text.hashing_trick(sentence, 50, "md5") == text_oracle.hashing_trick(
            sentence, 50, "md5"
        )
        assert text.one_hot(sentence, 50) == text_oracle.one_hot(sentence, 50)


@pytest.mark.parametrize("categorical", [False, True])
def test_skipgrams_without_negatives(categorical):
    options = {
        "vocabulary_size": 9, "window_size": 2, "negative_samples": 0, "shuffle": False,
        "categorical": categorical,
    }  # fmt: skip
    own = sequence.skipgrams([1, 0, 2, 3, 5, 8], **options)
    assert own == sequence_oracle.skipgrams([1, 0, 2, 3, 5, 8], **options)


def test_skipgrams_with_negatives():
    pairs, labels = sequence.skipgrams([1, 2, 3, 4], 9, window_size=1, negative_samples=2.0, seed=3)
    assert labels.count(1) == 6
    assert labels.count(0) == 12
    assert all(1 <= word < 9 for pair in pairs for word in pair)


def test_sampling_table():
    np.testing.assert_allclose(
        sequence.make_sampling_table(50, 1e-4), sequence_oracle.make_sampling_table(50, 1e-4)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"length": 10, "batch_size": 20}, {"length": 6, "sampling_rate": 2, "stride": 3},
        {"length": 5, "start_index": 7, "end_index": 40, "reverse": True, "batch_size": 4},
    ],
    ids=str,
)  # fmt: skip
def test_timeseries_generator(options):
    data = np.arange(100).reshape(50, 2)
    own = sequence.TimeseriesGenerator(data, data[:, 0], **options)
    other = sequence_oracle.TimeseriesGenerator(data, data[:, 0], **options)
    assert len(own) == len(other)
    for index in range(len(own)):
        for mine, theirs in zip(own[index], other[index], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_series_that_is_too_short():
    with pytest.raises(ValueError, match="no part of the sequence"):
        sequence.TimeseriesGenerator(np.arange(5), np.arange(5), length=5)
