"""The pages of security: words, marks, and that they have every figure and every bad file."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import bad_cases
import figures
import measured

DOCS = Path(__file__).parents[2] / "docs"


def test_no_failure_has_a_bound_and_failures_a_share():
    assert measured.share(0, 1000) == "0 of 1,000 (below 0.3 %)"
    assert measured.share(0, 100_000) == "0 of 100,000 (below 0.003 %)"
    assert measured.share(164, 200) == "164 of 200 (82 %)"


def test_a_page_keeps_what_is_around_the_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n")
    figures.write(page, "new")
    assert page.read_text().splitlines()[2] == "new"
    assert page.read_text().endswith("<!-- figures: end -->\nafter\n")
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no marks"):
        figures.write(page, "new")


def test_a_figure_that_is_not_measured_is_called_so():
    table = figures.table({})
    assert table.count(measured.NOT_YET) == len(measured.FIGURES)


def test_the_page_of_bad_files_has_every_row_and_no_other():
    """After a new row: python tests/security/figures.py --docs docs/security.md --only F1."""
    found = re.findall(r"^\| ([A-Z][^ |]*) \|", (DOCS / "bad_files.md").read_text(), re.MULTILINE)
    assert [name for name in found if name != "Id"] == [case.id for case in bad_cases.ALL]


def test_the_page_of_security_has_every_figure():
    found = re.findall(r"^\| (F\d+) \|", (DOCS / "security.md").read_text(), re.MULTILINE)
    assert found == [figure.id for figure in measured.FIGURES]
