"""The hashes beside values that TensorFlow 2.21 gave."""

import numpy as np

from gazelle._text.hashes import crossed, farmhash64, hashed, siphash
from gazelle._text.tokens import objects

TEXTS = ["", "a", "abc", "abcdefgh", "x" * 20, "gazelle " * 6, "0123456789" * 13]
FARMHASH = [
    1936946117179621455,
    3694432073954588131,
    2640714258260161385,
    4533385575889643785,
    3621402210320469444,
    4241321348078281429,
    1497403020669705476,
]
SIPHASH = [
    2406238588852964173,
    3279621250050176426,
    3025998756135636595,
    3341044535642666711,
    2673670876331846318,
    1917692814648658260,
    316687852684198350,
]


def test_hashes_of_every_length():
    assert [farmhash64(text.encode()) % 2**62 for text in TEXTS] == FARMHASH
    assert [siphash(text.encode(), 133, 7) % 2**62 for text in TEXTS] == SIPHASH


def test_whole_numbers_are_hashed_as_text():
    numbers = np.array([[1, 2], [-3, 40]])
    as_text = objects(map(str, numbers.ravel().tolist())).reshape(2, 2)
    np.testing.assert_array_equal(hashed(numbers, 97), hashed(as_text, 97))
    np.testing.assert_array_equal(hashed(numbers, 97, (3, 4)), hashed(as_text, 97, (3, 4)))


def test_crosses():
    text = objects(["A", "B", "A", "B", "A", "longer text than that"])
    numbers = np.array([101, 101, 101, 102, -102, 5])
    found = crossed([text, numbers], 1_000_003)
    assert found.tolist() == [486008, 568784, 486008, 914470, 934709, 247576]
