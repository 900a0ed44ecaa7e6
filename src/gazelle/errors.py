"""The errors and the warning that Gazelle raises, to be caught by name.

Example:
    >>> import gazelle
    >>> try:
    ...     gazelle.layers.Dense(-1)
    ... except gazelle.errors.GazelleError as error:
    ...     print(type(error).__name__)
    ArgumentError
"""

from gazelle._core.errors import (
    ArgumentError,
    ArgumentTypeError,
    CheckWarning,
    DataError,
    DownloadError,
    GazelleError,
    ModelFileError,
    PackageError,
    ShapeError,
    StateError,
    UnknownNameError,
)

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "CheckWarning",
    "DataError",
    "DownloadError",
    "GazelleError",
    "ModelFileError",
    "PackageError",
    "ShapeError",
    "StateError",
    "UnknownNameError",
]
