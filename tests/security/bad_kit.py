"""What bad files are made of: good files, traps, and the description of a case."""

from __future__ import annotations

import copy
import io
import json
import shutil
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

KERNEL, BIAS = "layers/dense/vars/0", "layers/dense/vars/1"
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_KERAS_KINDS = ("model", "weights", "archive", "download", "image", "cifar")
_ENDINGS = {"model": "m.keras", "weights": "m.weights.h5"}

Make = Callable[["Kit", Path], "Path | str"]
Change = Callable[[dict[str, Any], "Kit"], Any]


@dataclass(frozen=True)
class Case:
    """A bad file, and its nearest legal neighbour.

    Args:
        id: Its id in the table of bad inputs; more rows have ids of their own.
        what: The trick in a few words.
        make: Writes it into a folder, and returns what is opened.
        code: How the code of the refusal begins; for errors without codes, a part of the message.
        kind: What it is: a key of the tables in `openers.py`.
        twin: Writes the legal neighbour.
        options: Arguments with which it is opened.
        twin_options: Arguments with which the neighbour is opened.
        expects: What the neighbour is when it is loaded; empty where any model will do.
        loads: Why the file itself is not refused; empty for all others.
        keras: What Keras does where it is not measured again: R refuses, L loads.
    """

    id: str
    what: str
    make: Make
    code: str = ""
    kind: str = "model"
    twin: Make | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    twin_options: Mapping[str, Any] = field(default_factory=dict)
    expects: str = ""
    loads: str = ""
    keras: str = ""

    @property
    def sides(self) -> tuple[str, ...]:
        """Who can open such files."""
        sides = ["gazelle"]
        if self.kind in _KERAS_KINDS:
            sides.append("keras")
        if self.kind == "model":
            sides.append("runtime")
        if self.kind in ("model", "weights"):
            sides.append("inspect")
        return tuple(sides)


class Kit:
    """Good files and traps.

    Args:
        root: An empty folder.
        port: Where a listener waits for connections.
    """

    secret = "9f3a-a-secret-that-no-message-may-tell"

    def __init__(self, root: Path, port: int):
        self.root = root
        self.url = f"http://127.0.0.1:{port}/words.txt"
        self.good, self.trap = root / "good", root / "trap"
        self.marker = root / "cwd" / "marker"  # what code in a file would write
        for name in ("good", "trap", "cwd", "home", "tmp", "target"):
            (root / name).mkdir()
        self.secret_file = self.trap / "secret.txt"
        self.secret_file.write_text(self.secret)
        (self.trap / "planted_module.py").write_text(f"open({str(self.marker)!r}, 'w').close()\n")
        with h5py.File(self.trap / "other.h5", "w") as file:
            file["layers/dense/vars/0"] = np.ones((4, 3), "f4")
            file["x"] = np.ones(3, "f4")

    @staticmethod
    def model(library: Any) -> Any:
        """The model that the files of weights are loaded into, of Gazelle or Keras."""
        model = library.Sequential(
            [library.Input((4,), name="inp"), library.layers.Dense(3, name="d")], name="s"
        )
        model.compile("sgd", "mse")
        return model

    def make_good_files(self) -> None:
        """Write the good files; this computes, so it has to run in a process of its own."""
        import gazelle

        chain = self.model(gazelle)
        chain.fit(np.ones((4, 4)), np.ones((4, 3)), verbose=0)
        chain.save(self.good / "chain.keras")
        chain.save_weights(self.good / "chain.safetensors")
        x = gazelle.Input((4,), name="x")
        h = gazelle.layers.Dense(3, name="h")(x)
        out = gazelle.layers.Dense(2, name="out")(h)
        gazelle.Model(x, out, name="g").save(self.good / "graph.keras")
        sys.path.append(str(Path(__file__).parents[1] / "_report" / "runs"))
        import damage

        damage.make_table_run(self.good / "run", classes=True)

    def read_good_files(self) -> None:
        """Read the good files, the weights without digests, as Keras writes them."""
        self._configs, self._weights = {}, {}
        self.tensors = (self.good / "chain.safetensors").read_bytes()
        for name in ("chain", "graph"):
            with zipfile.ZipFile(self.good / f"{name}.keras") as archive:
                self._configs[name] = json.loads(archive.read(CONFIG))
                weights = io.BytesIO(archive.read(WEIGHTS))
            with h5py.File(weights, "r+") as file:
                del file["gazelle_sha256"]
            self._weights[name] = weights.getvalue()

    def config(self, *, graph: bool = False) -> dict[str, Any]:
        """A config that may be changed."""
        return copy.deepcopy(self._configs["graph" if graph else "chain"])

    def weights(self, change: Callable[[Any], Any] | None = None, *, graph: bool = False) -> bytes:
        """A file of weights, changed through h5py."""
        content = self._weights["graph" if graph else "chain"]
        if change is None:
            return content
        buffer = io.BytesIO(content)
        with h5py.File(buffer, "r+") as file:
            change(file)
        return buffer.getvalue()

    def archive(
        self,
        config: Any = None,
        weights: bytes | None = None,
        *,
        graph: bool = False,
        metadata: bytes | None = b'{"keras_version": "3.15.1"}',
        **more: bytes,
    ) -> bytes:
        """The bytes of a `.keras` file, good where nothing else is given."""
        if config is None:
            config = self.config(graph=graph)
        text = config if isinstance(config, bytes) else json.dumps(config).encode()
        members = {METADATA: metadata, CONFIG: text, WEIGHTS: weights or self.weights(graph=graph)}
        return zipped([(name, content) for name, content in (members | more).items() if content])

    def run(self, folder: Path) -> Path:
        """A copy of a good run folder."""
        return Path(shutil.copytree(self.good / "run", folder / "run"))


def zipped(
    members: list[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_STORED
) -> bytes:
    """A zip archive of members in their order."""
    import warnings

    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # a name twice is what some cases want
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


_PIECE = 1 << 20  # bytes


def deflated(letter: bytes, size: int) -> Iterator[bytes]:
    """A raw deflate stream of one letter, many mebibytes of it; made in no time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = packer.compress(letter * _PIECE) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(size // _PIECE):
        yield piece
    yield zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()


def with_bomb(
    name: str, letter: bytes, size: int, members: list[tuple[str | zipfile.ZipInfo, bytes]]
) -> bytes:
    """A zip archive with a member that unpacks to `size` bytes, and a right CRC."""
    data = zipped([(name, letter), *members], zipfile.ZIP_STORED)
    packed = b"".join(deflated(letter, size))
    crc = 0
    for _ in range(size // _PIECE):
        crc = zlib.crc32(letter * _PIECE, crc)
    about = struct.pack("<3L", crc, len(packed), size)
    start, entry = 30 + len(name), data.index(b"PK\x01\x02")
    local = data[:8] + struct.pack("<H", 8) + data[10:14] + about + data[26:start]
    central = data[entry : entry + 10] + struct.pack("<H", 8) + data[entry + 12 : entry + 16]
    central += about + data[entry + 28 : entry + 46 + len(name)]
    return _shifted(local + packed, central, data, start + 1, entry + 46 + len(name))


def _shifted(first: bytes, central: bytes, data: bytes, rest: int, entries: int) -> bytes:
    """An archive whose first member has become longer."""
    end = data.rindex(b"PK\x05\x06")
    moved = len(first) - rest
    others = bytearray(data[entries:end])
    place = 0
    while place < len(others):
        start = struct.unpack_from("<L", others, place + 42)[0]
        struct.pack_into("<L", others, place + 42, start + moved)
        place += 46 + sum(struct.unpack_from("<3H", others, place + 28))
    directory = data.index(b"PK\x01\x02")
    body = first + data[rest:directory]
    record = bytearray(data[end:])
    struct.pack_into("<L", record, 16, len(body))
    return body + central + bytes(others) + bytes(record)


def content(make: Callable[[Kit], bytes], name: str = "m.keras") -> Make:
    """A `make` that writes bytes."""

    def write(kit: Kit, folder: Path) -> Path:
        path = folder / name
        path.write_bytes(make(kit))
        return path

    return write


def with_config(change: Change | None = None, *, graph: bool = False, **options: Any) -> Make:
    """A `make` that writes a `.keras` file with a changed config."""

    def make(kit: Kit) -> bytes:
        config = kit.config(graph=graph)
        if change is not None:
            change(config, kit)
        return kit.archive(config, graph=graph, **options)

    return content(make)


def with_text(text: bytes | Callable[[Kit], bytes]) -> Make:
    """A `make` that writes a `.keras` file whose config is any text."""
    return content(lambda kit: kit.archive(text(kit) if callable(text) else text))
