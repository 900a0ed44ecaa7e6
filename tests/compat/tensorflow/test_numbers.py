"""Functions give the numbers that TensorFlow gives."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import gazelle.compat

sys.path.insert(0, str(Path(__file__).parent))
from tf_expressions import EXPRESSIONS, SETUP, plain

KNOWN = json.loads((Path(__file__).parent / "numbers.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def names():
    gazelle.compat.install()
    import tensorflow as tf

    found = {"tf": tf, "np": np}
    exec(SETUP, found)
    yield found
    gazelle.compat.uninstall()


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_the_value_is_tensorflows(text, names):
    check(plain(eval(text, names)), KNOWN[text])


def check(found, wanted):
    assert isinstance(found, list) == isinstance(wanted, list)
    if isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            check(one, other)
    else:
        assert type(found) is type(wanted)
        assert found == (wanted if isinstance(wanted, str) else pytest.approx(wanted, 2e-5, 2e-6))
