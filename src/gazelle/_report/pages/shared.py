"""Parts that several sections share: compiled metrics, shares with intervals, the worst rows."""

from __future__ import annotations

from gazelle._report.pages.markup import Html, facts, join, table, tag
from gazelle._report.pages.words import MISSING, between, number, percent
from gazelle._report.schema import WorstRows

_MOST_COLUMNS = 40
_PRINTED_COLUMNS = 6  # columns that fit on a printed page


def compiled_facts(compiled: dict[str, float | None]) -> Html | None:
    """The metrics that were passed to `compile`; None if there are none."""
    if not compiled:
        return None
    pairs = [
        (name, MISSING if value is None else number(value)) for name, value in compiled.items()
    ]
    return tag("div", tag("h3", "Compiled metrics"), facts(pairs))


def share_cell(share: float, rows: int, *, as_percent: bool = False) -> Html:
    """A share observed in a number of rows, with its 95% confidence interval below."""
    shown = percent(share) if as_percent else f"{share:.3f}"
    return join(shown, tag("small", between(share, rows)) if rows else None)


def worst_table(worst: WorstRows | None) -> Html | None:
    """The rows of a table with the largest errors, and their cells; None if there are none."""
    if worst is None or not worst.rows:
        return None
    shown = worst.columns[:_MOST_COLUMNS]
    caption = "The rows of the data with the largest errors"
    if len(worst.columns) > len(shown):
        caption += f" (the first {len(shown)} of {len(worst.columns):,} columns)"
    rows = [[row.index, f"{row.place:,}", *row.values[: len(shown)]] for row in worst.rows]
    class_ = "worst many" if len(shown) > _PRINTED_COLUMNS else "worst"
    return table(caption, ["Index", "Row", *shown], rows, class_=class_)
