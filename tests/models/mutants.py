"""Damaged model files, made at random from good ones."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

NAMES = ("chain", "graph")
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# Records of a zip archive: their signature, and the fields after it as (format, offset).
_LOCAL = [*(("<H", at) for at in (4, 6, 8, 10, 12, 26, 28)), *(("<I", at) for at in (14, 18, 22))]
_CENTRAL = [
    *(("<H", at) for at in (4, 6, 8, 10, 12, 14, 28, 30, 32, 34, 36)),
    *(("<I", at) for at in (16, 20, 24, 38, 42)),
]
_END = [*(("<H", at) for at in (4, 6, 8, 10, 20)), ("<I", 12), ("<I", 16)]


@dataclass(frozen=True)
class Mutant:
    """A damaged file.

    Args:
        path: Where it is.
        model: Which good model it was.
        what: The kind of file and of damage, then details.
        is_verified: Whether checksums must notice every change.
    """

    path: Path
    model: str
    what: str
    is_verified: bool


class Goods:
    """The good files of a folder, in memory.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path):
        self.archives = {name: (folder / f"{name}.keras").read_bytes() for name in NAMES}
        self.weights = {name: (folder / f"{name}.weights.h5").read_bytes() for name in NAMES}
        self.tensors = {name: (folder / f"{name}.safetensors").read_bytes() for name in NAMES}
        self.legacy = {name: (folder / f"{name}.h5").read_bytes() for name in NAMES}
        self.parts = {
            name: {
                path.name: path.read_bytes()
                for path in sorted(folder.iterdir())
                if path.name == f"{name}.weights.json" or path.name.startswith(f"{name}-")
            }
            for name in NAMES
        }


def make(goods: Goods, folder: Path, rng: random.Random, only: str = "") -> Mutant:
    """Make one damaged file in a folder.

    Args:
        goods: The good files.
        folder: Where to write it.
        rng: Draws the damage.
        only: `"legacy"` for old `.h5` files alone.
    """
    model = rng.choice(NAMES)
    other = NAMES[1 - NAMES.index(model)]
    if only == "legacy" or (not only and rng.random() < 0.1):
        ending, content, what, is_verified = _legacy(goods, model, other, rng)
        path = folder / f"bad{ending}"
        path.write_bytes(content)
        return Mutant(path, model, what, is_verified)
    kinds: list[Callable[[], tuple[str, bytes, str, bool]]] = [
        lambda: _archive_bytes(goods, model, other, rng),
        lambda: _archive_record(goods, model, rng),
        lambda: _archive_content(goods, model, rng),
        lambda: _config(goods, model, rng),
        lambda: _config(goods, model, rng),
        lambda: _config(goods, model, rng),
        lambda: _inner_weights(goods, model, rng),
        lambda: _weights(goods, model, other, rng),
        lambda: _weights(goods, model, other, rng),
        lambda: _tensors(goods, model, other, rng),
    ]
    number = rng.randrange(len(kinds) + 2)
    if number == len(kinds):
        return _sharded(goods, model, folder, rng)
    if number > len(kinds):
        return _folder(goods, model, other, folder, rng)
    ending, content, what, is_verified = kinds[number]()
    path = folder / f"bad{ending}"
    path.write_bytes(content)
    return Mutant(path, model, what, is_verified)


# ---- Bytes ----


def damaged(content: bytes, other: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Bytes that were changed, cut or mixed with those of another file; and how."""
    data = bytearray(content)
    kind = rng.choice(["bits", "bits", "run", "run", "cut", "insert", "remove", "splice"])
    place = rng.randrange(len(data))
    if kind == "bits":
        for _ in range(rng.choice([1, 1, 2, 8])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "run":
        size = rng.choice([1, 2, 4, 8, 64])
        end = min(len(data), place + size)
        data[place:end] = rng.choice([b"\0" * size, b"\xff" * size, rng.randbytes(size)])[
            : end - place
        ]
    elif kind == "cut":
        del data[place:]
    elif kind == "insert":
        data[place:place] = rng.randbytes(rng.choice([1, 4, 100]))
    elif kind == "remove":
        del data[place : place + rng.choice([1, 4, 100])]
    else:
        data[place:] = other[rng.choice([place, rng.randrange(len(other))]) :]
        if data == other:  # the other file itself, which is good
            del data[-1]
    return bytes(data), f"{kind} at {place}"


_MARKS = (b"\x89HDF", b"TREE", b"HEAP", b"SNOD", b"\x01\x00\x05\x00", b"\x01\x00\x06\x00")
_ATTRIBUTE_MARKS = (b"GCOL", b"model_config", b"layer_names", b"weight_names", b"keras_version")


def _structure(
    content: bytes, rng: random.Random, marks: tuple[bytes, ...] = _MARKS
) -> tuple[bytes, str]:
    """An HDF5 file in which bytes near the signatures of its structures are changed."""
    data = bytearray(content)
    mark = rng.choice(marks)
    places = [at for at in range(len(data)) if data.startswith(mark, at)] or [0]
    start = rng.choice(places)
    for _ in range(rng.choice([1, 1, 2, 4])):
        # What describes an attribute is around its name.
        place = start + rng.randrange(160) - (40 if mark in _ATTRIBUTE_MARKS else 0)
        place = max(0, min(len(data) - 1, place))
        data[place] = rng.choice([0, 1, 255, rng.randrange(256), data[place] ^ 1])
    return bytes(data), f"structure {mark!r} at {start}"


# ---- Zip archives ----


def members(archive: bytes) -> dict[str, bytes]:
    """The members of a good archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(contents: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive with right checksums."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in contents.items():
            file.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def _archive_bytes(
    goods: Goods, model: str, other: str, rng: random.Random
) -> tuple[str, bytes, str, bool]:
    archive = goods.archives[model]
    if rng.random() < 0.3:
        archive = zipped(members(archive), zipfile.ZIP_DEFLATED)
    content, how = damaged(archive, goods.archives[other], rng)
    return ".keras", content, f"archive bytes: {how}", True


def _archive_record(goods: Goods, model: str, rng: random.Random) -> tuple[str, bytes, str, bool]:
    """A field of the local, central or end records is changed, in one record or in both."""
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    data = bytearray(zipped(members(goods.archives[model]), method))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        infos, directory = file.infolist(), file.start_dir
    index = rng.randrange(len(infos))
    entry = directory + sum(46 + len(info.filename) for info in infos[:index])
    local = infos[index].header_offset
    record = rng.choice(["local", "central", "both", "end"])
    fields = {"local": _LOCAL, "central": _CENTRAL, "both": _LOCAL, "end": _END}[record]
    pattern, at = rng.choice(fields)
    places = {"local": [local], "central": [entry], "both": [local], "end": [len(data) - 22]}[
        record
    ]
    most = 256 ** struct.calcsize(pattern) - 1
    old = struct.unpack_from(pattern, data, places[0] + at)[0]
    value = rng.choice([0, 1, 8, most, most - 1, old + 1, old - 1, old * 2, rng.randrange(most)])
    value = min(max(value, 0), most)
    struct.pack_into(pattern, data, places[0] + at, value)
    if record == "both":  # the same field of the central record is two bytes later
        struct.pack_into(pattern, data, entry + at + 2, value)
    what = f"archive record: {record} {infos[index].filename} field {at}: {old} -> {value}"
    return ".keras", bytes(data), what, True


def _archive_content(goods: Goods, model: str, rng: random.Random) -> tuple[str, bytes, str, bool]:
    """The content of a member is changed in place, and its CRC in both records is made right."""
    data = bytearray(goods.archives[model])
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        infos, directory = file.infolist(), file.start_dir
    index = rng.randrange(len(infos))
    info = infos[index]
    start = info.header_offset + 30 + len(info.filename)
    end = start + info.file_size
    for _ in range(rng.choice([1, 1, 3])):
        data[rng.randrange(start, end)] = rng.randrange(256)
    crc = zlib.crc32(data[start:end])
    entry = directory + sum(46 + len(info.filename) for info in infos[:index])
    struct.pack_into("<I", data, info.header_offset + 14, crc)
    struct.pack_into("<I", data, entry + 16, crc)
    # Without a whole metadata.json, the config is not verified, but it is also not changed.
    return ".keras", bytes(data), f"archive content: {info.filename}", True


def without_digests(weights: bytes) -> bytes:
    """A weights file as Keras writes it, which does not verify its values."""
    buffer = io.BytesIO(weights)
    with h5py.File(buffer, "r+") as file:
        del file["gazelle_sha256"]
    return buffer.getvalue()


def _inner_weights(goods: Goods, model: str, rng: random.Random) -> tuple[str, bytes, str, bool]:
    contents = members(goods.archives[model])
    is_verified = rng.random() < 0.5
    if not is_verified:
        contents[_WEIGHTS] = without_digests(contents[_WEIGHTS])
    changed, how = _structure(contents[_WEIGHTS], rng)
    if rng.random() < 0.3:
        changed, how = damaged(contents[_WEIGHTS], contents[_CONFIG], rng)
    what = f"weights in archive, {'verified' if is_verified else 'not verified'}: {how}"
    return ".keras", zipped({**contents, _WEIGHTS: changed}), what, is_verified


def _weights(
    goods: Goods, model: str, other: str, rng: random.Random
) -> tuple[str, bytes, str, bool]:
    is_verified = rng.random() < 0.5
    content, second = goods.weights[model], goods.weights[other]
    if not is_verified:
        content, second = without_digests(content), without_digests(second)
    if rng.random() < 0.5:
        changed, how = _structure(content, rng)
    else:
        changed, how = damaged(content, second, rng)
    what = f"weights, {'verified' if is_verified else 'not verified'}: {how}"
    return ".weights.h5", changed, what, is_verified


def _tensors(
    goods: Goods, model: str, other: str, rng: random.Random
) -> tuple[str, bytes, str, bool]:
    """A `.safetensors` file, which nothing verifies; its header is JSON."""
    content = goods.tensors[model]
    if rng.random() < 0.5:
        size = int.from_bytes(content[:8], "little")
        header, how = changed_json(content[8 : 8 + size], rng)
        changed = len(header).to_bytes(8, "little") + header + content[8 + size :]
    else:
        changed, how = damaged(content, goods.tensors[other], rng)
    return ".safetensors", changed, f"safetensors: {how}", False


def _folder(goods: Goods, model: str, other: str, folder: Path, rng: random.Random) -> Mutant:
    """The folder that `zipped=False` writes, with one file damaged or missing."""
    parts, second = members(goods.archives[model]), members(goods.archives[other])
    name = rng.choice(list(parts))
    kind = rng.choice(["bytes", "structure", "missing"])
    how = name
    if kind == "missing":
        del parts[name]
    elif kind == "bytes":
        parts[name], how = damaged(parts[name], second[name], rng)
    elif name == _WEIGHTS:
        parts[name], how = _structure(parts[name], rng)
    else:
        parts[name], how = changed_json(parts[name], rng)
    path = folder / "bad"
    path.mkdir()
    for part, content in parts.items():
        (path / part).write_bytes(content)
    # A change of the metadata alone may take away the digest of the config, which is unchanged.
    return Mutant(path, model, f"folder {kind}: {name}: {how}", True)


def _legacy(
    goods: Goods, model: str, other: str, rng: random.Random
) -> tuple[str, bytes, str, bool]:
    """A whole model in the old format, damaged like the others."""
    content, second = goods.legacy[model], goods.legacy[other]
    kind = rng.choice(["bytes", "structure", "attributes", "attributes", "config", "names"])
    is_verified = kind != "config" and rng.random() < 0.5
    if not is_verified:
        content, second = without_digests(content), without_digests(second)
        if rng.random() < 0.5:
            content = _as_keras_3(content)
    if kind == "bytes":
        content, how = damaged(content, second, rng)
    elif kind == "structure":
        content, how = _structure(content, rng)
    elif kind == "attributes":
        content, how = _structure(content, rng, _ATTRIBUTE_MARKS)
    else:
        content, how = _changed_attribute(content, kind, rng)
    what = f"legacy {kind}, {'verified' if is_verified else 'not verified'}: {how}"
    return ".h5", content, what, is_verified


def _as_keras_3(content: bytes) -> bytes:
    """A file whose lists of names are in a heap, as Keras 3 writes them; Keras 2 did not."""
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        for group in [file["model_weights"], *file["model_weights"].values()]:
            for name, value in list(group.attrs.items()):
                if not isinstance(value, str) and len(value):
                    group.attrs[name] = [text.decode() for text in value]
    return buffer.getvalue()


def _changed_attribute(content: bytes, kind: str, rng: random.Random) -> tuple[bytes, str]:
    """A file in which the text of an attribute is changed as h5py writes it."""
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        how = _change_config(file, rng) if kind == "config" else _change_names(file, rng)
    return buffer.getvalue(), how


def _change_config(file: h5py.File, rng: random.Random) -> str:
    name = rng.choice(["model_config", "model_config", "training_config"])
    file.attrs[name], how = changed_json(file.attrs[name].encode(), rng)
    return f"{name}: {how}"


def _change_names(file: h5py.File, rng: random.Random) -> str:
    groups = [file["model_weights"], *file["model_weights"].values(), file["optimizer_weights"]]
    group = rng.choice(groups)
    name = "layer_names" if "layer_names" in group.attrs else "weight_names"
    names = [text if isinstance(text, bytes) else text.encode() for text in group.attrs[name]]
    names = names or [b""]
    names[rng.randrange(len(names))] = rng.choice([*names, b"../x", b"/", b"", b"n" * 900])
    rng.shuffle(names)
    del group.attrs[name]
    new = rng.choice([name, name, f"{name}0", "x"])
    group.attrs[new] = names
    return f"{group.name} {new} = {str(names)[:80]}"


def _sharded(goods: Goods, model: str, folder: Path, rng: random.Random) -> Mutant:
    parts = dict(goods.parts[model])
    index = f"{model}.weights.json"
    shards = [name for name in parts if name != index]
    kind = rng.choice(["index", "index", "index bytes", "part", "part", "swap", "missing"])
    name = rng.choice(shards)
    how = name
    if kind == "index":
        parts[index], how = changed_json(parts[index], rng)
    elif kind == "index bytes":
        parts[index], how = damaged(parts[index], parts[name], rng)
    elif kind == "part":
        change = damaged(parts[name], parts[rng.choice(shards)], rng)
        parts[name], how = change if rng.random() < 0.5 else _structure(parts[name], rng)
    elif kind == "swap":
        second = rng.choice(shards)
        parts[name], parts[second] = parts[second], parts[name]
    else:
        del parts[name]
    for part, content in parts.items():
        (folder / part).write_bytes(content)
    return Mutant(folder / index, model, f"sharded {kind}: {how}", True)


# ---- JSON ----

_VALUES = (
    "null", "true", "false", "-1", "0", "1", "2", "1e308", "1e999", "NaN", "-Infinity", "9" * 400,
    "9" * 6000, "1099511627776", "1000000000", "9223372036854775808", "0.5", '""', '"x"', '"/"',
    '".."', '"\\ud800"', '"\\u0000"', '"\\u001b[31m"', '"' + "n" * 100_000 + '"', "[]", "{}",
    "[[[[]]]]", "[1, 2, 3]", "[" * 150 + "]" * 150, '{"a": ' * 100 + "1" + "}" * 100,
    '"float16"', '"int8"', '"relu"', '"__lambda__"', '"keras_tensor"', "[null, -3]", '["a", "a"]',
    '{"class_name": "Dense", "config": {}}', '{"class_name": "Dense"}', '{"class_name": 1}',
    '{"class_name": "Sequential", "config": {"layers": []}}', '{"class_name": "l2", "config": {}}',
    '{"class_name": "__numpy__", "config": {"value": [1], "dtype": "U100000000"}}',
    '{"class_name": "__numpy__", "config": {"value": [[1], [1, 2]], "dtype": "float32"}}',
    '{"class_name": "__slice__", "config": {"start": 0, "stop": 1, "step": 0}}',
    '{"class_name": "__tensor__", "config": {}}', '{"class_name": "__ellipsis__", "config": {}}',
    '{"class_name": "function", "config": "relu"}',
    '{"class_name": "DTypePolicy", "config": {"name": "x"}}',
    '{"class_name": "__keras_tensor__", "config": {"shape": [null, 4], "dtype": "float32",'
    ' "keras_history": ["first", 0, 0]}}',
)  # fmt: skip


def changed_json(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """JSON with one to three values or keys deleted, repeated, replaced, exchanged or nested."""
    tree = json.loads(content)
    how = []
    later: dict[str, str] = {}  # marks -> text that takes their place
    for number in range(rng.choice([1, 1, 1, 2, 3])):
        how.append(_change(tree, f"@{number}@", later, rng))
    text = json.dumps(tree)
    for mark, value in later.items():
        text = text.replace(json.dumps(mark), value)
    return text.encode(), "; ".join(how)


def _change(tree: Any, mark: str, later: dict[str, str], rng: random.Random) -> str:
    """Change one value in place, or put a mark where text comes later; returns what was done."""
    places = list(_places(tree, ""))
    if not places:
        return "nothing"
    where, node, key = rng.choice(places)
    kinds = ["value"] * 5 + ["delete", "rename", "twice", "wrap", "exchange", "nest"]
    kind = rng.choice(kinds)
    if kind == "delete":
        del node[key]
    elif kind == "rename" and isinstance(node, dict):
        node[rng.choice(["x", "k" * 50_000, "", "name", "units"])] = node.pop(key)
    elif kind == "twice" and isinstance(node, list):
        node.append(node[key])
    elif kind == "twice":
        later[mark] = f"{json.dumps(node[key])}, {json.dumps(key)}: {rng.choice(_VALUES)}"
        node[key] = mark
    elif kind == "wrap":
        node[key] = rng.choice([[node[key]], {"config": node[key]}, {key: node[key]}])
    elif kind == "exchange":
        _, second, other = rng.choice(places)
        node[key], second[other] = (
            json.loads(json.dumps(second[other])),
            json.loads(json.dumps(node[key])),
        )
    elif kind == "nest":
        later[mark] = "[" * 150 + json.dumps(node[key]) + "]" * 150
        node[key] = mark
    else:
        later[mark] = rng.choice(_VALUES)
        node[key] = mark
        return f"{where} = {later[mark][:60]}"
    return f"{kind} {where}"


def _places(tree: Any, where: str) -> Any:
    """Every value in a tree as (its place, what holds it, its key)."""
    keys = range(len(tree)) if isinstance(tree, list) else list(tree)
    for key in keys:
        inner = f"{where}[{key}]" if isinstance(tree, list) else f"{where}.{str(key)[:40]}"
        yield inner, tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key], inner)


def _config(goods: Goods, model: str, rng: random.Random) -> tuple[str, bytes, str, bool]:
    """The config is changed; without metadata.json, nothing notices it."""
    contents = members(goods.archives[model])
    changed, how = changed_json(contents[_CONFIG], rng)
    is_verified = rng.random() < 0.1
    if not is_verified:
        del contents[_METADATA]
    what = f"config, {'verified' if is_verified else 'not verified'}: {how}"
    return ".keras", zipped({**contents, _CONFIG: changed}), what, is_verified
