"""The folders of Keras's tests that run fast: as many as were counted pass, or more."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import conformance

LEAST = json.loads(Path(__file__).with_name("least.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_as_many_of_keras_tests_pass_as_were_counted():
    found = conformance.run("gazelle", list(LEAST))
    passed = dict.fromkeys(LEAST, 0)
    for test, (outcome, _) in found.items():
        if outcome in conformance.AS_IN_KERAS:
            passed[conformance.folder_of(test)] += 1
    assert {folder: n for folder, n in passed.items() if n < LEAST[folder]} == {}


def test_an_error_with_other_words_is_told_apart():
    theirs = {"test_a__b.py::x": ("passed", ""), "test_a__b.py::y": ("passed", "")}
    ours = {"test_a__b.py::x": ("worded differently", ""), "test_a__b.py::y": ("failed", "why")}
    counts = conformance.counted(theirs, ours)
    assert counts == {"a": conformance.Count(keras=2, gazelle=1, worded=1)}
    assert conformance.not_passed(theirs, ours) == ["test_a__b.py::y"]
    assert "not done yet** (1)" in conformance.page(counts, theirs, ours).lower()
