"""The zip archive of a `.keras` file, read strictly: nothing is extracted, skipped or guessed.

A zip file says everything twice, and readers differ in what they believe. Here both statements must
agree, the members must lie side by side and fill the file from its first to its last byte, and only
the names that Keras writes are allowed.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from gazelle._core.errors import ModelFileError
from gazelle._formats.kinds import file_kind

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"
ASSETS = "assets"  # the folder of files that layers write themselves

_ASSET = re.compile(r"assets(/[\w.\- ]+)*/?")
_CHUNK = 1 << 20  # bytes that are read at a time, while they are in the cache
_MOST_MEMBERS = 1_000
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _WITH_DESCRIPTOR, _UTF8 = 0x1, 0x8, 0x800
_ALLOWED_FLAGS = _WITH_DESCRIPTOR | _UTF8 | 0x6  # 0x6: how hard deflate worked
_DESCRIPTORS = {12, 16, 20, 24}  # bytes that may follow a member
_ZIP64 = 0xFFFFFFFF

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")

_SAVE_AGAIN = "get the file again, or save it again"


@dataclass(frozen=True)
class Member:
    """One member, as the central directory describes it.

    Args:
        name: Its name.
        flags: The general-purpose bits.
        method: 0 (stored) or 8 (deflated).
        crc: The CRC-32 of its content.
        stored: Bytes in the archive.
        size: Bytes of its content.
        start: Where its local header begins.
    """

    name: str
    flags: int
    method: int
    crc: int
    stored: int
    size: int
    start: int


class Archive:
    """An open archive whose structure has been checked.

    Args:
        file: The file, seekable.
        label: Its name for messages.

    Attributes:
        members: Name -> member, folders left out.

    Raises:
        ModelFileError: The archive is damaged, or has what a model file never has.
    """

    def __init__(self, file: BinaryIO, label: str):
        self.label = label
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        entries, directory = self._read_directory()
        self._contents = self._checked_layout(entries, directory)
        self.members = {entry.name: entry for entry in entries if not entry.name.endswith("/")}
        for name in (CONFIG, WEIGHTS):
            if name not in self.members:
                found = f"only {', '.join(sorted(self.members)) or 'nothing'}"
                raise self._refused("missing", name, found, f"a member {name}")

    def read(self, name: str, most: int) -> bytes:
        """The content of a member of at most `most` bytes, its CRC verified.

        Raises:
            ModelFileError: It is larger, or it is damaged.
        """
        member = self._member(name, most)
        data = self._at(self._contents[name], member.stored, name)
        if member.method == _DEFLATED:
            data = self._inflated(data, member)
        self._check_crc(member, zlib.crc32(data))
        return data

    def open(self, name: str, most: int) -> BinaryIO:
        """As `read`, as a file; a member that is not deflated is not held in memory."""
        member = self._member(name, most)
        if member.method == _DEFLATED:
            return io.BytesIO(self.read(name, most))
        part = _Part(self._file, self._contents[name], member.size)
        crc = 0
        while chunk := part.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
        self._check_crc(member, crc)
        part.seek(0)
        return cast(BinaryIO, part)

    def _member(self, name: str, most: int) -> Member:
        member = self.members[name]
        if member.size > most:
            raise self._refused("size", name, f"{member.size:,} bytes", f"at most {most:,} bytes")
        return member

    def _check_crc(self, member: Member, crc: int) -> None:
        if crc != member.crc:
            found, expected = "a content that was changed or damaged", "the CRC-32 in the archive"
            raise self._refused("crc", member.name, found, expected)

    def _inflated(self, data: bytes, member: Member) -> bytes:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(data, member.size + 1)
        except zlib.error as error:
            raise self._refused("deflate", member.name, error, "deflated data") from None
        if len(content) != member.size or not inflater.eof or inflater.unused_data:
            found = f"data that does not give {member.size:,} bytes"
            raise self._refused("deflate", member.name, found, "the size in the archive")
        return content

    # ---- The structure ----

    def _read_directory(self) -> tuple[list[Member], int]:
        """The entries of the central directory, and where it begins."""
        count, size, start, end = self._find_directory()
        if count > _MOST_MEMBERS:
            raise self._refused("members", "the directory", f"{count:,} members", "three members")
        if start + size != end or start < 0:
            found = f"{abs(end - start - size):,} bytes that belong to no member"
            raise self._refused("extra", "the archive", found, "members side by side")
        data = self._at(start, size, "the directory")
        entries: list[Member] = []
        place = 0
        for _ in range(count):
            entry, place = self._entry(data, place)
            if any(entry.name == other.name for other in entries):
                raise self._refused("duplicate", entry.name, "this name twice", "each name once")
            entries.append(entry)
        if place != size:
            raise self._refused("directory", "the directory", f"{size - place} bytes too many", "0")
        return entries, start

    def _find_directory(self) -> tuple[int, int, int, int]:
        """Number of entries, bytes and start of the central directory, and where it must end."""
        if self._size < _END.size:
            raise self._not_a_zip()
        end = self._size - _END.size
        signature, disk, first_disk, here, count, size, start, comment = _END.unpack(
            self._at(end, _END.size, "the end record")
        )
        if signature != b"PK\x05\x06":
            raise self._not_a_zip()
        if comment:
            raise self._refused("comment", "the end record", "a comment", "no comment")
        if _ZIP64 in (size, start) or count == 0xFFFF:
            here, count, size, start, end = self._find_zip64(end)
        if disk or first_disk or here != count:
            raise self._refused("disks", "the end record", "several disks", "one file")
        return count, size, start, end

    def _find_zip64(self, end: int) -> tuple[int, int, int, int, int]:
        where = "the zip64 end record"
        locator = end - _END64_LOCATOR.size
        begin = locator - _END64.size
        if begin < 0:
            raise self._refused("directory", where, "a file that is too short", "a zip64 record")
        signature, _, position, _ = _END64_LOCATOR.unpack(
            self._at(locator, _END64_LOCATOR.size, where)
        )
        record = _END64.unpack(self._at(begin, _END64.size, where))
        if signature != b"PK\x06\x07" or record[0] != b"PK\x06\x06" or position != begin:
            raise self._refused("directory", where, "something else", "a zip64 record")
        here, count, size, start = record[6:]
        return here, count, size, start, begin

    def _entry(self, data: bytes, place: int) -> tuple[Member, int]:
        """The entry of the directory at a place, and where the next one begins."""
        if place + _CENTRAL.size > len(data):
            raise self._refused("directory", "the directory", "an entry that is cut", "an entry")
        (signature, made_by, _, flags, method, _, _, crc, stored, size, name_size, extra_size,
         comment, disk, _, attributes, start) = _CENTRAL.unpack_from(data, place)  # fmt: skip
        begin = place + _CENTRAL.size
        end = begin + name_size + extra_size + comment
        if signature != b"PK\x01\x02" or end > len(data) or disk:
            raise self._refused("directory", "the directory", "an entry that is damaged", "entries")
        name = self._name(data[begin : begin + name_size])
        extra = data[begin + name_size : begin + name_size + extra_size]
        size, stored, start = self._wide(name, extra, size, stored, start)
        kind = stat.S_IFMT(attributes >> 16) if made_by >> 8 == 3 else 0  # 3: written on Unix
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (name.endswith("/") and size):
            raise self._refused("kind", name, "a link or a special file", "a plain file")
        if flags & _ENCRYPTED:
            raise self._refused("encrypted", name, "an encrypted member", "a plain member")
        if method not in (_STORED, _DEFLATED) or flags & ~_ALLOWED_FLAGS:
            found = f"method {method}, flags {flags:#x}"
            raise self._refused("method", name, found, "stored or deflated data")
        if method == _STORED and stored != size:
            raise self._refused("size", name, f"{stored:,} and {size:,} bytes", "one size")
        return Member(name, flags, method, crc, stored, size, start), end

    def _name(self, raw: bytes) -> str:
        name = raw.decode("utf-8", "backslashreplace")
        is_known = name in (CONFIG, METADATA, WEIGHTS)
        if is_known or is_asset_name(name):
            return name
        fix = _SAVE_AGAIN
        if name == "model.weights.npz":
            fix = "save it with h5py installed: model.weights.h5"
        elif name.startswith("__MACOSX") or name.endswith(".DS_Store"):
            fix = f"zip {CONFIG}, {METADATA} and {WEIGHTS} alone"
        raise self._refused("member", name, "a member that no model file has", "its members", fix)

    def _wide(
        self, name: str, extra: bytes, size: int, stored: int, start: int | None
    ) -> tuple[int, int, int]:
        """Sizes and start, read from the zip64 field where they do not fit into 32 bits."""
        values = [size, stored, *([] if start is None else [start])]
        wide = [index for index, value in enumerate(values) if value == _ZIP64]
        if wide:
            field = _zip64_field(extra)
            if len(field) < 8 * len(wide):
                raise self._refused("size", name, "no zip64 field", "its sizes")
            for index, value in zip(wide, struct.unpack_from(f"<{len(wide)}Q", field), strict=True):
                values[index] = value
        return values[0], values[1], values[2] if start is not None else 0

    def _checked_layout(self, entries: list[Member], directory: int) -> dict[str, int]:
        """Where the content of each member begins; the members must fill the file."""
        contents: dict[str, int] = {}
        place, gaps = 0, {0}
        for entry in sorted(entries, key=lambda entry: entry.start):
            self._check_gap(entry.start - place, gaps)
            contents[entry.name] = self._checked_local(entry)
            place = contents[entry.name] + entry.stored
            gaps = _DESCRIPTORS if entry.flags & _WITH_DESCRIPTOR else {0}
        self._check_gap(directory - place, gaps)
        return contents

    def _check_gap(self, gap: int, allowed: set[int]) -> None:
        if gap < 0:
            raise self._refused("overlap", "the members", "bytes that belong to two", "no overlap")
        if gap not in allowed:
            found = f"{gap:,} bytes that belong to no member"
            raise self._refused("extra", "the archive", found, "members side by side")

    def _checked_local(self, entry: Member) -> int:
        """Where the content begins, after its local header, which must say what the entry says."""
        header = self._at(entry.start, _LOCAL.size, entry.name)
        signature, _, flags, method, _, _, crc, stored, size, name_size, extra_size = _LOCAL.unpack(
            header
        )
        rest = self._at(entry.start + _LOCAL.size, name_size + extra_size, entry.name)
        name = rest[:name_size].decode("utf-8", "backslashreplace")
        size, stored, _ = self._wide(name, rest[name_size:], size, stored, None)
        found = (signature, name, flags, method)
        expected = (b"PK\x03\x04", entry.name, entry.flags, entry.method)
        is_later = entry.flags & _WITH_DESCRIPTOR and (crc, stored, size) == (0, 0, 0)
        if found != expected or not (
            is_later or (crc, stored, size) == (entry.crc, entry.stored, entry.size)
        ):
            raise self._refused(
                "header", entry.name, "a header that differs from the directory", "one description"
            )
        return entry.start + _LOCAL.size + name_size + extra_size

    def _at(self, place: int, size: int, where: str) -> bytes:
        if place < 0 or size < 0 or place + size > self._size:
            found = f"{size:,} bytes at byte {place:,} of {self._size:,}"
            raise self._refused("truncated", where, found, "a place in the file")
        self._file.seek(place)
        return self._file.read(size)

    def _not_a_zip(self) -> ModelFileError:
        head = self._at(0, min(64, self._size), "the file")
        if head.startswith(b"PK\x03\x04"):
            found = f"it ends at byte {self._size:,} without the list of members"
            return self._refused("truncated", "the end", found, "the end record of a zip archive")
        kind = file_kind(head, self._size)
        fix = "get the file again"
        if "HDF5" in kind:
            fix = "weights: use load_weights; an old whole model: name it .h5"
        return self._refused("not-a-zip", "the file", kind, "a zip archive", fix)

    def _refused(
        self, code: str, where: str, found: object, expected: str, fix: str = _SAVE_AGAIN
    ) -> ModelFileError:
        return ModelFileError(
            f"zip-{code}", file=self.label, where=where, found=found, expected=expected, fix=fix
        )


class _Part(io.RawIOBase):
    """A part of a file, to be read.

    Args:
        file: The file.
        start: Where the part begins, in bytes.
        size: Its size.
    """

    def __init__(self, file: BinaryIO, start: int, size: int):
        self._file = file
        self._start = start
        self._size = size
        self._place = 0

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._place)
        wanted = max(0, min(len(buffer), self._size - self._place))
        done = 0
        while done < wanted:
            chunk = self._file.read(min(_CHUNK, wanted - done))
            if not chunk:
                break
            buffer[done : done + len(chunk)] = chunk
            done += len(chunk)
        self._place += done
        return done

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def is_asset_name(name: str) -> bool:
    """Whether a member may have this name: `assets/`, then names of plain letters."""
    parts = name.rstrip("/").split("/")
    return _ASSET.fullmatch(name) is not None and not {".", ".."} & set(parts)


def _zip64_field(extra: bytes) -> bytes:
    """The content of the zip64 field among the extra fields of a member."""
    place = 0
    while place + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, place)
        if kind == 1:
            return extra[place + 4 : place + 4 + size]
        place += 4 + size
    return b""
