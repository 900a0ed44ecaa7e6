"""A folder of images, one folder a class, as arrays in memory."""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gazelle._core.checks import one_of, positive_int
from gazelle._core.errors import ArgumentError, DataError
from gazelle._core.packages import need
from gazelle.utils.dataset import ImageDataset
from gazelle.utils.decoding import INTERPOLATIONS, MODES, Wanted, opened
from gazelle.utils.image_crew import decode_all
from gazelle.utils.memory import aligned_empty

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


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
) -> Any:
    """Read a folder of images into memory, decoding on all cores.

    The files are PNG, JPEG, GIF (first frame), BMP and WebP; other files are left out. Unlike Keras's, the result is
    no `tf.data` data set but an `ImageDataset`, and shrinking averages over all pixels.

    Args:
        directory: The folder; with `labels="inferred"` it holds one folder a class.
        labels: `"inferred"` (from the folders), None (no labels), or one label a file, in the files' sorted order.
        label_mode: `"int"`, `"categorical"` (one-hot), `"binary"` (two classes, 0.0 and 1.0) or None.
        class_names: The classes' folders in the order of their numbers; sorted when None.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        batch_size: Images a batch; None for single images.
        image_size: `(height, width)` that all are brought to; None keeps their own, which must be one size.
        shuffle: Whether the images are mixed; else they come sorted by class and file name.
        seed: Makes the mixing repeatable.
        validation_split: Share (0 to 1) of the images, the last ones after mixing, that validation gets.
        subset: With `validation_split`: `"training"`, `"validation"`, or `"both"` for a pair of data sets.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"area"`, `"lanczos"`, ...
        follow_links: Whether folders that are links are read too; otherwise they are refused.
        crop_to_aspect_ratio: Cut the middle out instead of distorting.
        pad_to_aspect_ratio: Put black beside instead of distorting.
        data_format: `"channels_last"` (when None) or `"channels_first"`.
        format: Taken for Keras's sake.
        verbose: Whether to print what was found and, on a terminal, show progress.

    Returns:
        An `ImageDataset`, or a pair for `subset="both"`.

    Raises:
        PackageError: pillow is not installed.
        ArgumentError: Arguments that have unknown values or contradict each other.
        DataError: No folder, no classes, a class without images, an image that cannot be read, sizes that differ, more
            images than memory holds. The file or folder is named.
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
        raise ArgumentError("image_size is no size.", expected="(height, width) or None", received=repr(image_size))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("Only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be True.", received="both")
    _check_split(validation_split, subset, shuffle, seed)
    found = _index(Path(directory), labels, label_mode, class_names, follow_links)
    if verbose:
        of_classes = f" belonging to {len(found.names)} classes" if found.names else ""
        print(f"Found {len(found.files)} files{of_classes}.")
    files, numbers = found.files, found.numbers
    if shuffle:
        order = (np.random if seed is None else np.random.RandomState(seed)).permutation(len(files))
        files, numbers = [files[i] for i in order], None if numbers is None else numbers[order]
    parts = _parts(len(files), validation_split, subset, verbose)
    _warn_of_lost_classes(numbers, parts, found.names)
    fit = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch"
    wanted = slice(min(part.start for part in parts), max(part.stop for part in parts))
    x = _read(files[wanted], color_mode, image_size, interpolation, fit, verbose)
    x = x.transpose(0, 3, 1, 2) if data_format == "channels_first" else x
    y = None if numbers is None or label_mode is None else _labels(numbers, label_mode, len(found.names))
    datasets = [
        ImageDataset(
            x[part.start - wanted.start : part.stop - wanted.start],
            None if y is None else y[part],
            found.names or None,
            files[part],
            batch_size,
            shuffle,
        )
        for part in parts
    ]
    return datasets[0] if len(datasets) == 1 else tuple(datasets)


class _Found(NamedTuple):
    files: list[str]
    numbers: np.ndarray | None  # the class of each file
    names: list[str]  # empty without classes


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
        raise ArgumentError("validation_split is no share.", expected="between 0 and 1", received=repr(split))
    if shuffle and seed is None and subset != "both":
        raise ArgumentError(
            "With shuffle=True and validation_split, seed is needed: training and validation would overlap.",
            expected="the same seed in both calls",
            received="seed=None",
            fix='pass seed=1 to both, or subset="both" in one call',
        )


def _index(
    root: Path, labels: Any, label_mode: str | None, class_names: Sequence[str] | None, follow_links: bool
) -> _Found:
    """The files, their classes and the classes' names."""
    if not root.is_dir():
        raise DataError(f"There is no folder {root}.", expected="a folder with one folder a class", received=str(root))
    if isinstance(labels, str) and labels == "inferred" and label_mode is not None:
        return _by_class(root, class_names, follow_links)
    if class_names is not None:
        raise ArgumentError(
            'class_names goes with labels="inferred".', received=f"labels={labels!r}", fix="leave class_names out"
        )
    files = sorted(_images(root, follow_links), key=_parts_of)
    if not files:
        raise DataError(f"No images in {root}.", expected=f"files ending with {', '.join(ENDINGS)}", received="none")
    if labels is None or isinstance(labels, str):
        if labels not in (None, "inferred") or label_mode is not None:
            raise ArgumentError(
                "labels and label_mode do not go together.",
                expected='labels="inferred", labels=None with label_mode=None, or one label a file',
                received=f"labels={labels!r}, label_mode={label_mode!r}",
            )
        return _Found(files, None, [])
    names, numbers = np.unique(np.asarray(labels), return_inverse=True)
    if len(numbers) != len(files):
        raise ArgumentError(
            "labels must hold one label a file.",
            expected=f"{len(files)} labels, in the order of the sorted file names",
            received=f"{len(numbers)} labels",
        )
    return _Found(files, numbers.astype(np.int32), [str(name) for name in names])


def _by_class(root: Path, class_names: Sequence[str] | None, follow_links: bool) -> _Found:
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    names = folders if class_names is None else list(class_names)
    if sorted(names) != folders:
        raise ArgumentError(
            "class_names must be the names of all folders, each once.", expected=folders, received=list(names)
        )
    if not folders:
        loose = any(_images(root, follow_links))
        raise DataError(
            f"No classes in {root}: it holds no folders.",
            expected="one folder a class",
            received="images without folders" if loose else "no folders and no images",
            fix="pass labels=None, label_mode=None to read them without classes" if loose else None,
        )
    files: list[str] = []
    counts = []
    for name in names:
        if not follow_links:
            _refuse_link(root / name)
        members = sorted(_images(root / name, follow_links), key=_parts_of)
        if not members:
            raise DataError(
                f"The class {name!r} has no images.",
                expected=f"files ending with {', '.join(ENDINGS)} in {root / name}",
                received="none",
                fix="fill the folder or remove it",
            )
        files += members
        counts.append(len(members))
    return _Found(files, np.repeat(np.arange(len(names), dtype=np.int32), counts), names)


def _images(folder: Path, follow_links: bool) -> Iterator[str]:
    """All image files in a folder and the folders within."""
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=follow_links):
        for name in folders if not follow_links else ():
            _refuse_link(Path(here, name))
        real = os.path.realpath(here)
        if real in seen:  # a link that leads back to a folder above it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        start = str(Path(here, "x"))[:-1]  # a Path for each of many files would take longer than finding them
        yield from (start + n for n in files if n.lower().endswith(ENDINGS) and not n.startswith("."))


def _parts_of(file: str) -> list[str]:
    """What paths are sorted by: folders within a folder come together, as with `Path`."""
    return os.path.normcase(file).split(os.sep)


def _refuse_link(folder: Path) -> None:
    if folder.is_symlink():
        raise DataError(
            f"The folder {folder} is a link.",
            expected="folders",
            received=f"a link to {os.path.realpath(folder)}",
            fix="pass follow_links=True if its images belong to the data",
        )


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
        print(f"Using {part.stop - part.start} files for {name}.")
    return list(chosen.values())


def _warn_of_lost_classes(numbers: np.ndarray | None, parts: list[slice], names: list[str]) -> None:
    if numbers is None:
        return
    for part in parts:
        lost = sorted(set(range(len(names))) - set(numbers[part].tolist()))
        if lost:
            warnings.warn(
                f"The split leaves one part without images of {', '.join(map(repr, (names[i] for i in lost[:3])))}: "
                "pass shuffle=True and a seed, or a larger share.",
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
    files: list[str], color_mode: str, size: tuple[int, int] | None, interpolation: str, fit: str, verbose: bool
) -> np.ndarray:
    """All images, uint8 `(n, height, width, channels)`."""
    height, width = size or _own_size(files[0])
    wanted = Wanted(height, width, color_mode, interpolation, fit, "" if size else files[0])
    shape = (len(files), *wanted.shape)
    _check_memory(shape)
    x = aligned_empty(shape, np.uint8)
    with _progress(len(files), verbose) as advance:
        decode_all(x, files, wanted, advance)
    return x


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
    if not verbose or not sys.stdout.isatty():
        yield lambda count: None
        return
    from rich.progress import Progress

    with Progress(transient=True) as progress:
        task = progress.add_task("Reading images", total=total)
        yield lambda count: progress.advance(task, count)
