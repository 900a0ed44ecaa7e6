"""Formatting of numbers, times and names."""

from __future__ import annotations

import math
from datetime import datetime

from gazelle._report.figures import wilson

MISSING = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


def percent(share: float | None, digits: int = 1) -> str:
    """Format a share: `0.5342` becomes `53.4%`."""
    return MISSING if share is None or not math.isfinite(share) else f"{100 * share:.{digits}f}%"


def between(share: float, rows: int, digits: int = 0) -> str:
    """The 95% confidence interval of a share observed in `rows` rows: `91-97%`, with a dash."""
    low, high = wilson(min(max(share, 0.0), 1.0), rows)
    digits = digits if high - low >= 0.02 else digits + 1
    return f"{100 * low:.{digits}f}{MISSING}{100 * high:.{digits}f}%"


def number(value: float | None, digits: int = 4) -> str:
    """Format a number with `digits` significant digits: `0.4312`, `12.35`, `12,346`, `1.2e-5`."""
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if value and not 1e-4 <= abs(value) < 1e7:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    whole_digits = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:,.{max(0, digits - whole_digits)}f}"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """Format a number of things: `count(3, "layer")` gives `3 layers`."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def duration(seconds: float | None) -> str:
    """Format seconds as `0.43 s`, `12.3 s`, `3 min 12 s` or `2 h 05 min`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 0.0995:
        return f"{1000 * seconds:.1f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def moment(text: str) -> str:
    """Format an ISO 8601 time as `3 May 2026, 14:05`; other text is returned unchanged."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{found.day} {found:%B %Y, %H:%M}"


def heading(name: str) -> str:
    """Format the name of a setting as a heading: `learning_rate` becomes `Learning rate`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def value(found: object) -> str:
    """Format the value of a setting."""
    if isinstance(found, bool):
        return "yes" if found else "no"
    if found is None:
        return "none"
    if isinstance(found, float):
        return f"{found:g}"
    return f"{found:,}" if isinstance(found, int) and abs(found) >= 100_000 else str(found)
