"""`tf.io` and `tf.io.gfile`."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gazelle.compat._tensorflow._host import HostTensor, host_tensor, one_text, text_tensor
from gazelle.compat._tensorflow._table import answers, enter


def path_of(path: Any) -> str:
    """A path in any form: text, a tensor of text, a path."""
    if isinstance(path, HostTensor | bytes):
        return one_text(path).decode()
    return os.fspath(path)


@answers("io.read_file", "read_file")
def _read_file(filename: Any) -> HostTensor:
    return host_tensor(Path(path_of(filename)).read_bytes())


@answers("io.write_file", "write_file")
def _write_file(filename: Any, contents: Any) -> None:
    path = Path(path_of(filename))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(one_text(contents))


@answers("io.matching_files")
def _matching_files(pattern: Any) -> HostTensor:
    return text_tensor(_glob(pattern))


@answers("io.gfile.GFile", "gfile.GFile", "gfile.Open", "gfile.FastGFile")
class GFile:
    """A file.

    Args:
        name: Its path.
        mode: As for `open`.
    """

    def __init__(self, name: Any, mode: str = "r"):
        encoding = None if "b" in mode else "utf-8"
        self._file = open(path_of(name), mode, encoding=encoding)  # noqa: SIM115

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def size(self) -> int:
        """The number of bytes."""
        return os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> GFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)


def _gfile(name: str, old: str) -> Any:
    return answers(f"io.gfile.{name}", f"gfile.{old}", f"gfile.{name}")


@_gfile("exists", "Exists")
def _exists(path: Any) -> bool:
    return os.path.exists(path_of(path))


@_gfile("isdir", "IsDirectory")
def _isdir(path: Any) -> bool:
    return os.path.isdir(path_of(path))


@_gfile("makedirs", "MakeDirs")
def _makedirs(path: Any) -> None:
    os.makedirs(path_of(path), exist_ok=True)


@_gfile("mkdir", "MkDir")
def _mkdir(path: Any) -> None:
    os.mkdir(path_of(path))


@_gfile("listdir", "ListDirectory")
def _listdir(path: Any) -> list[str]:
    return os.listdir(path_of(path))


@_gfile("glob", "Glob")
def _glob(pattern: Any) -> list[str]:
    patterns = pattern if isinstance(pattern, list | tuple) else [pattern]
    return sorted(found for one in patterns for found in glob.glob(path_of(one)))


@_gfile("remove", "Remove")
def _remove(path: Any) -> None:
    os.remove(path_of(path))


@_gfile("rmtree", "DeleteRecursively")
def _rmtree(path: Any) -> None:
    shutil.rmtree(path_of(path))


@_gfile("copy", "Copy")
def _copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    if os.path.exists(path_of(dst)) and not overwrite:
        raise FileExistsError(path_of(dst))
    shutil.copyfile(path_of(src), path_of(dst))


@_gfile("rename", "Rename")
def _rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    if os.path.exists(path_of(dst)) and not overwrite:
        raise FileExistsError(path_of(dst))
    os.replace(path_of(src), path_of(dst))


@_gfile("stat", "Stat")
def _stat(path: Any) -> Any:
    return os.stat(path_of(path))


@_gfile("walk", "Walk")
def _walk(top: Any, topdown: bool = True) -> Iterator[Any]:
    return os.walk(path_of(top), topdown=topdown)


enter("io.gfile.join", os.path.join)
