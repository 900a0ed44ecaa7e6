"""Datasets: `PyDataset`, which serves batches by number, and images and texts in memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gazelle._core.checks import positive_int
from gazelle._core.errors import ArgumentError


class PyDataset:
    """Base class of data that is served batch by batch.

    A subclass defines `__getitem__`, and `__len__` or `num_batches`. `fit`, `evaluate` and
    `predict` accept an instance. Data that fits into memory trains faster as arrays.

    Example:
        >>> class Rows(PyDataset):
        ...     def __len__(self):
        ...         return 10
        ...     def __getitem__(self, index):
        ...         return np.zeros((32, 4)), np.zeros((32, 1))

    Args:
        workers: Ignored; accepted for compatibility with Keras.
        use_multiprocessing: Ignored; accepted for compatibility with Keras.
        max_queue_size: Ignored; accepted for compatibility with Keras.

    Raises:
        ArgumentError: An unknown argument, or `workers` or `max_queue_size` is not a positive int.
    """

    def __init__(
        self,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
        **kwargs: Any,
    ):
        """See the class."""
        if kwargs:
            raise ArgumentError(
                f"{type(self).__name__} got arguments that PyDataset does not have.",
                expected="workers, use_multiprocessing, max_queue_size",
                received=", ".join(kwargs),
                fix="accept them in your own __init__ and do not pass them to super().__init__",
            )
        self.workers = positive_int("workers", workers, "PyDataset")
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = positive_int("max_queue_size", max_queue_size, "PyDataset")

    def __getitem__(self, index: int) -> Any:
        """The batch with this number: `x`, `(x, y)` or `(x, y, sample_weight)`."""
        raise NotImplementedError(
            f"{type(self).__name__} must define __getitem__(self, index), which returns a batch."
        )

    @property
    def num_batches(self) -> int | None:
        """Number of batches in an epoch; None for endless data."""
        if hasattr(self, "__len__"):
            return len(self)  # pyright: ignore[reportArgumentType]
        raise NotImplementedError(
            f"{type(self).__name__} must define __len__(self) or the property num_batches."
        )

    def __iter__(self) -> Iterator[Any]:
        """The batches of one epoch, in order (endless if `num_batches` is None)."""
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""


Sequence = PyDataset  # its name in Keras 2


class ArrayDataset(PyDataset):
    """Samples in memory, which `fit`, `evaluate` and `predict` take as arrays.

    The order is fixed (it was drawn when the samples were read), so the rows of `predict(dataset)`
    match `dataset.y`.

    Attributes:
        x: The samples, `(n, ...)`.
        y: Labels, `(n,)` int32, `(n, 1)` float32 or `(n, classes)` float32, depending on
            `label_mode`; None without labels.
        class_names: Name of each class, in the order of the labels; None without labels.
        file_paths: File of each sample.
        batch_size: Samples per batch; None for single samples.
        shuffle: Whether training may shuffle the samples before each epoch.
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray | None,
        class_names: list[str] | None,
        file_paths: list[str],
        batch_size: int | None = 32,
        shuffle: bool = True,
    ):
        """See the class."""
        super().__init__()
        self.x = x
        self.y = y
        self.class_names = None if class_names is None else list(class_names)
        self.file_paths = list(file_paths)
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __len__(self) -> int:
        """Number of batches (of samples if `batch_size` is None)."""
        return math.ceil(len(self.x) / (self.batch_size or 1))

    def __getitem__(self, index: int) -> Any:
        """Batch number `index`: `(x, y)`, or `x` without labels.

        It is a single sample if `batch_size` is None.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"Batch index {index} is out of range for {len(self)} batches.")
        index %= len(self)
        rows: Any = index
        if self.batch_size is not None:
            rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        x = self._served(self.x[rows])
        return x if self.y is None else (x, self.y[rows])

    def _served(self, x: Any) -> Any:
        """Samples in the form in which batches hold them."""
        return x


class ImageDataset(ArrayDataset):
    """Images in memory, for `fit`, `evaluate` and `predict`; iterating over it gives batches.

    Batches are float32, as in Keras; `x` holds the bytes, uint8 `(n, height, width, channels)`,
    which training converts to floats on the device.
    """

    def _served(self, x: Any) -> Any:
        return x.astype(np.float32)

    def __repr__(self) -> str:
        """Number of images, their shape and the number of classes."""
        return (
            f"<ImageDataset of {len(self.x)} images {self.x.shape[1:]},"
            f" {len(self.class_names or ())} classes>"
        )


class TextDataset(ArrayDataset):
    """Texts in memory, for `fit`, `evaluate` and `predict`; iterating over it gives batches.

    `x` holds strings, `(n,)`.
    """

    def __repr__(self) -> str:
        """Number of texts and of classes."""
        return f"<TextDataset of {len(self.x)} texts, {len(self.class_names or ())} classes>"


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Pack a batch into a tuple: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Args:
        x: Inputs. A list or tuple of inputs is wrapped in a tuple, `(x,)`.
        y: Targets or None.
        sample_weight: Weights or None.
    """
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Unpack a batch into `(x, y, sample_weight)`, with None for missing parts.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Raises:
        ArgumentError: A tuple of another length.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ArgumentError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`.",
            expected="a tuple of length 1 to 3",
            received=f"a tuple of length {len(data)}",
            fix="put several inputs into a list or dict: ([x1, x2], y)",
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight
