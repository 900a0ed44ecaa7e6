"""What data sets of folders share: labels, the order of the files, and the split for validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gazelle._core.checks import one_of
from gazelle._core.console import say, shown
from gazelle._core.errors import ArgumentError, DataError


class Found(NamedTuple):
    """The files of a folder.

    Args:
        files: Paths of the files.
        numbers: Class number of each file, int32 `(files,)`; None without classes.
        names: Names of the classes; empty without classes.
    """

    files: list[str]
    numbers: np.ndarray | None
    names: list[str]


def index(
    root: Path,
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    *,
    find: Callable[[Path], list[str]],
    find_by_class: Callable[[Path, Sequence[str] | None], Found],
) -> Found:
    """Find the files, their classes and the names of the classes.

    Args:
        root: The folder.
        labels: `"inferred"`, None, or one label per file.
        label_mode: The form of the labels; None for none.
        class_names: Names of the classes in the order of their numbers; None for sorted names.
        find: The files of a folder.
        find_by_class: The files of a folder with a subfolder per class.

    Raises:
        ArgumentError: Arguments contradict each other, or there is not one label per file.
        DataError: The folder is missing.
    """
    if not root.is_dir():
        raise DataError(
            f"There is no folder {shown(root)}.",
            expected="a folder with one subfolder per class",
            received="a file" if root.is_file() else "nothing at this path",
            fix="check the path",
        )
    if isinstance(labels, str) and labels == "inferred" and label_mode is not None:
        return find_by_class(root, class_names)
    if class_names is not None:
        raise ArgumentError(
            'class_names needs labels="inferred".',
            received=f"labels={labels!r}",
            fix="leave class_names out",
        )
    files = find(root)
    if labels is None or isinstance(labels, str):
        if labels not in (None, "inferred") or label_mode is not None:
            raise ArgumentError(
                "labels and label_mode do not match.",
                expected=(
                    'labels="inferred", labels=None with label_mode=None, or one label per file'
                ),
                received=f"labels={labels!r}, label_mode={label_mode!r}",
            )
        return Found(files, None, [])
    names, numbers = np.unique(np.asarray(labels), return_inverse=True)
    if len(numbers) != len(files):
        raise ArgumentError(
            "labels must have one label per file.",
            expected=f"{len(files)} labels, in the order of the sorted file names",
            received=f"{len(numbers)} labels",
        )
    return Found(files, numbers.astype(np.int32), [str(name) for name in names])


def told_found(found: Found) -> None:
    """Print the numbers of files and classes."""
    of_classes = f" belonging to {len(found.names)} classes" if found.names else ""
    say(f"Found {len(found.files)} files{of_classes}.")


def shuffled(found: Found, seed: int | None) -> Found:
    """The files in random order, with their classes."""
    generator = np.random if seed is None else np.random.RandomState(seed)
    order = generator.permutation(len(found.files))
    numbers = None if found.numbers is None else found.numbers[order]
    return Found([found.files[i] for i in order], numbers, found.names)


def check_split(
    split: float | None, subset: str | None, shuffle: bool, seed: int | None, owner: str, what: str
) -> None:
    """Refuse arguments of a split that contradict each other.

    Args:
        split: The share for validation; None for no split.
        subset: The parts that are wanted.
        shuffle: Whether the files are shuffled.
        seed: The seed of the shuffling.
        owner: The function, for error texts.
        what: What is split, for error texts: `"images"`.

    Raises:
        ArgumentError: What is wrong.
    """
    if (split is None) != (subset is None):
        raise ArgumentError(
            "validation_split and subset must be used together.",
            expected='validation_split=0.2, subset="training" (or "validation" or "both")',
            received=f"validation_split={split!r}, subset={subset!r}",
        )
    if split is None:
        return
    one_of("subset", subset, ("training", "validation", "both"), owner)
    if not 0 < split < 1:
        raise ArgumentError(
            f"validation_split must be a share of the {what}.",
            expected="a number between 0 and 1",
            received=repr(split),
        )
    if shuffle and seed is None and subset != "both":
        raise ArgumentError(
            "With shuffle=True and validation_split, a seed is needed: otherwise training and"
            " validation data would overlap.",
            expected="the same seed in both calls",
            received="seed=None",
            fix='pass seed=1 in both calls, or subset="both" in one call',
        )


def parts(
    count: int, split: float | None, subset: str | None, verbose: bool, what: str
) -> list[slice]:
    """The files of each data set that is wanted, in order.

    Raises:
        ArgumentError: A part would be empty.
    """
    if split is None:
        return [slice(0, count)]
    held_out = int(split * count)
    if not 0 < held_out < count:
        raise ArgumentError(
            f"validation_split leaves a part without {what}.",
            expected=f"at least one {what.removesuffix('s')} in each part",
            received=f"{held_out} of {count} {what} for validation",
            fix="choose another validation_split",
        )
    at = count - held_out
    wanted = {"training": slice(0, at), "validation": slice(at, count)}
    if subset is not None and subset != "both":
        wanted = {subset: wanted[subset]}
    if verbose:
        for name, part in wanted.items():
            say(f"Using {part.stop - part.start} files for {name}.")
    return list(wanted.values())


def warn_of_lost_classes(found: Found, wanted: list[slice], what: str) -> None:
    """Warn if a part has no files of a class."""
    if found.numbers is None:
        return
    for part in wanted:
        lost = sorted(set(range(len(found.names))) - set(found.numbers[part].tolist()))
        if lost:
            shown_names = ", ".join(repr(found.names[i]) for i in lost[:3])
            warnings.warn(
                f"The split leaves one part without {what} of {shown_names}: pass shuffle=True and"
                " a seed, or a larger share.",
                stacklevel=3,
            )


def labels_of(found: Found, label_mode: str | None) -> np.ndarray | None:
    """The labels in the form of `label_mode`; None without.

    Raises:
        ArgumentError: `"binary"`, and there are not two classes.
    """
    numbers, classes = found.numbers, len(found.names)
    if numbers is None or label_mode is None or label_mode == "int":
        return None if label_mode is None else numbers
    if label_mode == "binary":
        if classes != 2:
            raise ArgumentError(
                'label_mode="binary" needs two classes.',
                expected="2 classes",
                received=f"{classes} classes",
                fix='pass label_mode="int" or "categorical"',
            )
        return numbers[:, None].astype(np.float32)
    return np.eye(classes, dtype=np.float32)[numbers]
