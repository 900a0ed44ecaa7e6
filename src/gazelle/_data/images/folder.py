"""A folder of images, one folder a class, as arrays in memory."""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.checks import one_of, positive_int
from gazelle._core.console import say, shown
from gazelle._core.errors import ArgumentError, DataError
from gazelle._core.packages import need
from gazelle._data.dataset import ImageDataset
from gazelle._data.images.decoding import INTERPOLATIONS, MODES, Wanted, opened
from gazelle._data.images.index import Found, find, find_by_class
from gazelle._data.images.workers import decode_all
from gazelle._data.memory import aligned_empty

_MOST_NAMED = 20  # files that cannot be read


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: tuple[int, int] | None = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
    *,
    skip_bad: bool = False,
) -> Any:
    """Read a folder of images into memory, decoding on all cores.

    The files are PNG, JPEG, GIF (first frame), BMP and WebP; other files are left out, and so are
    hidden folders and those of systems (`.git`, `__MACOSX`). Unlike Keras's, the result is no
    `tf.data` data set but an `ImageDataset`, and shrinking averages over all pixels. Transparent
    images are laid on white (nearly white strokes: on black), with a warning, unless `color_mode`
    is `"rgba"`; Keras shows what lies hidden under the transparency.

    Args:
        directory: The folder; with `labels="inferred"` it holds one folder a class.
        labels: `"inferred"` (from the folders), None (no labels), or one label a file, in the
            files' sorted order.
        label_mode: `"int"`, `"categorical"` (one-hot), `"binary"` (two classes, 0.0 and 1.0) or
            None.
        class_names: The classes' folders in the order of their numbers; sorted when None.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        batch_size: Images a batch; None for single images.
        image_size: `(height, width)` that all are brought to; None keeps their own, which must be
            one size.
        shuffle: Whether the images are mixed; else they come sorted by class and file name.
        seed: Makes the mixing repeatable.
        validation_split: Share (0 to 1) of the images, the last ones after mixing, that validation
            gets.
        subset: With `validation_split`: `"training"`, `"validation"`, or `"both"` for a pair of
            data sets.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"area"`, `"lanczos"`, ...
        follow_links: Whether folders that are links are read too; otherwise they are refused.
        crop_to_aspect_ratio: Cut the middle out instead of distorting.
        pad_to_aspect_ratio: Put black beside instead of distorting.
        data_format: `"channels_last"` (when None) or `"channels_first"`.
        format: Taken for Keras's sake.
        verbose: Whether to print what was found and, on a terminal, show progress.
        skip_bad: Whether images that cannot be read are left out, with a warning; otherwise they
            are refused.

    Returns:
        An `ImageDataset`, or a pair for `subset="both"`.

    Raises:
        PackageError: pillow is not installed.
        ArgumentError: Arguments that have unknown values or contradict each other.
        DataError: No folder, no classes, a class without images, a class of folders, a folder or
            images that cannot be read, sizes that differ, more images than memory holds. The files
            or the folder are named.
    """
    owner = "image_dataset_from_directory"
    need(owner, "PIL")
    one_of("color_mode", color_mode, tuple(MODES), owner)
    one_of("interpolation", interpolation, tuple(INTERPOLATIONS), owner)
    one_of("label_mode", label_mode, ("int", "categorical", "binary", None), owner)
    one_of("data_format", data_format, ("channels_last", "channels_first", None), owner)
    if batch_size is not None:
        positive_int("batch_size", batch_size, owner)
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise ArgumentError(
            "image_size is not a size.",
            expected="(height, width) or None",
            received=repr(image_size),
        )
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError(
            "Only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be True.", received="both"
        )
    _check_split(validation_split, subset, shuffle, seed)
    found = _index(Path(directory), labels, label_mode, class_names, follow_links)
    if verbose:
        of_classes = f" belonging to {len(found.names)} classes" if found.names else ""
        say(f"Found {len(found.files)} files{of_classes}.")
    files, numbers = found.files, found.numbers
    if shuffle:
        order = (np.random if seed is None else np.random.RandomState(seed)).permutation(len(files))
        files, numbers = [files[i] for i in order], None if numbers is None else numbers[order]
    parts = _parts(len(files), validation_split, subset, verbose)
    _warn_of_lost_classes(numbers, parts, found.names)
    fit = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch"
    first = min(part.start for part in parts)
    wanted = slice(first, max(part.stop for part in parts))
    x, bad = _read(files[wanted], color_mode, image_size, interpolation, fit, verbose, skip_bad)
    x = x.transpose(0, 3, 1, 2) if data_format == "channels_first" else x
    _refuse_emptied(numbers, [first + number for number in bad], found.names)
    y = (
        None
        if numbers is None or label_mode is None
        else _labels(numbers, label_mode, len(found.names))
    )
    datasets = []
    for part in parts:
        rows = _rows(part, first, bad)
        images = (
            x[part.start - first : part.stop - first]
            if len(rows) == part.stop - part.start
            else x[rows - first]
        )
        named = [files[row] for row in rows]
        datasets.append(
            ImageDataset(
                images,
                None if y is None else y[rows],
                found.names or None,
                named,
                batch_size,
                shuffle,
            )
        )
    return datasets[0] if len(datasets) == 1 else tuple(datasets)


def _rows(part: slice, first: int, bad: list[int]) -> np.ndarray:
    """The numbers of a part's files, less those that are left out."""
    rows = np.arange(part.start, part.stop)
    return np.setdiff1d(rows, first + np.array(bad, int), assume_unique=True) if bad else rows


def _check_split(split: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    if (split is None) != (subset is None):
        raise ArgumentError(
            "validation_split and subset go together.",
            expected='validation_split=0.2, subset="training" (or "validation" or "both")',
            received=f"validation_split={split!r}, subset={subset!r}",
        )
    if split is None:
        return
    one_of("subset", subset, ("training", "validation", "both"), "image_dataset_from_directory")
    if not 0 < split < 1:
        raise ArgumentError(
            "validation_split is not a share.", expected="between 0 and 1", received=repr(split)
        )
    if shuffle and seed is None and subset != "both":
        raise ArgumentError(
            "With shuffle=True and validation_split, seed is needed: training and validation would"
            " overlap.",
            expected="the same seed in both calls",
            received="seed=None",
            fix='pass seed=1 to both, or subset="both" in one call',
        )


def _index(
    root: Path,
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    follow_links: bool,
) -> Found:
    """The files, their classes and the classes' names."""
    if not root.is_dir():
        raise DataError(
            f"There is no folder {shown(root)}.",
            expected="a folder with one folder a class",
            received="a file" if root.is_file() else "nothing there",
            fix="check the path",
        )
    if isinstance(labels, str) and labels == "inferred" and label_mode is not None:
        return find_by_class(root, class_names, follow_links)
    if class_names is not None:
        raise ArgumentError(
            'class_names needs labels="inferred".',
            received=f"labels={labels!r}",
            fix="leave class_names out",
        )
    files = find(root, follow_links)
    if labels is None or isinstance(labels, str):
        if labels not in (None, "inferred") or label_mode is not None:
            raise ArgumentError(
                "labels and label_mode do not go together.",
                expected='labels="inferred", labels=None with label_mode=None, or one label a file',
                received=f"labels={labels!r}, label_mode={label_mode!r}",
            )
        return Found(files, None, [])
    names, numbers = np.unique(np.asarray(labels), return_inverse=True)
    if len(numbers) != len(files):
        raise ArgumentError(
            "labels must hold one label a file.",
            expected=f"{len(files)} labels, in the order of the sorted file names",
            received=f"{len(numbers)} labels",
        )
    return Found(files, numbers.astype(np.int32), [str(name) for name in names])


def _parts(count: int, split: float | None, subset: str | None, verbose: bool) -> list[slice]:
    if split is None:
        return [slice(0, count)]
    held = int(split * count)
    if not 0 < held < count:
        raise ArgumentError(
            "validation_split leaves a part without images.",
            expected="at least one image in each part",
            received=f"{held} of {count} images for validation",
            fix="choose another validation_split",
        )
    both = {"training": slice(0, count - held), "validation": slice(count - held, count)}
    chosen = both if subset == "both" else {str(subset): both[str(subset)]}
    for name, part in chosen.items() if verbose else ():
        say(f"Using {part.stop - part.start} files for {name}.")
    return list(chosen.values())


def _warn_of_lost_classes(numbers: np.ndarray | None, parts: list[slice], names: list[str]) -> None:
    if numbers is None:
        return
    for part in parts:
        lost = sorted(set(range(len(names))) - set(numbers[part].tolist()))
        if lost:
            warnings.warn(
                "The split leaves one part without images of"
                f" {', '.join(map(repr, (names[i] for i in lost[:3])))}: pass shuffle=True and a"
                " seed, or a larger share.",
                stacklevel=3,
            )


def _labels(numbers: np.ndarray, label_mode: str, classes: int) -> np.ndarray:
    if label_mode == "int":
        return numbers
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


def _read(
    files: list[str],
    color_mode: str,
    size: tuple[int, int] | None,
    interpolation: str,
    fit: str,
    verbose: bool,
    skip_bad: bool,
) -> tuple[np.ndarray, list[int]]:
    """All images, uint8 `(n, height, width, channels)`, and the numbers of those that are left out."""
    model = "" if size else _first_that_opens(files)
    height, width = size or _own_size(model)
    wanted = Wanted(height, width, color_mode, interpolation, fit, model)
    shape = (len(files), *wanted.shape)
    _check_memory(shape)
    x = aligned_empty(shape, np.uint8)
    with _progress(len(files), verbose) as advance:
        outcome = decode_all(x, files, wanted, advance)
    bad = [number for number, _ in outcome.bad]
    if bad and not skip_bad:
        raise all_bad([error for _, error in outcome.bad], len(files))
    if bad:
        named = ", ".join(shown(files[number]) for number in bad[:_MOST_NAMED])
        more = f" and {len(bad) - _MOST_NAMED} more" if len(bad) > _MOST_NAMED else ""
        _warn(f"{len(bad)} of {len(files)} images cannot be read and are left out: {named}{more}.")
    if outcome.transparent:
        _warn(f"{transparent_words(outcome.transparent, len(files))}.")
    return x, bad


def transparent_words(count: int, total: int) -> str:
    """What is done about images with transparency."""
    some = f"{count:,} of {total:,} images" if total > 1 else "The image"
    return (
        f"{some} {'is' if 1 in (count, total) else 'are'} transparent: laid on white (nearly white"
        " strokes: on black)"
    )


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)


def all_bad(errors: list[DataError], total: int, fix: str = "") -> DataError:
    """One error that names all images that cannot be read, the first twenty with the reasons."""
    if len(errors) == 1:
        return errors[0]
    reasons = []
    for error in sorted(errors, key=str)[:_MOST_NAMED]:
        problem, *lines = str(error).splitlines()
        reason = next(
            (line.partition(": ")[2] for line in lines if line.startswith("  received: ")), ""
        )
        reasons.append(
            f"    {problem.removesuffix('.').partition('image ')[2] or problem.removesuffix('.')}:"
            f" {reason}"
        )
    more = [f"    and {len(errors) - _MOST_NAMED} more"] if len(errors) > _MOST_NAMED else []
    return DataError(
        f"{len(errors)} of {total} images cannot be read.",
        expected="whole image files",
        received="\n".join([f"{len(errors)} that are not", *reasons, *more]),
        fix=fix or "remove or replace these files, or pass skip_bad=True to leave them out",
    )


def _refuse_emptied(numbers: np.ndarray | None, bad: list[int], names: list[str]) -> None:
    """Refuse a class all of whose images cannot be read."""
    if not bad or numbers is None or not names:
        return
    left = np.bincount(np.delete(numbers, bad), minlength=len(names))
    for name, count in zip(names, left, strict=True):
        if not count:
            raise DataError(
                f"No image of the class '{shown(name)}' can be read.",
                expected="one image or more",
                received="none",
                fix="replace its files, or remove its folder",
            )


def _first_that_opens(files: list[str]) -> str:
    """The file whose size the others must have."""
    for file in files:
        try:
            _own_size(file)
        except DataError:
            continue
        return file
    return files[0]


def _own_size(file: str) -> tuple[int, int]:
    with opened(file) as image:
        return image.height, image.width


def _check_memory(shape: tuple[int, ...]) -> None:
    needed = math.prod(shape)
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # a system that does not tell
        return
    if needed > 0.9 * there:
        raise DataError(
            f"{shape[0]} images of {shape[1]} x {shape[2]} pixels do not fit into memory.",
            expected=f"at most {there / 1e9:.1f} GB",
            received=f"{needed / 1e9:.1f} GB",
            fix="pass a smaller image_size; a dense network seldom profits from more than 64 x 64",
        )


@contextmanager
def _progress(total: int, verbose: bool) -> Iterator[Callable[[int], Any]]:
    """A bar on a terminal, nothing elsewhere."""
    if not verbose or sys.stdout is None or not sys.stdout.isatty():
        yield lambda count: None
        return
    from rich.progress import Progress

    with Progress(transient=True) as progress:
        task = progress.add_task("Reading images", total=total)
        yield lambda count: progress.advance(task, count)
