"""Search for image files in a folder, and for the classes they belong to."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gazelle._core.console import is_utf8, shown
from gazelle._core.errors import ArgumentError, DataError
from gazelle._data.splits import Found

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
OTHER_ENDINGS = (
    ".avif",
    ".heic",
    ".heif",
    ".jfif",
    ".jp2",
    ".pgm",
    ".ppm",
    ".svg",
    ".tga",
    ".tif",
    ".tiff",
)
_EXPECTED = f"files ending in {', '.join(ENDINGS)}"
_SYSTEM_FOLDERS = (
    "$RECYCLE.BIN",
    "@eaDir",
    "System Volume Information",
    "__MACOSX",
    "__pycache__",
    "lost+found",
)


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name, without hidden and system folders.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(
                folder / entry.name
                for entry in entries
                if not _is_hidden(entry.name) and entry.is_dir()
            )
    except OSError as error:
        raise _unreadable(error) from None


def find(root: Path, follow_links: bool) -> list[str]:
    """All image files in a folder and its subfolders, sorted.

    Args:
        root: The folder.
        follow_links: Whether to follow links to folders; otherwise they are refused.

    Raises:
        DataError: There are none, or a folder cannot be read or is a link.
    """
    files, others = _images(root, follow_links)
    if not files:
        raise DataError(
            f"No images in {shown(root)}.",
            expected=_EXPECTED,
            received=_unread(others),
            fix=_advice(others),
        )
    _warn_of_unread(others)
    return files


def find_by_class(root: Path, class_names: Sequence[str] | None, follow_links: bool) -> Found:
    """All image files of a folder with one subfolder per class.

    Args:
        root: The folder.
        class_names: Names of the subfolders in the order of the class numbers; None for sorted
            names.
        follow_links: Whether to follow links to folders; otherwise they are refused.

    Raises:
        ArgumentError: `class_names` are not the names of the subfolders.
        DataError: There are no subfolders, or one cannot be read, has no images, or has only
            folders.
    """
    folders = [folder.name for folder in folders_in(root)]
    names = folders if class_names is None else list(class_names)
    if sorted(names) != folders:
        raise ArgumentError(
            "class_names must be the names of all folders, each once.",
            expected=folders,
            received=list(names),
        )
    if not folders:
        loose, others = _images(root, follow_links)
        raise DataError(
            f"No classes in {shown(root)}: it has no subfolders.",
            expected="one folder per class",
            received=(
                "images without folders"
                if loose
                else f"no folders and {_unread(others) if others else 'no images'}"
            ),
            fix=(
                "pass labels=None, label_mode=None to read them without classes"
                if loose
                else _advice(others)
            ),
        )
    files: list[str] = []
    unread: list[str] = []
    counts = []
    for name in names:
        members, others = _members(root, name, follow_links)
        files += members
        unread += others
        counts.append(len(members))
    _warn_of_unread(unread)
    return Found(files, np.repeat(np.arange(len(names), dtype=np.int32), counts), names)


def _members(root: Path, name: str, follow_links: bool) -> tuple[list[str], list[str]]:
    """The image files of a class, and its image files of unsupported formats."""
    folder = root / name
    if not is_utf8(name):
        raise DataError(
            f"The name of the class '{shown(name)}' is not valid text.",
            expected="a folder name in UTF-8",
            received=f"{shown(folder)}, in another encoding",
            fix="rename the folder",
        )
    if not follow_links:
        _refuse_link(folder)
    members, others = _images(folder, follow_links)
    if not members:
        raise DataError(
            f"The class '{shown(name)}' has no images.",
            expected=f"{_EXPECTED} in {shown(folder)}",
            received=_unread(others),
            fix=_advice(others) or "add images to the folder or remove it",
        )
    if not any(os.path.dirname(file) == str(folder) for file in members):
        _refuse_nested(root, folder)
    return members, others


def _refuse_nested(root: Path, folder: Path) -> None:
    """Refuse a class that holds only folders, which are often the real classes.

    Archives are often unpacked like this, with one folder too many.
    """
    inside = ", ".join(shown(inner.name) for inner in folders_in(folder)[:3])
    home = _home_of_classes(folder)
    raise DataError(
        f"{shown(folder)} has no images of its own, only folders: it is not a class.",
        expected=f"one folder per class in {shown(root)}, with images in each",
        received=f"the folders {inside}, ...",
        fix=(
            f"pass {shown(home)} if its folders are the classes; otherwise move the images up into"
            f" {shown(folder)}"
        ),
    )


def _home_of_classes(folder: Path) -> Path:
    """`folder` or the first folder below it whose subfolders hold images."""
    current = folder
    while inner := folders_in(current):
        if any(_has_images(path) for path in inner):
            return current
        current = inner[0]
    return folder


def _has_images(folder: Path) -> bool:
    return any(
        name.lower().endswith(ENDINGS) and not _is_hidden(name) for name in os.listdir(folder)
    )


def _images(folder: Path, follow_links: bool) -> tuple[list[str], list[str]]:
    """The image files in a folder and its subfolders.

    Returns:
        The paths of the image files, sorted, and the names of those of unsupported formats.
    """
    visited: set[str] = set()
    found: list[str] = []
    others: list[str] = []

    def refuse(error: OSError) -> None:
        raise _unreadable(error) from None

    for parent, folders, files in os.walk(folder, followlinks=follow_links, onerror=refuse):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        if not follow_links:
            for name in folders:
                _refuse_link(Path(parent, name))
        real = os.path.realpath(parent)
        if real in visited:  # a link that leads back to a folder above it
            folders.clear()
            continue
        visited.add(real)
        # Making a Path for each of many files would take longer than finding them.
        prefix = str(Path(parent, "x"))[:-1]
        visible = [name for name in files if not _is_hidden(name)]
        found += [prefix + name for name in visible if name.lower().endswith(ENDINGS)]
        others += [name for name in visible if name.lower().endswith(OTHER_ENDINGS)]
    return sorted(found, key=_sort_key), others


def _is_hidden(name: str) -> bool:
    """Whether a name is hidden, or that of a folder which systems create by themselves."""
    return name.startswith(".") or name in _SYSTEM_FOLDERS


def _sort_key(file: str) -> list[str]:
    """The parts of a path: so the files of a folder stay together, as with `Path`."""
    return os.path.normcase(file).split(os.sep)


def _refuse_link(folder: Path) -> None:
    if folder.is_symlink():
        raise DataError(
            f"The folder {shown(folder)} is a link.",
            expected="folders",
            received=f"a link to {shown(os.path.realpath(folder))}",
            fix="pass follow_links=True if its images belong to the data",
        )


def _unreadable(error: OSError) -> DataError:
    return DataError(
        f"The folder {shown(os.fsdecode(error.filename or ''))} cannot be read.",
        expected="a folder that you may read",
        received=error.strerror or error,
        fix="change its permissions (chmod u+rx), or move it out of the data",
    )


def _unread(others: list[str]) -> str:
    """The image files of unsupported formats, in words."""
    if not others:
        return "none"
    endings = ", ".join(sorted({os.path.splitext(name)[1].lower() for name in others}))
    files = "1 file" if len(others) == 1 else f"{len(others)} files"
    return f"{files} of unsupported formats ({endings})"


def _advice(others: list[str]) -> str | None:
    return "save them as PNG files" if others else None


def _warn_of_unread(others: list[str]) -> None:
    if others:
        warnings.warn(f"Left out: {_unread(others)}.", stacklevel=5)
