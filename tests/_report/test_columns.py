"""The figures of a history in columns of equal length."""

import math

from gazelle._report.history_columns import columns
from gazelle.callbacks import History


def history(epochs, **figures):
    found = History()
    found.epoch, found.history = list(epochs), figures
    return found


def test_epochs_count_from_1_as_in_the_terminal():
    assert columns(history(range(2), loss=[2.0, 1.0])) == ([1, 2], {"loss": [2.0, 1.0]})


def test_a_later_start_keeps_its_numbers():
    assert columns(history([5, 6], loss=[2.0, 1.0]))[0] == [6, 7]


def test_figures_of_every_other_epoch_are_in_their_places():
    epochs, found = columns(history(range(5), loss=[5.0, 4.0, 3.0, 2.0, 1.0], val_loss=[8.0, 6.0]))
    assert epochs == [1, 2, 3, 4, 5]
    values = [None if math.isnan(value) else value for value in found["val_loss"]]
    assert values == [None, 8.0, None, 6.0, None]


def test_figures_of_a_late_start_are_at_the_end():
    _, found = columns(history(range(4), loss=[4.0, 3.0, 2.0, 1.0], val_loss=[9.0, 8.0, 7.0]))
    assert math.isnan(found["val_loss"][0])
    assert found["val_loss"][1:] == [9.0, 8.0, 7.0]


def test_a_history_of_two_calls_of_fit_is_numbered_consecutively():
    assert columns(history([0], loss=[2.0, 1.0]))[0] == [1, 2]


def test_a_dict_and_no_history_are_accepted():
    assert columns({"loss": [1]}) == ([1], {"loss": [1.0]})
    assert columns(None) == ([], {})
    assert columns(history([])) == ([], {})
