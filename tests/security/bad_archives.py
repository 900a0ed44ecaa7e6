"""Bad zip archives (Z) and folders (R) that claim to be whole models."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from bad_kit import CONFIG, WEIGHTS, Case, Kit, Make, content, with_bomb, zipped


def members(kit: Kit) -> list[tuple[str | zipfile.ZipInfo, bytes]]:
    return [(CONFIG, json.dumps(kit.config()).encode()), (WEIGHTS, kit.weights())]


def more(*others: tuple[str | zipfile.ZipInfo, bytes]) -> Make:
    """A good archive with members more."""
    return content(lambda kit: zipped([*members(kit), *others]))


def of(make: Callable[[Kit], bytes]) -> Make:
    return content(make)


def symlink(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


def patched(place: int, pattern: str, value: int) -> Make:
    """A good archive with a field of the entry of config.json changed."""

    def make(kit: Kit) -> bytes:
        data = bytearray(kit.archive())
        entry = data.rindex(b"PK\x01\x02", 0, data.rindex(CONFIG.encode()))
        struct.pack_into(pattern, data, entry + place, value)
        return bytes(data)

    return content(make)


def other_local_name(kit: Kit) -> bytes:
    data = kit.archive()
    place = data.index(CONFIG.encode())
    return data[:place] + b"konfig" + data[place + 6 :]


def flipped(name: bytes) -> Make:
    """One byte of the content of a member changed."""

    def make(kit: Kit) -> bytes:
        data = bytearray(kit.archive())
        data[data.index(name) + len(name) + 60] ^= 1
        return bytes(data)

    return content(make)


def cut(share: float) -> Make:
    return content(lambda kit: kit.archive()[: int(share * len(kit.archive()))])


def spaces(kit: Kit) -> bytes:
    """A config that unpacks to a gibibyte of spaces, a megabyte on the disk."""
    return with_bomb(CONFIG, b" ", 1 << 30, [(WEIGHTS, kit.weights())])


def zeros(megabytes: int) -> Make:
    """An asset that no layer needs and that unpacks to many zeros."""
    return content(lambda kit: with_bomb("assets/zeros", b"\0", megabytes << 20, members(kit)))


def end_record(place: int, pattern: str, value: int) -> Make:
    """A good archive with a field of its last record changed."""

    def make(kit: Kit) -> bytes:
        data = bytearray(kit.archive())
        struct.pack_into(pattern, data, len(data) - 22 + place, value)
        return bytes(data)

    return content(make)


def filled(kit: Kit) -> bytes:
    """Ten bytes between the last member and the directory, which says so."""
    data = bytearray(kit.archive())
    start = struct.unpack_from("<L", data, len(data) - 6)[0]
    struct.pack_into("<L", data, len(data) - 6, start + 10)
    return bytes(data[:start]) + bytes(10) + bytes(data[start:])


def with_time(kit: Kit) -> bytes:
    """A size that ought to be in a field of 64 bits, and another field."""
    info = zipfile.ZipInfo(CONFIG)
    info.extra = struct.pack("<2HL", 0x5455, 4, 0)
    (_, config), weights = members(kit)
    data = bytearray(zipped([(info, config), weights]))
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, 0xFFFFFFFF)
    return bytes(data)


def packed(kit: Kit) -> bytearray:
    return bytearray(zipped(members(kit), zipfile.ZIP_DEFLATED))


def broken_stream(kit: Kit) -> bytes:
    data = packed(kit)
    start = 30 + len(CONFIG)
    data[start : start + 40] = b"\xff" * 40
    return bytes(data)


def larger_size(value: int, *, stored: bool = False) -> Make:
    """Both statements of the size of config.json changed, of its content or of its bytes."""

    def make(kit: Kit) -> bytes:
        data = packed(kit)
        central = data.index(b"PK\x01\x02")
        for place in (18 if stored else 22, central + (20 if stored else 24)):
            struct.pack_into("<L", data, place, value)
        return bytes(data)

    return content(make)


def wide_members(kit: Kit) -> bytes:
    """Sizes in fields of 64 bits, as for files above 4 GB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members(kit):
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    return buffer.getvalue()


def wide_directory(kit: Kit) -> bytes:
    """The place of the directory in a record of 64 bits."""
    data = kit.archive()
    count, size, start = struct.unpack_from("<HLL", data, len(data) - 12)
    end = len(data) - 22
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, 0xFFFFFFFF, 0)
    return data[:end] + record + locator + last


def metadata(text: bytes | None) -> Make:
    return content(lambda kit: kit.archive(metadata=text))


def folder(names: Callable[[Kit], dict[str, bytes]]) -> Make:
    """A folder of files, and of folders where a name ends in /."""

    def make(kit: Kit, where: Path) -> Path:
        path = where / "model"
        for name, data in names(kit).items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                file.mkdir(exist_ok=True)
            else:
                file.write_bytes(data)
        return path

    return make


def unzipped(kit: Kit) -> dict[str, bytes]:
    return {str(name): data for name, data in members(kit)}


def pipe(kit: Kit, where: Path) -> Path:
    os.mkfifo(where / "m.keras")
    return where / "m.keras"


GOOD = more()
ORBAX = {"_CHECKPOINT_METADATA": b"{}", "manifest.ocdbt": b"", "d/": b""}
ROWS: list[tuple[str, str, Make, str, Make]] = [
    ("Z01", "config.json twice", more((CONFIG, b"{}")), "zip-duplicate", GOOD),
    ("Z02", "no config", of(lambda kit: zipped(members(kit)[1:])), "zip-missing", GOOD),
    ("Z03", "no weights", of(lambda kit: zipped(members(kit)[:1])), "zip-missing", GOOD),
    ("Z05", "member ../x", more(("../x", b"1")), "zip-member", more(("assets/x", b"1"))),
    ("Z06", "member with an absolute path", more(("/tmp/x", b"1")), "zip-member", GOOD),
    ("Z05-a", "asset with .. in its path", more(("assets/../x", b"1")), "zip-member",
     more(("assets/a/x", b"1"))),
    ("Z07", "member that is a link", more((symlink("assets/x"), b"/etc/passwd")), "zip-kind",
     more(("assets/x", b"/etc/passwd"))),
    ("Z08", "backslash in a name", more(("assets\\x", b"1")), "zip-member",
     more(("assets/x", b"1"))),
    ("Z09", "NUL in a name",
     of(lambda kit: zipped([*members(kit), ("assets/x_y", b"1")]).replace(b"x_y", b"x\0y")),
     "zip-member", more(("assets/x_y", b"1"))),
    ("Z10", "CONFIG.JSON as well", more(("CONFIG.JSON", b"1")), "zip-member", GOOD),
    ("Z11", "weights twice, as .npz too", more(("model.weights.npz", b"1")), "zip-member", GOOD),
    ("N01", "weights as .npz with a pickle",
     of(lambda kit: zipped([members(kit)[0], ("model.weights.npz", b"\x80\x04N.")])),
     "zip-member", GOOD),
    ("Z12", "a gibibyte of spaces around the config", of(spaces), "zip-size", GOOD),
    ("Z20", "empty file", of(lambda kit: b""), "zip-not-a-zip", GOOD),
    ("Z21", "web page", of(lambda kit: b"<!doctype html><html>" + b" " * 100), "zip-not-a-zip",
     GOOD),
    ("Z22", "HDF5 file", of(lambda kit: kit.weights()), "zip-not-a-zip", GOOD),
    ("Z23", "bytes in front", of(lambda kit: b"#!/bin/sh\n" + kit.archive()), "zip-", GOOD),
    ("Z24", "bytes at the end", of(lambda kit: kit.archive() + b"more"), "zip-", GOOD),
    ("Z25", "cut at 50 %", cut(0.5), "zip-truncated", GOOD),
    ("Z25-10", "cut at 10 %", cut(0.1), "zip-truncated", GOOD),
    ("Z25-90", "cut at 90 %", cut(0.9), "zip-truncated", GOOD),
    ("Z25-99", "cut at 99 %", cut(0.99), "zip-truncated", GOOD),
    ("Z26", "one bit of the weights changed", flipped(WEIGHTS.encode()), "zip-crc", GOOD),
    ("Z27", "one bit of the config changed", flipped(CONFIG.encode()), "zip-crc", GOOD),
    ("Z28", "encrypted", patched(8, "<H", 1), "zip-", GOOD),
    ("Z29", "method 99", patched(10, "<H", 99), "zip-", GOOD),
    ("Z30", "size that is too small", patched(24, "<L", 10), "zip-", GOOD),
    ("Z31", "size of 4 GB", patched(24, "<L", 0xFFFFFFF0), "zip-", GOOD),
    ("Z32", "two names of one member", of(other_local_name), "zip-header", GOOD),
    ("Z33", "two members share their bytes", patched(42, "<L", 0), "zip-", GOOD),
    ("Z33-crc", "another CRC in the directory", patched(16, "<L", 12345), "zip-", GOOD),
    ("Z33-disk", "several disks", patched(34, "<H", 1), "zip-", GOOD),
    ("Z35", "metadata that is not JSON", metadata(b"nonsense"), "config-json", metadata(None)),
    ("Z36", "20,000 members", of(lambda kit: zipped([(f"assets/{n}", b"") for n in range(20_000)])),
     "zip-members", more(*((f"assets/{n}", b"") for n in range(20)))),
    ("Z37", "folder named config.json", of(lambda kit: zipped([("config.json/", b""),
     members(kit)[1]])), "zip-", GOOD),
    ("Z38", "zipped again by macOS", more(("__MACOSX/._config.json", b"1")), "zip-member", GOOD),
    ("Z39", "pipe", pipe, "file-unreadable", GOOD),
    ("Z40", "comment that is not there", end_record(20, "<H", 5), "zip-comment", GOOD),
    ("Z41", "two disks", end_record(4, "<H", 1), "zip-disks", GOOD),
    ("Z42", "record of 64 bits that is not there", end_record(16, "<L", 0xFFFFFFFF),
     "zip-directory", of(wide_directory)),
    ("Z42-s", "the same in a file of 22 bytes",
     of(lambda kit: b"PK\x05\x06" + bytes(8) + b"\xff" * 8 + bytes(2)), "zip-directory", GOOD),
    ("Z43", "one member more in the last record", of(
        lambda kit: kit.archive()[:-14] + struct.pack("<2H", 4, 4) + kit.archive()[-10:]
    ), "zip-directory", GOOD),
    ("Z44", "one member less in the last record", of(
        lambda kit: kit.archive()[:-14] + struct.pack("<2H", 2, 2) + kit.archive()[-10:]
    ), "zip-directory", GOOD),
    ("Z45", "size of 64 bits that is not there", patched(24, "<L", 0xFFFFFFFF), "zip-size",
     of(wide_members)),
    ("Z45-x", "the same beside a time", of(with_time), "zip-size", of(wide_members)),
    ("Z33-end", "member behind the end", patched(42, "<L", 0x7FFFFFF0), "zip-", GOOD),
    ("Z46", "deflated data that is broken", of(broken_stream), "zip-deflate",
     of(lambda kit: bytes(packed(kit)))),
    ("Z47", "deflated data of another size", larger_size(9_999), "zip-deflate",
     of(lambda kit: bytes(packed(kit)))),
    ("Z48", "bytes between the members", of(filled), "zip-extra", GOOD),
    ("Z49", "member longer than the file", larger_size(1 << 30, stored=True), "zip-", GOOD),
    ("R01", "folder of an Orbax checkpoint", folder(lambda kit: ORBAX), "file-", folder(unzipped)),
    ("R02", "folder without weights", folder(lambda kit: {CONFIG: b"{}"}), "", folder(unzipped)),
]  # fmt: skip
LEGAL = [
    ("Z04", "no metadata", metadata(None), "the config says all that is needed"),
    ("Z13", "asset of 200 MB of zeros", zeros(200), "assets are not unpacked"),
    ("Z14", "asset of 300 MB of zeros", zeros(300), "assets are not unpacked"),
    ("Z34", "of Keras 99", metadata(b'{"keras_version": "99.0.0"}'),
     "only what is unknown is refused"),
    ("Z38-d", "deflated", of(lambda kit: zipped(members(kit), zipfile.ZIP_DEFLATED)),
     "the same content"),
]  # fmt: skip
CASES = [
    *(Case(id, what, make, code, twin=twin) for id, what, make, code, twin in ROWS),
    *(Case(id, what, make, loads=why) for id, what, make, why in LEGAL),
]
