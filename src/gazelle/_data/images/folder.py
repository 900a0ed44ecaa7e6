"""Reading a folder of images, with one subfolder per class, into memory."""

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
from gazelle._core.console import shown
from gazelle._core.errors import ArgumentError, DataError
from gazelle._core.packages import need
from gazelle._data.dataset import ImageDataset
from gazelle._data.images.decoding import INTERPOLATIONS, MODES, ImageSpec, opened
from gazelle._data.images.index import find, find_by_class
from gazelle._data.images.workers import decode_all
from gazelle._data.memory import aligned_empty
from gazelle._data.splits import (
    check_split,
    index,
    labels_of,
    parts,
    shuffled,
    told_found,
    warn_of_lost_classes,
)

_MOST_NAMED = 20  # unreadable files that a message names


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

    It reads PNG, JPEG, GIF (first frame), BMP and WebP files. Other files, hidden folders and
    system folders (`.git`, `__MACOSX`) are ignored. Unlike in Keras, the result is an
    `ImageDataset`, not a `tf.data` dataset, and shrinking averages over all pixels. Transparent
    images get a white background (black if the visible part is nearly white), with a warning,
    unless `color_mode` is `"rgba"`; Keras shows the colors that are hidden under the transparency.

    Args:
        directory: The folder. With `labels="inferred"` it has one subfolder per class.
        labels: `"inferred"` (from the subfolders), None (no labels), or one label per file, in the
            order of the sorted files.
        label_mode: `"int"`, `"categorical"` (one-hot), `"binary"` (two classes, 0.0 and 1.0) or
            None.
        class_names: Names of the subfolders in the order of the class numbers; None for sorted
            names.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        batch_size: Images per batch; None for single images.
        image_size: `(height, width)` to resize the images to. None keeps their size, which must
            then be the same for all.
        shuffle: Whether to shuffle the images; otherwise they are sorted by class and file name.
        seed: Seed of the shuffling.
        validation_split: Share of the images, between 0 and 1, to use for validation. These are
            the last ones after shuffling.
        subset: With `validation_split`: `"training"`, `"validation"`, or `"both"` for a pair of
            data sets.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"area"`, `"lanczos"`, ...
        follow_links: Whether to follow links to folders; otherwise they are refused.
        crop_to_aspect_ratio: Whether to crop images to the aspect ratio instead of distorting them.
        pad_to_aspect_ratio: Whether to add black borders instead of distorting images.
        data_format: `"channels_last"` (the default) or `"channels_first"`.
        format: Ignored; accepted for compatibility with Keras.
        verbose: Whether to print the number of files and, on a terminal, to show progress.
        skip_bad: Whether to leave out images that cannot be read, with a warning; otherwise they
            raise an error.

    Returns:
        An `ImageDataset`, or a pair `(training, validation)` for `subset="both"`.

    Raises:
        PackageError: pillow is not installed.
        ArgumentError: Arguments have unknown values or contradict each other.
        DataError: The folder is missing, has no classes, or has a class without images; a folder or
            an image cannot be read; the images differ in size or do not fit into memory. The
            message names the files or the folder.
    """
    owner = "image_dataset_from_directory"
    need(owner, "PIL")
    one_of("color_mode", color_mode, tuple(MODES), owner)
    one_of("interpolation", interpolation, tuple(INTERPOLATIONS), owner)
    one_of("label_mode", label_mode, ("int", "categorical", "binary", None), owner)
    one_of("data_format", data_format, ("channels_last", "channels_first", None), owner)
    if batch_size is not None:
        positive_int("batch_size", batch_size, owner)
    _check_size(image_size)
    fit = _fit(crop_to_aspect_ratio, pad_to_aspect_ratio)
    check_split(validation_split, subset, shuffle, seed, owner, "images")
    found = index(
        *(Path(directory), labels, label_mode, class_names),
        find=lambda root: find(root, follow_links),
        find_by_class=lambda root, names: find_by_class(root, names, follow_links),
    )
    if verbose:
        told_found(found)
    if shuffle:
        found = shuffled(found, seed)
    files = found.files
    wanted = parts(len(files), validation_split, subset, verbose, "images")
    warn_of_lost_classes(found, wanted, "images")
    # `wanted` count from the first file of the folder; `x` and `bad` from the first file that is
    # read.
    first, stop = wanted[0].start, wanted[-1].stop
    x, bad = _read(files[first:stop], color_mode, image_size, interpolation, fit, verbose, skip_bad)
    if data_format == "channels_first":
        x = x.transpose(0, 3, 1, 2)
    bad_rows = [first + number for number in bad]
    _refuse_emptied(found.numbers, bad_rows, found.names)
    y = labels_of(found, label_mode)
    datasets = []
    for part in wanted:
        rows = np.arange(part.start, part.stop)
        images = x[part.start - first : part.stop - first]
        if bad_rows:
            rows = np.setdiff1d(rows, bad_rows, assume_unique=True)
            if len(rows) < len(images):
                images = x[rows - first]
        datasets.append(
            ImageDataset(
                images,
                None if y is None else y[rows],
                found.names or None,
                [files[row] for row in rows],
                batch_size,
                shuffle,
            )
        )
    return datasets[0] if len(datasets) == 1 else tuple(datasets)


def _check_size(image_size: tuple[int, int] | None) -> None:
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise ArgumentError(
            "image_size is not a valid size.",
            expected="(height, width) or None",
            received=repr(image_size),
        )


def _fit(crop: bool, pad: bool) -> str:
    """How images are fitted to another aspect ratio, see `resized`."""
    if crop and pad:
        raise ArgumentError(
            "Only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be True.", received="both"
        )
    if crop:
        return "crop"
    return "pad" if pad else "stretch"


def _read(
    files: list[str],
    color_mode: str,
    size: tuple[int, int] | None,
    interpolation: str,
    fit: str,
    verbose: bool,
    skip_bad: bool,
) -> tuple[np.ndarray, list[int]]:
    """Decode images.

    Returns:
        uint8 `(n, height, width, channels)`, and the numbers of the images that are left out.
    """
    reference = "" if size else _first_that_opens(files)
    height, width = size or _own_size(reference)
    spec = ImageSpec(height, width, color_mode, interpolation, fit, reference)
    shape = (len(files), *spec.shape)
    _check_memory(shape)
    x = aligned_empty(shape, np.uint8)
    with _progress(len(files), verbose) as advance:
        outcome = decode_all(x, files, spec, advance)
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
    """A sentence, without its full stop, about `count` transparent images of `total`."""
    images = f"{count:,} of {total:,} images" if total > 1 else "The image"
    verb = "is" if 1 in (count, total) else "are"
    return (
        f"{images} {verb} transparent: the background becomes white (black if the image is nearly"
        " white)"
    )


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)


def all_bad(errors: list[DataError], total: int, fix: str = "") -> DataError:
    """Combine the errors of images that cannot be read; the first twenty are named.

    Args:
        errors: The error of each image.
        total: Number of all images.
        fix: What to do instead of the usual advice.
    """
    if len(errors) == 1:
        return errors[0]
    lines = [f"{len(errors)} that are not"]
    lines += [_name_and_reason(error) for error in sorted(errors, key=str)[:_MOST_NAMED]]
    if len(errors) > _MOST_NAMED:
        lines.append(f"    and {len(errors) - _MOST_NAMED} more")
    return DataError(
        f"{len(errors)} of {total} images cannot be read.",
        expected="complete image files",
        received="\n".join(lines),
        fix=fix or "remove or replace these files, or pass skip_bad=True to leave them out",
    )


def _name_and_reason(error: DataError) -> str:
    """An error of `decoding.py` in one line: the name of the image and what was received."""
    problem, *lines = str(error).splitlines()
    problem = problem.removesuffix(".")
    name = problem.partition("image ")[2] or problem
    prefix = "  received: "
    reasons = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
    return f"    {name}: {reasons[0] if reasons else ''}"


def _refuse_emptied(numbers: np.ndarray | None, bad: list[int], names: list[str]) -> None:
    """Refuse data in which no image of some class can be read."""
    if not bad or numbers is None or not names:
        return
    left = np.bincount(np.delete(numbers, bad), minlength=len(names))
    for name, count in zip(names, left, strict=True):
        if not count:
            raise DataError(
                f"No image of the class '{shown(name)}' can be read.",
                expected="at least one image",
                received="none",
                fix="replace its files, or remove its folder",
            )


def _first_that_opens(files: list[str]) -> str:
    """The first file that can be opened; the others must have its size."""
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
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # the system does not report it
        return
    if needed > 0.9 * memory:
        raise DataError(
            f"{shape[0]} images of {shape[1]} x {shape[2]} pixels do not fit into memory.",
            expected=f"at most {memory / 1e9:.1f} GB",
            received=f"{needed / 1e9:.1f} GB",
            fix=(
                "pass a smaller image_size; dense networks seldom benefit from more than 64 x 64"
                " pixels"
            ),
        )


@contextmanager
def _progress(total: int, verbose: bool) -> Iterator[Callable[[int], Any]]:
    """A progress bar on a terminal; nothing elsewhere."""
    if not verbose or sys.stdout is None or not sys.stdout.isatty():
        yield lambda count: None
        return
    from rich.progress import Progress

    with Progress(transient=True) as progress:
        task = progress.add_task("Reading images", total=total)
        yield lambda count: progress.advance(task, count)
