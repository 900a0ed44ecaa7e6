"""Bad data: pickles of CIFAR (P), arrays of a run (P2), archives (T), downloads (G), images (I)."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bad_configs import a_lambda, code
from bad_kit import Case, Kit, Make, content, deflated
from cifar10_data import as_python_2

# ---- CIFAR-10 as pickles ----

ROWS = 4
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
_PIXELS = np.zeros((ROWS, 3072), np.uint8)


class Harmful:
    """Leaves a marker when it is unpickled.

    Args:
        call: What is called, and with what.
    """

    def __init__(self, *call: Any):
        self._call = call

    def __reduce__(self) -> Any:
        return self._call[0], tuple(self._call[1:])


def batch(**changed: Any) -> dict[bytes, Any]:
    found = {b"data": _PIXELS, b"labels": [1] * ROWS}
    return found | {key.encode(): value for key, value in changed.items()}


def pickles(made: Any) -> Make:
    """A folder of batches, of which the first is another one."""

    def make(kit: Kit, folder: Path) -> Path:
        for name in BATCHES:
            (folder / name).write_bytes(as_python_2(pickle.dumps(batch(), 3)))
        value = made(kit) if callable(made) else made
        data = value if isinstance(value, bytes) else as_python_2(pickle.dumps(value, 3))
        (folder / BATCHES[0]).write_bytes(data)
        return folder

    return make


def _array_of(shape: tuple[int, ...], dtype: bytes) -> bytes:
    """A pickle that asks NumPy for a large array, with allowed names alone."""
    return (
        b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n("
        + b"".join(b"\x8a\x08" + struct.pack("<q", n) for n in shape)
        + b"tU\x01btRs."
    )


CIFAR: list[tuple[str, str, Any]] = [
    ("P02", "pickle that opens a file",
     lambda kit: batch(data=Harmful(open, str(kit.marker), "w"))),
    ("P03", "pickle that calls eval", batch(data=Harmful(eval, "1"))),
    ("P04", "array of 16 GiB, of allowed names", _array_of((1 << 32,), b"f4")),
    ("P05", "8 GiB of bytes declared",
     b"\x80\x05}\x8c\x04data\x96" + struct.pack("<Q", 8 << 30) + b"x"),
    ("P07", "100,000 lists in lists", b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."),
    ("P08", "list instead of a dict", [1, 2]),
    ("P09", "no labels", {b"data": _PIXELS}),
    ("P10", "rows of 5 bytes", batch(data=np.zeros((ROWS, 5), np.uint8))),
    ("P11", "9 labels of 4 images", batch(labels=[1] * 9)),
    ("P12", "label 999", batch(labels=[999] * ROWS)),
    ("P13", "pixels that are NaN", batch(data=np.full((ROWS, 3072), np.nan))),
    ("P14", "cut", pickle.dumps(batch(), 2)[:2000]),
    ("P15", "array of objects", batch(data=np.full((ROWS, 3072), None))),
]  # fmt: skip

# ---- Arrays in a run folder ----


def npy(
    shape: str = "(40,)", descr: str = "'|u1'", data: bytes = bytes(40), size: int = 117
) -> bytes:
    """A `.npy` file that says anything of itself."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(size) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def array(made: Callable[[], bytes]) -> Make:
    """A run whose labels are another `.npy` file."""

    def make(kit: Kit, folder: Path) -> Path:
        run = kit.run(folder)
        path = run / "predictions.npz"
        with zipfile.ZipFile(path) as archive:
            outputs = archive.read("outputs.npy")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("labels.npy", made())
            archive.writestr("outputs.npy", outputs)
        return run

    return make


def _pickled_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Harmful(os.getcwd)] * 40, object), allow_pickle=True)
    return buffer.getvalue()


def _long_header() -> bytes:
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", 200 << 20) + b" " * 1000


ARRAYS: list[tuple[str, str, Callable[[], bytes], str]] = [
    ("P20", "array of pickled objects", _pickled_array, "R"),
    ("P21", "2^40 numbers, none stored", lambda: npy("(1099511627776,)", data=b""),
     "R (MemoryError)"),
    ("P22", "negative shape", lambda: npy("(-40,)"), "R"),
    ("P23", "2^40 x 2^40 numbers", lambda: npy("(1099511627776, 1099511627776)", data=b""), "R"),
    ("P24", "data cut", lambda: npy(data=bytes(20)), "R"),
    ("P25", "call in the header", lambda: npy("__import__('os').getpid()"), "R"),
    ("P26", "type of objects", lambda: npy(descr="'|O'", data=bytes(320)), "L (None)"),
    ("P27", "header of 200 MB declared", _long_header, "R"),
    ("P28", "bytes after the data", lambda: npy(data=bytes(60)), "L"),
]  # fmt: skip


def run_with(name: str, change: Callable[[Any, Kit], Any]) -> Make:
    """A run with a changed JSON file, or with any bytes in its place."""

    def make(kit: Kit, folder: Path) -> Path:
        run = kit.run(folder)
        path = run / name
        if path.suffix == ".json":
            tree = json.loads(path.read_text())
            changed = change(tree, kit)
            path.write_text(json.dumps(tree if changed is None else changed))
        else:
            path.write_bytes(change(path.read_bytes(), kit))
        return run

    return make


def huge_number(kit: Kit, folder: Path) -> Path:
    run = kit.run(folder)
    path = run / "metrics.json"
    path.write_text(path.read_text().replace("{", '{"loss": 1e999, ', 1))
    return run


def _code_in_model(tree: Any, kit: Kit) -> None:
    tree["config"]["layers"].insert(1, a_lambda(code(kit)))


RUNS: list[tuple[str, str, Make]] = [
    ("U01", "code in model.json of a run", run_with("model.json", _code_in_model)),
    ("U02", "units of 100 million in model.json of a run", run_with(
        "model.json", lambda tree, kit: tree["config"]["layers"][1]["config"].update(units=10**8))),
    ("U03", "NaN in metrics.json of a run",
     run_with("metrics.json", lambda tree, kit: tree.update(rows=float("nan")))),
    ("U04", "unknown field in config.json of a run",
     run_with("config.json", lambda tree, kit: tree.update(more=1))),
    ("U07", "number above all floats in metrics.json of a run", huge_number),
    ("U05", "control characters in history.csv of a run",
     run_with("history.csv", lambda data, kit: b"epoch,\x1b[31mloss\n1,x\n")),
    ("U06", "weights of a run cut", run_with("model.weights.h5", lambda data, kit: data[:3000])),
]  # fmt: skip


# ---- Archives that are unpacked ----


def tar(*members: Any) -> Make:
    """A `.tar.gz` of members, each `(name, content)` or a `TarInfo`."""

    def make(kit: Kit) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as file:
            for member in members:
                if isinstance(member, tarfile.TarInfo):
                    file.addfile(member)
                    continue
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                file.addfile(info, io.BytesIO(member[1]))
        return buffer.getvalue()

    return content(make, "a.tar.gz")


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def bomb(kit: Kit) -> bytes:
    """A gibibyte of zeros, a megabyte on the disk."""
    info = tarfile.TarInfo("zeros")
    info.size = 1 << 30
    head = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    start = head.compress(info.tobuf()) + head.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(info.tobuf())
    for _ in range(1025):  # a mebibyte more, in which the archive ends
        crc = zlib.crc32(bytes(1 << 20), crc)
    end = struct.pack("<2L", crc, (512 + (1025 << 20)) & 0xFFFFFFFF)
    gzip_head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return gzip_head + start + b"".join(deflated(b"\0", 1025 << 20)) + end


def deep_links() -> list[Any]:
    """Folders with long names and links, whose resolved path is longer than the system allows."""
    name, members, path = "d" * 247, [], ""
    for letter in "abcdefghijklmnop":
        members += [special(f"{path}{name}", tarfile.DIRTYPE)]
        members += [special(f"{path}{letter}", tarfile.SYMTYPE, name)]
        path += f"{letter}/"
    link = "/".join("abcdefghijklmnop")
    members += [special(f"{link}/l", tarfile.SYMTYPE, "../" * 16)]
    members += [special("escape", tarfile.SYMTYPE, f"{link}/l/../../.."), ("escape/evil", b"1")]
    return members


def negative_size(kit: Kit) -> bytes:
    info = tarfile.TarInfo("a")
    header = bytearray(info.tobuf())
    header[124:136] = b"\xff" * 12
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(1024))


def cut_gzip(kit: Kit) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as file:
        info = tarfile.TarInfo("a")
        info.size = 100_000
        file.addfile(info, io.BytesIO(os.urandom(100_000)))
    return whole.getvalue()[:50_000]


GOOD_TAR = tar(("data/a.txt", b"1"), ("data/b.txt", b"2"))
ARCHIVES: list[tuple[str, str, Make]] = [
    ("T01", "member ../evil", tar(("good", b"1"), ("../evil", b"1"))),
    ("T02", "absolute path", tar(("/tmp/evil-of-gazelle", b"1"))),
    ("T03", "link to .., then a file through it",
     tar(special("up", tarfile.SYMTYPE, ".."), ("up/evil", b"1"))),
    ("T04", "link to ., then a/../evil",
     tar(special("a", tarfile.SYMTYPE, "."), ("a/../evil", b"1"))),
    ("T05", "hard link to a file outside", tar(special("h", tarfile.LNKTYPE, "/etc/passwd"))),
    ("T06", "hard link named ../evil", tar(("a", b"1"), special("../evil", tarfile.LNKTYPE, "a"))),
    ("T07", "device", tar(special("null", tarfile.CHRTYPE))),
    ("T08", "pipe", tar(special("pipe", tarfile.FIFOTYPE))),
    ("T10", "name twice", tar(("a", b"1"), ("a", b"2"))),
    ("T11", "a gibibyte of zeros", content(bomb, "a.tar.gz")),
    ("T12", "path of 1,200 characters", tar(("/".join(["d" * 99] * 12), b"1"))),
    ("T14", "links through paths that are too long (CVE-2025-4517)", tar(*deep_links())),
    ("T15", "folder beside the target",
     tar(("../a.tar.gz_extracted_evil/x", b"1"))),
    ("T16", "negative size", content(negative_size, "a.tar.gz")),
    ("T17", "cut", content(cut_gzip, "a.tar.gz")),
    ("T18", "web page", content(lambda kit: b"<html>" + b" " * 1000, "a.tar.gz")),
]  # fmt: skip


def set_uid() -> tarfile.TarInfo:
    info = tarfile.TarInfo("program")
    info.mode = 0o4755
    return info


# ---- Images ----


def png(width: int, height: int, data: bytes | None = None, bits: int = 8, color: int = 2) -> bytes:
    """A PNG file that says anything of its size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    if data is None:
        size = height * (1 + 3 * width)
        if size < 1 << 20:
            data = zlib.compress(bytes(size))
        else:  # more rows than there are, which readers ignore
            data = b"\x78\xda" + b"".join(deflated(b"\0", size + (1 << 20))) + bytes(4)
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def deep_png(kit: Kit) -> bytes:
    """One gray pixel of 16 bits: 40,000 of 65,535."""
    return png(1, 1, zlib.compress(b"\0" + struct.pack(">H", 40_000)), 16, 0)


GOOD_PNG = content(lambda kit: png(3, 2), "i.png")
IMAGES: list[tuple[str, str, Make]] = [
    ("I01", "13,000 x 13,000 pixels", content(lambda kit: png(13_000, 13_000), "i.png")),
    ("I02", "12,000 x 7,000 pixels", content(lambda kit: png(12_000, 7_000), "i.png")),
    ("I03", "2^31 - 1 pixels wide and high",
     content(lambda kit: png((1 << 31) - 1, (1 << 31) - 1, b""), "i.png")),
    ("I04", "cut", content(lambda kit: png(300, 300)[:200], "i.png")),
    ("I05", "empty", content(lambda kit: b"", "i.png")),
    ("I06", "web page", content(lambda kit: b"<!doctype html>" + b" " * 100, "i.png")),
    ("I07", "no pixels", content(lambda kit: png(0, 0, b""), "i.png")),
    ("I10", "PostScript, which Pillow gives to a program",
     content(lambda kit: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "i.png")),
]  # fmt: skip


def classes(change: Callable[[Path, Kit], None] | None = None) -> Make:
    """A folder of two classes with two images each."""

    def make(kit: Kit, folder: Path) -> Path:
        root = folder / "images"
        for name in ("a", "b"):
            (root / name).mkdir(parents=True)
            for number in range(2):
                (root / name / f"{number}.png").write_bytes(png(3, 2))
        if change is not None:
            change(root, kit)
        return root

    return make


def _link_out(root: Path, kit: Kit) -> None:
    (root / "c").symlink_to(kit.trap)


FOLDERS: list[tuple[str, str, Make]] = [
    ("I11", "class that is a link out of the folder", classes(_link_out)),
    ("I11-e", "class without images", classes(lambda root, kit: (root / "c").mkdir())),
    ("I11-b", "one image that cannot be read",
     classes(lambda root, kit: (root / "a" / "x.png").write_bytes(b"nothing") and None)),
]  # fmt: skip


# ---- Downloads ----


def origin(text: str | Callable[[Kit, Path], str]) -> Make:
    return lambda kit, folder: text(kit, folder) if callable(text) else text


def local(kit: Kit, folder: Path) -> str:
    (folder / "words.txt").write_bytes(b"words")
    return (folder / "words.txt").as_uri()


CASES = [
    *(
        Case(id, f"CIFAR-10: {what}", pickles(made), "~data_batch_1", "cifar",
             twin=pickles(batch()), expects="(20, 32, 32, 3) uint8 [0]")
        for id, what, made in CIFAR
    ),
    *(
        Case(id, f"npz of a run: {what}", array(made), "~predictions.npz", "run",
             twin=array(lambda: npy(data=bytes(20) + b"\1" * 20)), keras=keras)
        for id, what, made, keras in ARRAYS
    ),
    *(Case(id, what, make, "", "run", twin=lambda kit, folder: kit.run(folder), keras="-")
      for id, what, make in RUNS),
    *(
        Case(id, f"tar: {what}", make, "~a.tar.gz", "archive", twin=GOOD_TAR,
             expects="['a.txt', 'b.txt']")
        for id, what, make in ARCHIVES
    ),
    Case("T09", "tar: set-uid file", tar(set_uid()), kind="archive",
         loads="only the content is unpacked, without its mode"),
    Case("T13", "tar: 1,000 files", tar(*((f"d/{n}", b"") for n in range(1000))), kind="archive",
         loads="fewer than a million files"),
    *(Case(id, f"image: {what}", make, "~i.png", "image", twin=GOOD_PNG)
      for id, what, make in IMAGES),
    Case("I08", "image: 16 bits, value 40,000", content(deep_png, "i.png"), kind="image",
         expects="RGB (1, 1) (156, 156, 156)", loads="scaled to 8 bits: 156"),
    *(Case(id, f"images: {what}", make, "", "images", twin=classes(), keras="-")
      for id, what, make in FOLDERS),
    Case("G01", "address that ends in /..", origin("https://127.0.0.1:1/a/.."), "~plain name",
         "download", twin=origin(local)),
    Case("G02", "file://", origin(local), kind="download", loads="a copy of a local file"),
    Case("G04", "another hash", origin(local), "~wrong hash", "download", twin=origin(local),
         options={"file_hash": "0" * 64}),
]  # fmt: skip
