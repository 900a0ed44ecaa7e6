"""What several sections share: the metrics that the user compiled, shares with intervals, the worst rows of a table."""

from __future__ import annotations

from gazelle._report.pages.markup import Html, facts, join, table, tag
from gazelle._report.pages.words import MISSING, between, number, percent
from gazelle._report.schema import WorstRows

_MOST_COLUMNS = 40
_PAPER = 6  # columns that a printed page has room for


def compiled_facts(compiled: dict[str, float | None]) -> Html | None:
    """The user's own metrics, with their names as they were written; None where there are none."""
    if not compiled:
        return None
    pairs = [
        (name, MISSING if value is None else number(value)) for name, value in compiled.items()
    ]
    return tag("div", tag("h3", "Compiled metrics"), facts(pairs))


def share_cell(share: float, rows: int, *, as_percent: bool = False) -> Html:
    """A share found in so many rows, and below it the interval that holds it with 95% confidence."""
    shown = percent(share) if as_percent else f"{share:.3f}"
    return join(shown, tag("small", between(share, rows)) if rows else None)


def worst_table(worst: WorstRows | None) -> Html | None:
    """The rows of a table on which the network was most wrong, with their values."""
    if worst is None or not worst.rows:
        return None
    shown = worst.columns[:_MOST_COLUMNS]
    caption = "The rows on which the network is most wrong, as they stand in the table"
    if len(worst.columns) > len(shown):
        caption += f" (the first {len(shown)} of {len(worst.columns):,} columns)"
    rows = [[row.index, f"{row.place:,}", *row.values[: len(shown)]] for row in worst.rows]
    return table(
        caption,
        ["Index", "Row", *shown],
        rows,
        class_="worst many" if len(shown) > _PAPER else "worst",
    )
