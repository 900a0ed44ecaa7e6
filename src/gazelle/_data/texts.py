"""Reading a folder of texts, with one subfolder per class, into memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.checks import one_of, positive_int
from gazelle._core.console import shown
from gazelle._core.errors import ArgumentError, DataError
from gazelle._data.dataset import TextDataset
from gazelle._data.splits import (
    Found,
    check_split,
    index,
    labels_of,
    parts,
    shuffled,
    told_found,
    warn_of_lost_classes,
)

ENDING = ".txt"


def text_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Read a folder of text files (`.txt`, UTF-8) into memory.

    Unlike in Keras, the result is a `TextDataset` for models with text inputs, not a `tf.data`
    dataset: `TextVectorization.adapt` takes `dataset.x`.

    Args:
        directory: The folder. With `labels="inferred"` it has one subfolder per class.
        labels: `"inferred"` (from the subfolders), None (no labels), or one label per file, in the
            order of the sorted files.
        label_mode: `"int"`, `"categorical"` (one-hot), `"binary"` (two classes, 0.0 and 1.0) or
            None.
        class_names: Names of the subfolders in the order of the class numbers; None for sorted
            names.
        batch_size: Texts per batch; None for single texts.
        max_length: Longer texts are cut after so many characters; None for whole texts.
        shuffle: Whether to shuffle the texts; otherwise they are sorted by class and file name.
        seed: Seed of the shuffling.
        validation_split: Share of the texts, between 0 and 1, to use for validation. These are the
            last ones after shuffling.
        subset: With `validation_split`: `"training"`, `"validation"`, or `"both"` for a pair of
            data sets.
        follow_links: Whether to look into folders that are links.
        format: Ignored; accepted for compatibility with Keras.
        verbose: Whether to print the number of files.

    Returns:
        A `TextDataset`, or a pair `(training, validation)` for `subset="both"`.

    Raises:
        ArgumentError: Arguments have unknown values or contradict each other.
        DataError: The folder is missing, or has no classes or no texts; or a file is not UTF-8.
    """
    owner = "text_dataset_from_directory"
    one_of("label_mode", label_mode, ("int", "categorical", "binary", None), owner)
    for name, value in (("batch_size", batch_size), ("max_length", max_length)):
        if value is not None:
            positive_int(name, value, owner)
    check_split(validation_split, subset, shuffle, seed, owner, "texts")
    if labels is None:
        label_mode = None
    found = index(
        *(Path(directory), labels, label_mode, class_names),
        find=lambda root: _find(root, follow_links),
        find_by_class=lambda root, names: _find_by_class(root, names, follow_links),
    )
    y = labels_of(found, label_mode)
    if verbose:
        told_found(found)
    if shuffle:
        found = shuffled(found, seed)
        y = labels_of(found, label_mode)
    wanted = parts(len(found.files), validation_split, subset, verbose, "texts")
    warn_of_lost_classes(found, wanted, "texts")
    made = []
    for part in wanted:
        files = found.files[part]
        texts = np.array([_read(file, max_length) for file in files], dtype=object)
        given = None if y is None else y[part]
        made.append(
            TextDataset(texts, given, found.names or None, files, batch_size, shuffle=shuffle)
        )
    return made[0] if len(made) == 1 else tuple(made)


def _find(root: Path, follow_links: bool) -> list[str]:
    """All text files in a folder and its subfolders, sorted.

    Raises:
        DataError: There are none.
    """
    files = [
        os.path.join(parent, name)
        for parent, _, names in os.walk(root, followlinks=follow_links)
        for name in names
        if name.lower().endswith(ENDING) and not name.startswith(".")
    ]
    if not files:
        raise DataError(
            f"No texts in {shown(root)}.",
            expected=f"files ending in {ENDING}",
            received="none",
        )
    return sorted(files)


def _find_by_class(root: Path, class_names: Sequence[str] | None, follow_links: bool) -> Found:
    """All text files of a folder with one subfolder per class.

    Raises:
        ArgumentError: `class_names` are not the names of the subfolders.
        DataError: There are no subfolders, or one has no texts.
    """
    folders = sorted(one.name for one in root.iterdir() if one.is_dir() and one.name[0] != ".")
    names = folders if class_names is None else list(class_names)
    if sorted(names) != folders:
        raise ArgumentError(
            "class_names must be the names of all folders, each once.",
            expected=folders,
            received=names,
        )
    if not names:
        raise DataError(
            f"No classes in {shown(root)}: it has no subfolders.",
            expected="one folder per class",
            received="no folders",
            fix="pass labels=None, label_mode=None to read texts without classes",
        )
    members = [_find(root / name, follow_links) for name in names]
    numbers = np.repeat(np.arange(len(names), dtype=np.int32), [len(one) for one in members])
    return Found([file for one in members for file in one], numbers, names)


def _read(file: str, max_length: int | None) -> str:
    """A text, cut after `max_length` characters."""
    try:
        return Path(file).read_text(encoding="utf-8")[:max_length]
    except UnicodeDecodeError as error:
        raise DataError(
            f"The text {shown(file)} cannot be read.",
            expected="a text in UTF-8",
            received=f"another encoding: {error.reason} at byte {error.start}",
            fix="save it as UTF-8, or remove it",
        ) from None
