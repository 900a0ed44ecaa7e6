"""Which image files a folder holds, and to which classes they belong."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gazelle._core.console import is_utf8, shown
from gazelle._core.errors import ArgumentError, DataError

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
_EXPECTED = f"files ending with {', '.join(ENDINGS)}"
_OF_SYSTEMS = (
    "$RECYCLE.BIN",
    "@eaDir",
    "System Volume Information",
    "__MACOSX",
    "__pycache__",
    "lost+found",
)


class Found(NamedTuple):
    """What a folder holds.

    Args:
        files: The image files.
        numbers: The class of each, int32 `(files,)`; None where there are not classes.
        names: The classes' names; empty where there are none.
    """

    files: list[str]
    numbers: np.ndarray | None
    names: list[str]


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name, less those that are hidden or made by a system.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(
                folder / entry.name
                for entry in entries
                if not _is_litter(entry.name) and entry.is_dir()
            )
    except OSError as error:
        raise _closed(error) from None


def find(root: Path, follow_links: bool) -> list[str]:
    """All image files in a folder and the folders within, sorted.

    Raises:
        DataError: There are none, or a folder cannot be read or is a link.
    """
    files, others = _images(root, follow_links)
    if not files:
        raise DataError(
            f"No images in {shown(root)}.",
            expected=_EXPECTED,
            received=_told(others),
            fix=_advice(others),
        )
    _tell(others)
    return files


def find_by_class(root: Path, class_names: Sequence[str] | None, follow_links: bool) -> Found:
    """All image files of a folder with one folder a class.

    Raises:
        ArgumentError: `class_names` are not the names of the folders.
        DataError: No folders, one that cannot be read, one without images, or one that holds
            folders only.
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
            f"No classes in {shown(root)}: it holds no folders.",
            expected="one folder a class",
            received="images without folders" if loose else f"no folders and {_told(others)}",
            fix=(
                "pass labels=None, label_mode=None to read them without classes"
                if loose
                else _advice(others)
            ),
        )
    files: list[str] = []
    left_out: list[str] = []
    counts = []
    for name in names:
        members, others = _members(root, name, follow_links)
        files += members
        left_out += others
        counts.append(len(members))
    _tell(left_out)
    return Found(files, np.repeat(np.arange(len(names), dtype=np.int32), counts), names)


def _members(root: Path, name: str, follow_links: bool) -> tuple[list[str], list[str]]:
    """The image files of a class, and its images of kinds that are not read."""
    folder = root / name
    if not is_utf8(name):
        raise DataError(
            f"The name of the class '{shown(name)}' is not valid text.",
            expected="the name of a folder in UTF-8",
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
            received=_told(others),
            fix=_advice(others) or "fill the folder or remove it",
        )
    if not any(os.path.dirname(file) == str(folder) for file in members):
        _refuse_nested(root, folder)
    return members, others


def _refuse_nested(root: Path, folder: Path) -> None:
    """Refuse a folder in a folder, as archives make it: its folders would count as one class."""
    inside = ", ".join(shown(inner.name) for inner in folders_in(folder)[:3])
    home = _home_of_classes(folder)
    raise DataError(
        f"{shown(folder)} has no images of its own, only folders: it is not a class.",
        expected=f"one folder a class in {shown(root)}, with images in each",
        received=f"the folders {inside}, ...",
        fix=(
            f"name {shown(home)} if its folders are the classes; else move the images up into"
            f" {shown(folder)}"
        ),
    )


def _home_of_classes(folder: Path) -> Path:
    """The folder in `folder`, or itself, whose folders hold images."""
    here = folder
    while inner := folders_in(here):
        if any(_has_images(path) for path in inner):
            return here
        here = inner[0]
    return folder


def _has_images(folder: Path) -> bool:
    return any(
        name.lower().endswith(ENDINGS) and not _is_litter(name) for name in os.listdir(folder)
    )


def _images(folder: Path, follow_links: bool) -> tuple[list[str], list[str]]:
    """All image files in a folder and the folders within, sorted; and those of kinds that are not read."""
    seen: set[str] = set()
    found: list[str] = []
    others: list[str] = []

    def refuse(error: OSError) -> None:
        raise _closed(error) from None

    for here, folders, files in os.walk(folder, followlinks=follow_links, onerror=refuse):
        folders[:] = [name for name in folders if not _is_litter(name)]
        for name in folders if not follow_links else ():
            _refuse_link(Path(here, name))
        real = os.path.realpath(here)
        if real in seen:  # a link that leads back to a folder above it
            folders.clear()
            continue
        seen.add(real)
        start = str(Path(here, "x"))[
            :-1
        ]  # a Path for each of many files would take longer than finding them
        found += [start + n for n in files if n.lower().endswith(ENDINGS) and not _is_litter(n)]
        others += [n for n in files if n.lower().endswith(OTHER_ENDINGS) and not _is_litter(n)]
    return sorted(found, key=_parts_of), others


def _is_litter(name: str) -> bool:
    """Whether a name is hidden, or one of those that systems put into everyone's folders."""
    return name.startswith(".") or name in _OF_SYSTEMS


def _parts_of(file: str) -> list[str]:
    """What paths are sorted by: folders within a folder come together, as with `Path`."""
    return os.path.normcase(file).split(os.sep)


def _refuse_link(folder: Path) -> None:
    if folder.is_symlink():
        raise DataError(
            f"The folder {shown(folder)} is a link.",
            expected="folders",
            received=f"a link to {shown(os.path.realpath(folder))}",
            fix="pass follow_links=True if its images belong to the data",
        )


def _closed(error: OSError) -> DataError:
    return DataError(
        f"The folder {shown(os.fsdecode(error.filename or ''))} cannot be read.",
        expected="a folder that you may read",
        received=error.strerror or error,
        fix="change its permissions (chmod u+rx), or move it out of the data",
    )


def _told(others: list[str]) -> str:
    """What is there in place of images."""
    if not others:
        return "none"
    endings = ", ".join(sorted({os.path.splitext(name)[1].lower() for name in others}))
    return (
        f"{len(others)} {'file' if len(others) == 1 else 'files'} of kinds that are not read"
        f" ({endings})"
    )


def _advice(others: list[str]) -> str | None:
    return "save them as PNG files" if others else None


def _tell(others: list[str]) -> None:
    if others:
        warnings.warn(f"Left out: {_told(others)}.", stacklevel=5)
