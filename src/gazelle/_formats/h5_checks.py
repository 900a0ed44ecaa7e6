"""Checks of an HDF5 file before values are read: complete, no links, only plain stored numbers."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from gazelle._core.errors import ModelFileError, reason
from gazelle._files.reading import open_regular
from gazelle._formats.kinds import HDF5, ZIP, file_kind

try:
    from ml_dtypes import bfloat16
except ImportError:  # NumPy alone: two opaque bytes
    bfloat16 = "V2"
BFLOAT16 = np.dtype(bfloat16)

_MAX_OBJECTS = 200_000
_MAX_DEPTH = 40
_MAX_NAME = 1000  # bytes
_FILTERS = {1, 2, 3}  # deflate, shuffle, fletcher32: built in, so that no plugin is loaded
_DEFLATE_RATIO = 1100  # deflate compresses at most 1032-fold


@dataclass(frozen=True)
class Spec:
    """The shape and dtype (in native byte order) of one array in a file."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the array in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        """Shape and dtype, for messages."""
        return f"{self.shape} {self.dtype}"


def check_start(file: BinaryIO, label: str) -> None:
    """Check that a file starts like an HDF5 file and is not truncated.

    Raises:
        ModelFileError: It is not an HDF5 file, or it is truncated.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    if head[:8] != HDF5:
        is_zip = head.startswith(ZIP)
        raise ModelFileError(
            "h5-kind",
            file=label,
            where="the file",
            found=file_kind(head, size),
            expected="an HDF5 file",
            fix="open it with load_model" if is_zip else "get the file again",
        )
    # The superblock holds the size of the file, at an offset that depends on its version.
    version = head[8] if len(head) > 8 else -1
    offset = {0: 40, 1: 44, 2: 28, 3: 28}.get(version)
    needed = size if offset is None else int.from_bytes(head[offset : offset + 8], "little")
    if len(head) < 48 or size < needed:
        raise ModelFileError(
            "h5-truncated",
            file=label,
            where="the file",
            found=f"it ends at byte {size:,}, truncated",
            expected=f"{max(needed, 48):,} bytes",
            fix="copy or download it again",
        )


@contextmanager
def guarded(label: str, where: str) -> Iterator[None]:
    """Turn the exceptions that h5py raises on damaged files into a ModelFileError."""
    try:
        yield
    except ModelFileError:
        raise
    except (
        OSError,
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
        OverflowError,
        UnicodeError,
        MemoryError,
    ) as error:
        raise ModelFileError(
            "h5-damaged",
            file=label,
            where=where,
            found=f"damaged: {reason(error, 55)}",
            expected="a file as it was written",
            fix="get the file again, or save it again",
        ) from None


def refused(
    label: str,
    where: str,
    found: str,
    expected: str = "a plain array of numbers",
    code: str = "object",
) -> ModelFileError:
    """The error for an object that Keras never writes."""
    return ModelFileError(
        f"h5-{code}",
        file=label,
        where=where,
        found=found,
        expected=expected,
        fix="save the weights again",
    )


def unreadable(label: str, error: OSError) -> ModelFileError:
    """The error for a file that cannot be opened."""
    return ModelFileError(
        "file-unreadable",
        file=label,
        where="the file",
        found=f"cannot be opened: {error.strerror}",
        expected="a file that can be read",
        fix="check the path",
    )


@contextmanager
def opened_h5(
    path: str | os.PathLike[str] | BinaryIO, label: str
) -> Iterator[tuple[Any, BinaryIO, str]]:
    """Open an HDF5 file of which only the beginning has been checked.

    Args:
        path: The file, or a seekable binary file object.
        label: The name of a file object for messages.

    Yields:
        The h5py file, the same file as bytes, and its name for messages.

    Raises:
        ModelFileError: It cannot be opened, is truncated, or is not an HDF5 file.
    """
    import h5py

    with ExitStack() as stack:
        source: Any = path
        content: Any = path
        if isinstance(path, str | os.PathLike):
            label, source = repr(os.fspath(path)), os.fspath(path)
            try:
                content = stack.enter_context(open_regular(path))
            except OSError as error:
                raise unreadable(label, error) from None
        check_start(content, label)
        with guarded(label, "the file"):
            file = stack.enter_context(h5py.File(source, "r"))
        yield file, content, label


def datasets(
    file: Any, label: str, groups: dict[str, int] | None = None
) -> Iterator[tuple[str, Any]]:
    """Every dataset with its path; visits each object once and follows no links.

    Args:
        file: The h5py file.
        label: Its name for messages.
        groups: Gets the path of each group and the address of its header in the file.
    """
    from h5py import h5g, h5l, h5o  # pyright: ignore[reportAttributeAccessIssue]

    with guarded(label, "/"):
        root = h5g.open(file.id, b"/")
        if len(root) == 0:
            raise refused(label, "/", "an empty file", "groups of arrays")
        seen: set[int] = {h5o.get_info(root).addr}
    groups = {} if groups is None else groups
    groups[""] = min(seen)
    stack = [("", root, 0)]
    while stack:
        path, group, depth = stack.pop()
        with guarded(label, path or "/"):
            names = [bytes(name) for name in group]
        for raw in names:
            if len(raw) > _MAX_NAME:
                start = raw[:80].decode("utf-8", "backslashreplace")
                raise refused(label, start, f"a name of {len(raw):,} bytes")
            where = f"{path}/{raw.decode('utf-8', 'backslashreplace')}".lstrip("/")
            with guarded(label, where):
                if group.links.get_info(raw).type != h5l.TYPE_HARD:
                    raise refused(label, where, "a link", "a group or an array", "link")
                info = h5o.get_info(group, raw)
                if info.addr in seen or len(seen) > _MAX_OBJECTS or depth > _MAX_DEPTH:
                    raise refused(
                        label, where, "too many, too deep or circular groups", "a tree of groups"
                    )
                seen.add(info.addr)
                if info.type == h5o.TYPE_GROUP:
                    groups[where] = info.addr
                    stack.append((where, h5g.open(group, raw), depth + 1))
                elif info.type == h5o.TYPE_DATASET:
                    yield where, h5o.open(group, raw)
                else:
                    raise refused(label, where, "a named type")


def spec_of(dataset: Any, where: str, label: str) -> Spec:
    """Check how an array is stored, and return its shape and dtype, without allocating memory."""
    from h5py import h5d, h5s  # pyright: ignore[reportAttributeAccessIssue]

    with guarded(label, where):
        plan = dataset.get_create_plist()
        layout = plan.get_layout()
        if plan.get_external_count():
            raise refused(
                label, where, "values in another file (external storage)", code="external"
            )
        if layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED):
            raise refused(label, where, "values in another file (virtual dataset)", code="virtual")
        filters = {int(plan.get_filter(index)[0]) for index in range(plan.get_nfilters())}
        if not filters <= _FILTERS:
            expected = "no filter except gzip and shuffle"
            raise refused(label, where, f"filter {max(filters)}", expected, "filter")
        if dataset.get_space().get_simple_extent_type() not in (h5s.SCALAR, h5s.SIMPLE):
            raise refused(label, where, "an array without a shape", code="shape")
        spec = Spec(tuple(int(n) for n in dataset.shape), _dtype(dataset.get_type(), where, label))
        stored = int(dataset.get_storage_size())
        largest = stored * (_DEFLATE_RATIO if 1 in filters else 1)
        # h5py allocates whole chunks.
        chunk = math.prod(plan.get_chunk()) * spec.dtype.itemsize if layout == h5d.CHUNKED else 0
        if spec.nbytes > largest or chunk > max(16 << 20, 2 * spec.nbytes):
            found = f"{spec}, of which {stored:,} bytes are stored"
            raise refused(label, where, found, "a fully stored array", "shape")
        return spec


def _dtype(kind: Any, where: str, label: str) -> np.dtype:
    from h5py import h5t

    group = kind.get_class()
    if group == h5t.OPAQUE and kind.get_size() == 2:
        return BFLOAT16
    if group in (h5t.FLOAT, h5t.INTEGER, h5t.ENUM):
        dtype = kind.dtype
        allowed = "b" if group == h5t.ENUM else "fiub"  # h5py stores bools as an enum
        if dtype.kind in allowed and dtype.itemsize <= 8:
            return dtype.newbyteorder("=")
    names = {
        h5t.STRING: "text",
        h5t.COMPOUND: "records",
        h5t.REFERENCE: "references",
        h5t.VLEN: "ragged rows",
    }
    raise refused(
        label, where, names.get(group, f"HDF5 type class {group}"), "real numbers", "dtype"
    )
