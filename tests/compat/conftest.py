"""Fixtures for the tests of gazelle.compat."""

import warnings
from collections.abc import Iterator

import pytest

from gazelle import compat


@pytest.fixture
def installed() -> Iterator[None]:
    """Keras's modules answered by Gazelle for the time of a test, without warnings of old forms."""
    compat.install()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", compat.OldFormWarning)
            yield
    finally:
        compat.uninstall()
