"""The format of numbers, times and tables in the pages."""

import pytest

from gazelle._report.pages import words
from gazelle._report.pages.markup import Html, join, table, tag


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0.0000"),
        (0.43123, "0.4312"),
        (12.3456, "12.35"),
        (12345.6, "12,346"),
        (1.2e9, "1.2e9"),
        (1.25e-5, "1.25e-5"),
        (-0.5, "-0.5000"),
        (None, "\N{EN DASH}"),
        (float("nan"), "not a number"),
        (float("inf"), "infinite"),
    ],
)
def test_numbers_have_four_digits(value, expected):
    assert words.number(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0391, "39.1 ms"),
        (0.412, "0.41 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 00 s"),
        (192, "3 min 12 s"),
        (7500, "2 h 05 min"),
        (None, "\N{EN DASH}"),
    ],
)
def test_durations_have_a_suitable_unit(seconds, expected):
    assert words.duration(seconds) == expected


def test_percentages_counts_moments_and_values_read_well():
    assert words.percent(0.53421) == "53.4%"
    assert (words.count(1, "layer"), words.count(1200, "layer")) == ("1 layer", "1,200 layers")
    assert words.moment("2026-05-03T14:05:12") == "3 May 2026, 14:05"
    assert words.moment("yesterday") == "yesterday"
    assert [words.value(v) for v in (True, None, 0.001, 32, 1_000_000, "adam")] == [
        "yes", "none", "0.001", "32", "1,000,000", "adam",
    ]  # fmt: skip


def test_text_is_escaped_once_and_html_is_kept():
    assert join("a < b", Html("<i>x</i>"), None, ["&"]) == "a &lt; b<i>x</i>&amp;"
    assert (
        tag("p", "<", class_="a", aria_label='"', id=None)
        == '<p class="a" aria-label="&quot;">&lt;</p>'
    )


def test_tables_have_caption_and_headings():
    found = table("Cap", ["a", "b"], [["x", 1]], foot=[["sum", 2]])
    assert "<caption>Cap</caption>" in found
    assert '<th scope="col">b</th>' in found
    assert '<tr><th scope="row">x</th><td>1</td></tr>' in found
    assert "<tfoot>" in found
