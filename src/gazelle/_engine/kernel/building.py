"""Building the kernel: a shared library for each level of the x86-64 processors that it pays on.

Needs a C++ compiler and the headers that come with jaxlib. XLA takes functions that were compiled
with older headers than its own, never with newer ones: so installing Gazelle compiles with those of
the oldest jaxlib that it runs with (`build-system.requires` in pyproject.toml).

Run by hatch_build.py at the project's root, or by hand, with the headers of the jaxlib that is
installed: `python -m gazelle._engine.kernel.building`. Beside the libraries it leaves
`kernel.json`, which holds the SHA-256 of each and the version of the headers or, where there is no
library, why.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent  # of the libraries and their record
SOURCES = FOLDER / "cpp"
LEVELS = ("v3", "v4")  # x86-64-v3: AVX2 and FMA; x86-64-v4: AVX-512
RECORD = "kernel.json"
_HEADER = Path("xla") / "ffi" / "api" / "c_api.h"
_FLAGS = (
    "-O3",
    "-std=c++20",
    "-shared",
    "-fPIC",
    "-pthread",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-w",
)
_WIDE = {"v3": (), "v4": ("-mprefer-vector-width=512",)}
_LONGEST_REASON = 200  # characters


class Record(NamedTuple):
    """What was built.

    Args:
        digests: Name of each library to its SHA-256.
        reason: Why there is none; empty where there are libraries.
        interface: Major and minor version of XLA's foreign functions that they were compiled for.
    """

    digests: dict[str, str]
    reason: str
    interface: tuple[int, int] | None = None


def path_of(level: str) -> Path:
    """The library for a level of processors; its name has a digest of its sources."""
    digest = hashlib.sha256(repr((_FLAGS, _WIDE[level])).encode())
    for source in sorted([*SOURCES.glob("*.h"), *SOURCES.glob("*.cpp")]):
        digest.update(source.read_bytes())
    return FOLDER / f"kernel-{level}-{digest.hexdigest()[:12]}.so"


def digest_of(path: Path) -> str | None:
    """The SHA-256 of a file; None where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def record() -> Record:
    """What the last build left; whatever is wrong with its file is a reason like any other."""
    path = FOLDER / RECORD
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        digests = {str(name): str(digest) for name, digest in found["libraries"].items()}
        version = found["interface"]
        return Record(
            digests, str(found["reason"]), (int(version[0]), int(version[1])) if version else None
        )
    except FileNotFoundError:
        return Record({}, "this source tree has not built it")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Record({}, f"{RECORD}, the record of its build, is damaged")


def interface(include: Path | None) -> tuple[int, int] | None:
    """Version of XLA's foreign functions that headers are for; None if it cannot be read.

    Args:
        include: The folder with `xla/ffi/api`: `jaxlib/include`.
    """
    if include is None:
        return None
    try:
        text = (include / _HEADER).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = [re.search(rf"#define XLA_FFI_API_{part} (\d+)", text) for part in ("MAJOR", "MINOR")]
    numbers = [int(match.group(1)) for match in found if match]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def headers() -> Path | None:
    """The folder with the headers of the jaxlib that is installed, found without importing it."""
    spec = importlib.util.find_spec("jaxlib")
    folders = list(spec.submodule_search_locations or []) if spec is not None else []
    return Path(folders[0]) / "include" if folders else None


def compiler() -> str | None:
    """The C++ compiler: `$CXX`, or the first of c++, g++ and clang++ that is there."""
    names = (os.environ.get("CXX"), "c++", "g++", "clang++")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def build() -> list[Path]:
    """Compile missing or damaged libraries in parallel, and remove those of earlier sources.

    A compiler may take as long as it needs. What came of it is recorded in `kernel.json`, a failure
    too.

    Returns:
        All libraries.

    Raises:
        OSError: There is no compiler, no jaxlib, a machine other than Linux on x86-64, or it fails.
    """
    version = interface(headers())
    paths = {level: path_of(level) for level in LEVELS}
    try:
        _check_machine()
        known = record().digests
        missing = {
            level: path
            for level, path in paths.items()
            if known.get(path.name) != (digest_of(path) or "")
        }
        if missing:
            _compile(missing)
    except Exception as error:
        _remove_others(set())
        _write_record({}, str(error), None)
        raise
    _remove_others({path.name for path in paths.values()})
    if missing:
        _write_record({path.name: digest_of(path) or "" for path in paths.values()}, "", version)
    return list(paths.values())


def _check_machine() -> None:
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise OSError(f"it is made for Linux on x86-64, not {sys.platform} on {platform.machine()}")


def _compile(paths: dict[str, Path]) -> None:
    """Compile the libraries of some levels; all of them take their names or none does."""
    program = compiler()
    if program is None:
        raise OSError(
            "there was no C++ compiler (CXX, c++, g++ or clang++) when Gazelle was installed"
        )
    include = headers()
    if include is None or not (include / _HEADER).exists():
        raise OSError("jaxlib, whose headers it needs, was not there when Gazelle was installed")
    outputs = {level: path.with_suffix(f".{os.getpid()}.tmp") for level, path in paths.items()}
    running = []
    try:
        for level, output in outputs.items():
            command = [
                program,
                *_FLAGS,
                *_WIDE[level],
                f"-march=x86-64-{level}",
                "-isystem",
                str(include),
            ]
            command += [str(SOURCES / "kernel.cpp"), "-o", str(output)]
            running.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            )
        for process in running:
            errors = process.communicate()[1].decode(errors="replace")
            if process.returncode:
                raise OSError(
                    f"the compiler {Path(program).name} failed:"
                    f" {_first_error(errors, process.returncode)}"
                )
        for level, output in outputs.items():
            output.replace(paths[level])
    finally:
        for process in running:
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
        for output in outputs.values():
            output.unlink(missing_ok=True)


def _first_error(text: str, status: int) -> str:
    line = next(
        (line for line in text.splitlines() if "error" in line),
        text.strip() or f"exit status {status}",
    )
    return line.replace(f"{SOURCES}{os.sep}", "")[:_LONGEST_REASON]


def _remove_others(kept: set[str]) -> None:
    for path in FOLDER.glob("kernel-*.so"):
        if path.name not in kept:
            path.unlink()


def _write_record(digests: dict[str, str], reason: str, version: tuple[int, int] | None) -> None:
    temporary = FOLDER / f"{RECORD}.{os.getpid()}.tmp"
    with suppress(OSError):  # a folder that cannot be written: then nothing was built in it either
        content = {"libraries": digests, "reason": reason, "interface": version}
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        temporary.replace(FOLDER / RECORD)


if __name__ == "__main__":
    try:
        for built in build():
            print(built.name)
    except OSError as error:
        sys.exit(f"The kernel was not built: {error}.")
