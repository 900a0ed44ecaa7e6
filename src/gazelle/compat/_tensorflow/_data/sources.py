"""Data sets of files, and the functions of `tf.data` besides `Dataset`."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle.compat._tensorflow._data.dataset import (
    AUTOTUNE,
    Dataset,
    DatasetIterator,
    Options,
)
from gazelle.compat._tensorflow._data.elements import as_arrays
from gazelle.compat._tensorflow._data.rows import INFINITE, UNKNOWN
from gazelle.compat._tensorflow._files import path_of
from gazelle.compat._tensorflow._host import HostTensor, as_texts, host_tensor
from gazelle.compat._tensorflow._table import ANSWERS, answers, enter


def list_files(
    file_pattern: Any, shuffle: bool | None = None, seed: Any = None, name: Any = None
) -> Dataset:
    """The paths of the files that match a pattern, in a random order unless `shuffle` is False.

    Raises:
        ArgumentError: There is none.
    """
    patterns = as_texts(file_pattern).reshape(-1)
    found = ANSWERS["io.gfile.glob"]([pattern.decode() for pattern in patterns])
    if not found:
        raise ArgumentError("No files matched the pattern.", received=[*patterns])
    dataset = Dataset.from_tensor_slices(found)
    return dataset if shuffle is False else dataset.shuffle(len(found), seed)


Dataset.list_files = staticmethod(list_files)  # pyright: ignore[reportAttributeAccessIssue]


@answers("data.TextLineDataset")
def _text_lines(filenames: Any, *_: Any, **__: Any) -> Dataset:
    files = [filenames] if isinstance(filenames, str) else as_texts(filenames).reshape(-1)

    def iterate() -> Iterator[Any]:
        for file in files:
            with open(path_of(file), "rb") as lines:
                for line in lines:
                    yield host_tensor(line.rstrip(b"\r\n"))

    return Dataset(iterate)


@answers("data.experimental.make_csv_dataset")
def _make_csv_dataset(
    file_pattern: Any,
    batch_size: int,
    column_names: Sequence[str] | None = None,
    column_defaults: Any = None,
    label_name: str | None = None,
    select_columns: Sequence[str] | None = None,
    field_delim: str = ",",
    na_value: str = "",
    header: bool = True,
    num_epochs: int | None = None,
    shuffle: bool = True,
    shuffle_buffer_size: int = 10000,
    shuffle_seed: int | None = None,
    num_rows_for_inference: int | None = None,
    ignore_errors: bool = False,
    **_: Any,
) -> Dataset:
    files = ANSWERS["io.gfile.glob"](file_pattern)
    if not files:
        raise ArgumentError("No files matched the pattern.", received=file_pattern)
    rows: list[list[str]] = []
    names = None if column_names is None else list(column_names)
    for file in files:
        with open(file, newline="", encoding="utf-8") as lines:
            read = csv.reader(lines, delimiter=field_delim)
            first = next(read) if header else None
            names = first if names is None else names
            rows += read
    columns = dict(zip(names or [], zip(*rows, strict=True), strict=True))
    if select_columns is not None:
        columns = {name: columns[name] for name in select_columns}
    arrays = {name: _column(values, na_value) for name, values in columns.items()}
    data: Any = arrays
    if label_name is not None:
        data = (arrays, arrays.pop(label_name))
    dataset = Dataset.from_tensor_slices(data)
    if shuffle:
        dataset = dataset.shuffle(shuffle_buffer_size, shuffle_seed)
    return dataset.repeat(num_epochs).batch(batch_size)


def _column(values: Sequence[str], missing: str) -> np.ndarray:
    """A column of a table as whole numbers, floats or text."""
    filled = ["0" if value in ("", missing) else value for value in values]
    for kind in (np.int32, np.float32):
        try:
            return np.asarray(filled, dtype=kind)
        except (ValueError, OverflowError):
            continue
    return as_texts(list(values))


# ---- Several data sets ----


@answers("data.Dataset.sample_from_datasets", "data.experimental.sample_from_datasets")
def _sample_from(
    datasets: Sequence[Dataset],
    weights: Any = None,
    seed: Any = None,
    stop_on_empty_dataset: bool = False,
    **_: Any,
) -> Dataset:
    chances = np.ones(len(datasets)) if weights is None else np.asarray(weights, float)

    def iterate() -> Iterator[Any]:
        rng = np.random.default_rng(seed)
        sources = [one.as_numpy_iterator() for one in datasets]
        left = chances.copy()
        while left.sum() > 0:
            place = rng.choice(len(sources), p=left / left.sum())
            found = list(itertools.islice(sources[place], 1))
            if not found and stop_on_empty_dataset:
                return
            if not found:
                left[place] = 0
            yield from map(as_arrays, found)

    return Dataset(iterate)


Dataset.sample_from_datasets = staticmethod(_sample_from)  # pyright: ignore[reportAttributeAccessIssue]

# ---- Functions of `tf.data.experimental` that are methods today ----


def _method(name: str) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Callable[[Dataset], Any]:
        return lambda dataset: getattr(dataset, name)(*args, **kwargs)

    return make


for _name in ("unbatch", "unique", "scan", "take_while", "ignore_errors"):
    enter(f"data.experimental.{_name}", _method(_name))
enter("data.experimental.parallel_interleave", _method("interleave"))
enter("data.experimental.prefetch_to_device", lambda *_, **__: lambda dataset: dataset)


@answers("data.experimental.map_and_batch")
def _map_and_batch(
    map_func: Callable[..., Any], batch_size: int, drop_remainder: bool = False, **_: Any
) -> Callable[[Dataset], Dataset]:
    return lambda dataset: dataset.map(map_func).batch(batch_size, drop_remainder)


@answers("data.experimental.shuffle_and_repeat")
def _shuffle_and_repeat(
    buffer_size: int, count: Any = None, seed: Any = None
) -> Callable[[Dataset], Dataset]:
    return lambda dataset: dataset.shuffle(buffer_size, seed).repeat(count)


@answers("data.experimental.cardinality")
def _cardinality(dataset: Dataset) -> HostTensor:
    return dataset.cardinality()


@answers("data.experimental.assert_cardinality")
def _assert_cardinality(expected_cardinality: Any) -> Callable[[Dataset], Dataset]:
    return lambda dataset: dataset.with_length(int(expected_cardinality))


@answers("data.experimental.get_single_element")
def _get_single_element(dataset: Dataset) -> Any:
    return dataset.get_single_element()


@answers("data.experimental.get_structure")
def _get_structure(dataset: Dataset) -> Any:
    return dataset.element_spec


enter("data.Dataset", Dataset)
enter("data.AUTOTUNE", AUTOTUNE)
enter("data.experimental.AUTOTUNE", AUTOTUNE)
enter("data.INFINITE_CARDINALITY", INFINITE)
enter("data.UNKNOWN_CARDINALITY", UNKNOWN)
enter("data.experimental.INFINITE_CARDINALITY", INFINITE)
enter("data.experimental.UNKNOWN_CARDINALITY", UNKNOWN)
enter("data.Options", Options)
enter("data.Iterator", DatasetIterator)
