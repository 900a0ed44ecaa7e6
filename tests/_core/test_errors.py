"""Errors say what was expected, what was received and the fix, and are caught like Keras's."""

import pytest

from gazelle._core import errors
from gazelle._core.checks import in_range, one_of, positive_int


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("ShapeError", ValueError),
        ("DataError", ValueError),
        ("ArgumentError", ValueError),
        ("ArgumentTypeError", TypeError),
        ("UnknownNameError", ValueError),
        ("StateError", ValueError),
        ("DownloadError", OSError),
    ],
)
def test_every_error_is_a_gazelle_error_and_the_builtin_that_code_for_keras_catches(name, base):
    cls = getattr(errors, name)
    assert issubclass(cls, errors.GazelleError)
    assert issubclass(cls, base)


def test_a_message_has_one_line_for_each_part_that_is_given():
    error = errors.ShapeError("y is wrong.", expected=(None, 3), received=(4,), fix="add columns")
    assert str(error) == "y is wrong.\n  expected: (None, 3)\n  received: (4,)\n  fix: add columns"
    assert str(errors.StateError("too early")) == "too early"
    assert str(errors.DataError("d", received=0)) == "d\n  received: 0"


def test_an_unknown_name_lists_similar_ones():
    error = errors.UnknownNameError("optimizer", "adm", ["adam", "adamw", "sgd"])
    assert "Could not interpret optimizer identifier: 'adm'" in str(error)
    assert "did you mean 'adam'" in str(error)


def test_a_name_unlike_any_known_name_lists_all_names():
    assert "use one of: adam, sgd" in str(
        errors.UnknownNameError("optimizer", "zzzz", ["sgd", "adam"])
    )


@pytest.mark.parametrize(
    ("name", "best"),
    [
        ("CategoricalCrossEntropy", "categorical_crossentropy"),
        ("RELU", "relu"),
        ("meansquarederror", "mean_squared_error"),
    ],
)
def test_case_and_underscores_do_not_hide_a_similar_name(name, best):
    known = ["categorical_crossentropy", "relu", "mean_squared_error", "binary_crossentropy"]
    assert errors.nearest(name, known)[0] == best


def test_checks_return_valid_values():
    assert positive_int("units", 3, "Dense") == 3
    assert in_range("rate", 1, 0, 1, "Dropout") == 1.0
    assert one_of("mode", "min", ("min", "max"), "EarlyStopping") == "min"


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", True, None])
def test_positive_int_refuses_other_values_and_names_owner_and_argument(value):
    with pytest.raises(errors.ArgumentError, match="Dense: units"):
        positive_int("units", value, "Dense")


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "0.5", None])
def test_in_range_refuses_values_outside_the_range(value):
    with pytest.raises(errors.ArgumentError, match="from 0 to 1"):
        in_range("rate", value, 0, 1, "Dropout")


def test_one_of_lists_the_allowed_values():
    with pytest.raises(errors.ArgumentError, match=r"'min', 'max'"):
        one_of("mode", "mid", ("min", "max"), "EarlyStopping")
