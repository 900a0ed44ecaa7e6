"""The errors of Gazelle. Each says what was expected, what was received and how to fix it.

GazelleError
├── ShapeError          (ValueError)    an array or tensor has the wrong shape
├── DataError           (ValueError)    data that cannot be trained on or read: NaN, wrong labels, damaged files
├── ArgumentError       (ValueError)    an argument has a value that cannot be used
├── ArgumentTypeError   (TypeError)     an argument has a type that cannot be used
├── UnknownNameError    (ValueError)    a name that stands for no loss, optimizer, metric, activation ...
├── StateError          (ValueError)    a call that comes too early: fit before compile, weights before build
├── DownloadError       (OSError)       a data set that could not be fetched
└── PackageError        (ImportError)   a package that only a part of Gazelle needs and that is not installed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_PROBLEM = 1000  # characters
_LONGEST_PART = 3000
_MOST_NAMES = 30  # of all that are known


def explain(problem: str, *, expected: object = None, received: object = None, fix: str | None = None) -> str:
    """Put an error text together: the problem, then expected, received and fix, one line each; long parts are cut."""
    lines = [_cut(problem, _LONGEST_PROBLEM)]
    for word, part in (("expected", expected), ("received", received), ("fix", fix)):
        if part is not None:
            lines.append(f"  {word}: {_cut(str(part), _LONGEST_PART)}")
    return "\n".join(lines)


def _cut(text: str, most: int) -> str:
    """`text` with its middle left out where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    half = most // 2 - 20
    return f"{text[:half]} [... {len(text) - 2 * half:,} characters ...] {text[-half:]}"


class GazelleError(Exception):
    """Every error that Gazelle raises on purpose.

    Args:
        problem: One sentence: what is wrong, naming the argument, layer or file.
        expected: What would have been right.
        received: What was there.
        fix: What to do about it.
    """

    def __init__(self, problem: str, *, expected: object = None, received: object = None, fix: str | None = None):
        super().__init__(explain(problem, expected=expected, received=received, fix=fix))


class ShapeError(GazelleError, ValueError):
    """An array or tensor has the wrong shape."""


class DataError(GazelleError, ValueError):
    """Data that cannot be trained on or read."""


class ArgumentError(GazelleError, ValueError):
    """An argument has a value that cannot be used."""


class ArgumentTypeError(GazelleError, TypeError):
    """An argument has a type that cannot be used."""


class StateError(GazelleError, ValueError):
    """A call that comes too early, such as `fit` before `compile`."""


class DownloadError(GazelleError, OSError):
    """A data set that could not be fetched."""


class PackageError(GazelleError, ImportError):
    """A package that only a part of Gazelle needs and that is not installed."""


class UnknownNameError(GazelleError, ValueError):
    """A name that stands for nothing; the message lists the nearest names that do."""

    def __init__(self, kind: str, name: object, known: Iterable[str], *, also: str | None = None):
        known = sorted(set(known))
        near = nearest(str(name)[:200], known)
        listed = ", ".join(known[:_MOST_NAMES]) + (", ..." if len(known) > _MOST_NAMES else "")
        hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else f"use one of: {listed}"
        super().__init__(
            f"Could not interpret {kind} identifier: {str(name)[:80]!r}.",
            expected=f"a known name, a callable, an instance or its config; near names: {', '.join(near) or 'none'}",
            received=repr(name),
            fix=f"{hint}{f'; {also}' if also else ''}",
        )


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like `name`, at most `count`, best first.

    Upper and lower case count as the same, and underscores as nothing; of two spellings of one name the one written
    like `name` is given.
    """
    spelled: dict[str, str] = {}
    for candidate in sorted(known, key=lambda candidate: candidate.islower() != name.islower()):
        spelled.setdefault(candidate.lower().replace("_", ""), candidate)
    wanted = name.lower().replace("_", "")
    scores = {plain: difflib.SequenceMatcher(None, plain, wanted).ratio() for plain in spelled}
    words = set(name.lower().split("_"))
    if len(words) > 1:  # all words of the name are there: sparse_crossentropy, sparse_categorical_crossentropy
        scores |= {p: 0.95 for p, candidate in spelled.items() if words < set(candidate.lower().split("_"))}
    best = sorted((plain for plain, score in scores.items() if score >= 0.55), key=lambda plain: -scores[plain])
    return [spelled[plain] for plain in best[:count]]
