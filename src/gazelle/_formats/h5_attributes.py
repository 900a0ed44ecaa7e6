"""Reads the attributes of HDF5 objects that hold text, without the HDF5 library.

The library can crash, or never end, when it reads the attributes of a damaged file. So this reader
takes them from the bytes of the file, by the HDF5 File Format Specification 3.0: object headers of
versions 1 and 2, with attributes that are strings of fixed or variable length, alone or in a list.
That is all that Keras writes. Every size is checked against the file before it is used, and no
block is read twice.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from gazelle._core.errors import ModelFileError, short
from gazelle._formats.h5_checks import refused

Text = str | list[str]

_MOST_TEXT = 64 << 20  # bytes in the attributes of one object
_MOST_HEADER = 16 << 20  # bytes of an object header: its attributes, less long texts
_MOST_HEADER_BLOCKS = 4096
_UNDEFINED = (1 << 64) - 1
# The types of messages in an object header that matter here.
_ATTRIBUTE, _CONTINUATION, _ATTRIBUTE_INFO = 0x0C, 0x10, 0x15
_SHARED = 2  # a flag of a message, and of the parts of an attribute: it is stored elsewhere
_STRING, _VARIABLE = 3, 9  # classes of types


class _DamageError(Exception):
    """Something in the bytes that cannot be; the text says what."""


@dataclass
class _Bytes:
    """A part of the file, read from the front.

    Args:
        data: The bytes.
        at: The place of the next one.
    """

    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self.data) - self.at:
            raise _DamageError("a field beyond the end of its block")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    @property
    def left(self) -> int:
        return len(self.data) - self.at


# Divides a block of a header into messages: their type, their flags and what they hold.
_Split = Callable[[_Bytes], Iterator[tuple[int, int, _Bytes]]]


@dataclass(frozen=True)
class _Type:
    """What the elements of an attribute are.

    Args:
        size: Bytes of an element.
        is_text: Whether the elements are strings.
        is_long: Whether an element is only the place of a string of variable length.
    """

    size: int
    is_text: bool
    is_long: bool


@dataclass
class AttributeReader:
    """Reads the attributes of objects in one file.

    Args:
        file: The file, of which `check_start` has seen the beginning.
        label: Its name for messages.

    Raises:
        ModelFileError: Its addresses are not those that h5py writes.
    """

    file: BinaryIO
    label: str
    _size: int = field(init=False)
    _heaps: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._size = self.file.seek(0, os.SEEK_END)
        try:
            self._check_superblock(_Bytes(self._read(8, 56)))
        except _DamageError as error:
            raise self._damaged("the file", error) from None

    def read(self, address: int, where: str) -> dict[str, Text | None]:
        """The attributes of one object by name; None for one that is not text.

        Args:
            address: Where its header is in the file.
            where: Its path, for messages.

        Raises:
            ModelFileError: The header or an attribute is damaged, or is not of Keras's kinds.
        """
        found: dict[str, Text | None] = {}
        try:
            left = _MOST_TEXT
            for message in self._attribute_messages(address):
                name, value = self._attribute(message, left)
                if name in found:
                    raise _DamageError(f"two attributes named {short(name, 20)}")
                left -= sum(map(len, value)) if isinstance(value, list) else len(value or "")
                found[name] = value
        except _DamageError as error:
            raise self._damaged(where, error) from None
        return found

    def _damaged(self, where: str, error: _DamageError) -> ModelFileError:
        return refused(
            self.label, where or "/", str(error), "attributes as Keras writes them", "damaged"
        )

    def _read(self, start: int, count: int) -> bytes:
        if start < 0 or count < 0 or start + count > self._size:
            raise _DamageError("an address beyond the end of the file")
        self.file.seek(start)
        data = self.file.read(count)
        if len(data) != count:
            raise _DamageError("an address beyond the end of the file")
        return data

    def _check_superblock(self, block: _Bytes) -> None:
        """Addresses must have eight bytes and count from the start of the file."""
        version = block.number(1)
        if version in (0, 1):
            block.take(4)
            sizes = block.take(2)
            block.take(9 if version == 0 else 13)
        elif version in (2, 3):
            sizes = block.take(2)
            block.take(1)
        else:
            raise _DamageError(f"a superblock of version {version}")
        if sizes != b"\x08\x08" or block.number(8) != 0:
            raise _DamageError("addresses of an unusual kind")

    # ---- Object headers ----

    def _attribute_messages(self, address: int) -> Iterator[_Bytes]:
        """The messages with attributes in an object header."""
        start = self._read(address, 16)
        if start[:4] == b"OHDR":
            yield from self._messages_2(address)
        elif start[0] == 1:
            yield from self._messages_1(address, int.from_bytes(start[8:12], "little"))
        else:
            raise _DamageError("an object header of another version")

    def _messages_1(self, address: int, size: int) -> Iterator[_Bytes]:
        def split(block: _Bytes) -> Iterator[tuple[int, int, _Bytes]]:
            while block.left >= 8:
                kind, length, flags = block.number(2), block.number(2), block.number(1)
                block.take(3)
                yield kind, flags, _Bytes(block.take(length))

        yield from self._followed([(address + 16, size)], split, b"")

    def _messages_2(self, address: int) -> Iterator[_Bytes]:
        block = _Bytes(self._read(address, min(32, self._size - address)))
        block.take(4)
        version, flags = block.number(1), block.number(1)
        if version != 2:
            raise _DamageError(f"an object header of version {version}")
        block.take((16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0))
        size = block.number(1 << (flags & 3))
        has_order = bool(flags & 4)

        def split(block: _Bytes) -> Iterator[tuple[int, int, _Bytes]]:
            head = 6 if has_order else 4
            while block.left >= head:
                kind, length, flags = block.number(1), block.number(2), block.number(1)
                block.take(2 if has_order else 0)
                yield kind, flags, _Bytes(block.take(length))

        yield from self._followed([(address + block.at, size)], split, b"OCHK")

    def _followed(
        self, blocks: list[tuple[int, int]], split: _Split, mark: bytes
    ) -> Iterator[_Bytes]:
        """The attributes in the blocks of a header, with those that it goes on in."""
        seen: set[int] = set()
        total = 0
        while blocks:
            start, size = blocks.pop(0)
            total += size
            if start in seen or len(seen) > _MOST_HEADER_BLOCKS or total > _MOST_HEADER:
                raise _DamageError("a header that goes on without end")
            block = _Bytes(self._read(start, size))
            if seen and block.take(len(mark)) != mark:
                raise _DamageError("a header that goes on in the wrong place")
            if seen and mark:
                block.data = block.data[:-4]  # its checksum
            seen.add(start)
            for kind, flags, message in split(block):
                if kind == _CONTINUATION:
                    blocks.append((message.number(8), message.number(8)))
                elif kind == _ATTRIBUTE_INFO:
                    self._check_not_elsewhere(message)
                elif kind == _ATTRIBUTE:
                    if flags & _SHARED:
                        raise _DamageError("an attribute that is stored elsewhere")
                    yield message

    def _check_not_elsewhere(self, message: _Bytes) -> None:
        version, flags = message.number(1), message.number(1)
        message.take(2 if flags & 1 else 0)
        if version != 0 or message.number(8) != _UNDEFINED:
            raise _DamageError("attributes that are stored elsewhere")

    # ---- Attributes ----

    def _attribute(self, message: _Bytes, most: int) -> tuple[str, Text | None]:
        version, flags = message.number(1), message.number(1)
        sizes = [message.number(2) for _ in range(3)]  # of the name, the type and the shape
        if version not in (1, 2, 3) or (version > 1 and flags):
            raise _DamageError("an attribute of an unusual kind")
        if version == 3:
            message.take(1)  # the encoding of the name
        parts = []
        for size in sizes:
            parts.append(message.take(size))
            if version == 1:
                message.take(-size % 8)
        name = _decoded(parts[0].split(b"\0")[0], most)
        kind, shape = _type_of(_Bytes(parts[1])), _shape_of(_Bytes(parts[2]))
        if shape is not None and len(shape) == 1 and shape[0] == 0:
            return name, []  # of any type: NumPy makes numbers of an empty list
        if not kind.is_text or shape is None or len(shape) > 1:
            return name, None
        count = math.prod(shape)
        if count > message.left // kind.size:
            raise _DamageError(f"the attribute {short(name, 20)} is cut")
        texts = []
        for _ in range(count):
            element = _Bytes(message.take(kind.size))
            raw = self._long_text(element, most) if kind.is_long else _unpadded(element)
            texts.append(_decoded(raw, most))
            most -= len(raw)
        return name, texts if shape else texts[0]

    def _long_text(self, element: _Bytes, most: int) -> bytes:
        """A string of variable length, which is in a heap."""
        length, heap, index = element.number(4), element.number(8), element.number(4)
        if length == 0:
            return b""
        start, size = self._heap(heap).get(index, (0, 0))
        if length > min(size, most):
            raise _DamageError("a text that is not in its heap, or too long")
        return self._read(start, length)

    def _heap(self, address: int) -> dict[int, tuple[int, int]]:
        """The places of the objects in a heap: index -> start and size."""
        if address not in self._heaps:
            head = _Bytes(self._read(address, 16))
            if head.take(8) != b"GCOL\x01\0\0\0":
                raise _DamageError("no heap where one should be")
            end = address + head.number(8)
            found: dict[int, tuple[int, int]] = {}
            at = address + 16
            while at + 16 <= min(end, self._size):
                item = _Bytes(self._read(at, 16))
                index = item.number(2)
                item.take(6)
                size = item.number(8)
                if index == 0:  # the free space at the end
                    break
                if index in found or at + 16 + size > min(end, self._size):
                    raise _DamageError("a heap with parts that do not fit")
                found[index] = at + 16, size
                at += 16 + size + -size % 8
            self._heaps[address] = found
        return self._heaps[address]


def _type_of(block: _Bytes) -> _Type:
    kind, bits, size = block.number(1) & 15, block.number(3), block.number(4)
    is_long = kind == _VARIABLE and bits & 15 == 1 and size == 16
    return _Type(size, is_long or (kind == _STRING and size > 0), is_long)


def _shape_of(block: _Bytes) -> tuple[int, ...] | None:
    """The sizes of the axes, `()` for a single value, None for no value."""
    version, rank, _, kind = (block.number(1) for _ in range(4))
    if version == 1:
        block.take(4)
    elif version != 2 or kind > 2:
        raise _DamageError("an attribute with a shape of an unusual kind")
    if version == 2 and kind == 2:
        return None
    return tuple(block.number(8) for _ in range(rank))


def _unpadded(element: _Bytes) -> bytes:
    """A string of fixed length without the zeros behind it."""
    return element.data.rstrip(b"\0")


def _decoded(raw: bytes, most: int) -> str:
    if len(raw) > most:
        raise _DamageError("too much text")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _DamageError(f"text that is not UTF-8: {short(raw, 20)}") from None
