"""Building the kernel: a shared library for each level of the x86-64 processors that it pays on.

Needs nothing but a C++ compiler and the headers that come with jaxlib. Run by hatch_build.py at the project's root, or
by hand after a change of the kernel: `python -m gazelle.native.building`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
LEVELS = ("v3", "v4")  # x86-64-v3: AVX2 and FMA; x86-64-v4: AVX-512
_FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC", "-pthread", "-fno-math-errno", "-fno-trapping-math", "-w")
_WIDE = {"v3": (), "v4": ("-mprefer-vector-width=512",)}
_SECONDS = 120  # for a compiler that hangs


def path_of(level: str) -> Path:
    """Where the library for a level of processors is; its name tells the sources that it was made from."""
    digest = hashlib.sha256()
    for source in sorted([*FOLDER.glob("*.h"), *FOLDER.glob("*.cpp")]):
        digest.update(source.read_bytes())
    return FOLDER / f"kernel-{level}-{digest.hexdigest()[:12]}.so"


def compiler() -> str | None:
    """The C++ compiler: `$CXX`, or the first of c++, g++ and clang++ that is there."""
    names = (os.environ.get("CXX"), "c++", "g++", "clang++")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def build(include: Path) -> list[Path]:
    """Compile the libraries that are missing, side by side, and remove those of earlier sources.

    Args:
        include: The folder with `xla/ffi/api/ffi.h`.

    Returns:
        All libraries.

    Raises:
        OSError: There is no compiler, another machine than Linux on x86-64, or it fails.
    """
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise OSError(f"the kernel is made for Linux on x86-64, not {sys.platform} on {platform.machine()}")
    paths = {level: path_of(level) for level in LEVELS}
    missing = {level: path for level, path in paths.items() if not path.exists()}
    program = compiler()
    if missing and program is None:
        raise OSError("there is no C++ compiler")
    running = []
    for level, path in missing.items():
        output = path.with_suffix(f".{os.getpid()}.tmp")  # takes its name when it is whole
        command = [program, *_FLAGS, *_WIDE[level], f"-march=x86-64-{level}", "-isystem", str(include)]
        command += [str(FOLDER / "kernel.cpp"), "-o", str(output)]
        running.append((subprocess.Popen(command, stderr=subprocess.PIPE, text=True), output, path))
    errors = [_finish(*one) for one in running]
    if any(errors):
        raise OSError(next(error for error in errors if error))
    for path in FOLDER.glob("kernel-*.so"):
        if path not in paths.values():
            path.unlink()
    return list(paths.values())


def _finish(process: subprocess.Popen, output: Path, path: Path) -> str:
    """Wait for a compiler; gives what went wrong, or nothing."""
    try:
        _, text = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        text = "the compiler takes too long"
    if process.returncode == 0:
        output.replace(path)
        return ""
    output.unlink(missing_ok=True)
    return next((line for line in text.splitlines() if "error" in line), text[:200]) or "the compiler failed"


if __name__ == "__main__":
    import jaxlib

    for built in build(Path(jaxlib.__file__).parent / "include"):
        print(built.name)
