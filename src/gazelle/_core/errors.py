"""The errors of Gazelle. Each says what was expected, what was received and how to fix it.

GazelleError
├── ShapeError          (ValueError)   an array or tensor has the wrong shape
├── DataError           (ValueError)   data that cannot be used: NaN, wrong labels, damaged files
│   └── ModelFileError                 a model file that is refused, in one line
├── ArgumentError       (ValueError)   an argument has a value that cannot be used
├── ArgumentTypeError   (TypeError)    an argument has a type that cannot be used
├── UnknownNameError    (ValueError)   the name of an unknown loss, optimizer, metric, ...
├── StateError          (ValueError)   a call that comes too early: fit before compile
├── DownloadError       (OSError)      a data set that could not be fetched
└── PackageError        (ImportError)  an optional package is not installed

CheckWarning            (UserWarning)  something legal that is nearly always a mistake
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_PROBLEM = 600  # characters
_LONGEST_PART = 3000  # a list of lines
_LONGEST_LINE = 600
_LIKELY = 0.55  # how much two names must be alike, from 0 to 1
_MOST_NAMES = 30  # of all that are known


def explain(
    problem: str, *, expected: object = None, received: object = None, fix: str | None = None
) -> str:
    """An error text: the problem, then expected, received and fix, one line each.

    Long parts are shortened, and control characters are escaped.
    """
    lines = [_cut(problem, _LONGEST_PROBLEM)]
    for word, part in (("expected", expected), ("received", received), ("fix", fix)):
        if part is not None:
            lines.append(f"  {word}: {_cut(str(part), _LONGEST_PART)}")
    return "\n".join(lines)


def _cut(text: str, most: int) -> str:
    """`text`, printable, the middle left out where it, or one of its lines, is too long."""
    lines = _without_middle(text, most).split("\n")
    return "\n".join(_printable(_without_middle(line, _LONGEST_LINE)) for line in lines)


def _without_middle(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = most // 2 - 20
    return f"{text[:half]} [... {len(text) - 2 * half:,} characters ...] {text[-half:]}"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


class GazelleError(Exception):
    """Every error that Gazelle raises on purpose.

    Args:
        problem: One sentence: what is wrong, naming the argument, layer or file.
        expected: What would have been right.
        received: What was there.
        fix: What to do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        expected: object = None,
        received: object = None,
        fix: str | None = None,
    ):
        super().__init__(explain(problem, expected=expected, received=received, fix=fix))
        self.places: list[str] = []  # where in a config it was raised, the innermost first


class ShapeError(GazelleError, ValueError):
    """An array or tensor has the wrong shape."""


class DataError(GazelleError, ValueError):
    """Data that cannot be trained on or read."""


class ModelFileError(DataError):
    """A model file that is refused: one line of at most 300 characters.

    Args:
        code: A short name of the problem that stays the same between versions: `"zip-truncated"`.
        file: The file.
        where: The place in it: a member of the archive, an array, or a field of the config.
        found: What was there.
        expected: What should have been there.
        fix: What to do about it.

    Attributes:
        code: As above; so are `file`, `where`, `found`, `expected` and `fix`.
    """

    def __init__(
        self, code: str, *, file: str, where: str, found: object, expected: object, fix: str
    ):
        self.code = code
        name = _printable(file)
        self.file = name if len(name) <= 55 else f"...{name[-52:]}"
        self.where = short(where, 45)
        self.found = short(found, 64)
        self.expected = short(expected, 42)
        self.fix = short(fix, 60)
        text = f"{self.file}: {self.where}: {self.found}; expected {self.expected}; {self.fix}"
        super().__init__(short(f"[{code}] {text}", 300))


class ArgumentError(GazelleError, ValueError):
    """An argument has a value that cannot be used."""


class MissingKeyError(ArgumentError, KeyError):
    """A key that is not there."""

    __str__ = Exception.__str__  # KeyError shows the repr of its text


class ArgumentTypeError(GazelleError, TypeError):
    """An argument has a type that cannot be used."""


class StateError(GazelleError, ValueError):
    """A call that comes too early, such as `fit` before `compile`."""


class DownloadError(GazelleError, OSError):
    """A data set that could not be fetched."""


class PackageError(GazelleError, ImportError):
    """An optional package that is not installed."""


class UnknownNameError(GazelleError, ValueError):
    """An unknown name; the message has the nearest known names."""

    def __init__(self, kind: str, name: object, known: Iterable[str], *, also: str | None = None):
        known = sorted(set(known))
        near = nearest(str(name)[:200], known)
        if near:
            fix = f"did you mean {' or '.join(repr(name) for name in near)}?"
        else:
            more = ", ..." if len(known) > _MOST_NAMES else ""
            fix = f"use one of: {', '.join(known[:_MOST_NAMES])}{more}"
        if also:
            fix += f"; {also}"
        super().__init__(
            f"Could not interpret {kind} identifier: {str(name)[:80]!r}.",
            expected=(
                "a known name, a callable, an instance or its config; near names:"
                f" {', '.join(near) or 'none'}"
            ),
            received=repr(name),
            fix=fix,
        )


class CheckWarning(UserWarning):
    """Something legal that is nearly always a mistake."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like `name`, at most `count`, best first.

    Upper and lower case count as the same, and underscores as nothing; of two spellings of one name
    the one written like `name` is given.
    """
    spelled: dict[str, str] = {}
    for candidate in sorted(known, key=lambda candidate: candidate.islower() != name.islower()):
        spelled.setdefault(candidate.lower().replace("_", ""), candidate)
    matcher = difflib.SequenceMatcher(None, b=name.lower().replace("_", ""))
    scores = {plain: _likeness(matcher, plain) for plain in spelled}
    words = set(name.lower().split("_"))
    if len(words) > 1:
        # A name with all words of this one: sparse_categorical_crossentropy has those of
        # sparse_crossentropy.
        for plain, candidate in spelled.items():
            if words < set(candidate.lower().split("_")):
                scores[plain] = 0.95
    likely = [plain for plain, score in scores.items() if score >= _LIKELY]
    best = sorted(likely, key=lambda plain: -scores[plain])
    return [spelled[plain] for plain in best[:count]]


def _likeness(matcher: difflib.SequenceMatcher[str], name: str) -> float:
    """How much a name is like that of the matcher; 0 where two quick tests say: not enough."""
    matcher.set_seq1(name)
    if matcher.real_quick_ratio() < _LIKELY or matcher.quick_ratio() < _LIKELY:
        return 0.0
    return matcher.ratio()


def short(value: object, most: int = 120) -> str:
    """A text for a message: one line, control characters spelled out, at most `most` characters."""
    try:
        text = str(value)
    except ValueError:  # a whole number of more digits than Python writes
        text = "a number of thousands of digits"
    if len(text) > 4 * most:
        text = text[: 2 * most] + text[-2 * most :]
    text = " ".join(text.split())
    text = _printable(text)
    if len(text) <= most:
        return text
    tail = most // 4
    return f"{text[: most - tail - 3]}...{text[-tail:]}"


def reason(error: BaseException, most: int = 160) -> str:
    """The message of an error in one short line: the problem of Gazelle's own errors."""
    if isinstance(error, RecursionError):
        return "parts within parts, too deep"
    if isinstance(error, MemoryError):
        return "more than the memory holds"
    if isinstance(error, OSError) and error.strerror:
        return short(error.strerror, most)
    lines = str(error).splitlines() or [""]
    words = lines[0] if isinstance(error, GazelleError) else str(error)
    bare = isinstance(error, KeyError | AttributeError | IndexError | AssertionError) or not words
    return short(f"{type(error).__name__}: {words}".rstrip(": ") if bare else words, most)
