"""gazelle doctor: what Gazelle runs with on this machine, and what is wrong with it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import textwrap
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import gazelle
from gazelle._core.machine import cores
from gazelle._core.packages import INSTALL, OPTIONAL, SEPARATE

_CORE = ("jax", "jaxlib", "numpy", "scipy", "h5py", "rich")
_OPTIONAL = (*OPTIONAL.values(), *SEPARATE)
_LEFT = 12  # columns for the subject of a line
_WIDTH = 79
_REINSTALL = "pip install --force-reinstall jax jaxlib"


@dataclass
class Findings:
    """The results of the examination.

    Args:
        lines: (subject, text) of each line, in the order to show.
        problems: (problem, fix) of everything that is damaged or incompatible.
        hints: (hint, fix) of everything that could be better.
    """

    lines: list[tuple[str, str]] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    hints: list[tuple[str, str]] = field(default_factory=list)


def version_line() -> str:
    """The version and the engine in one line."""
    from gazelle._engine import kernel

    _do_not_reserve_gpu_memory()
    return f"gazelle {gazelle.__version__} ({kernel.status().text})"


def examine() -> Findings:
    """Examine everything that Gazelle needs, without changing anything."""
    _do_not_reserve_gpu_memory()
    found = Findings()
    found.lines.append(
        ("gazelle", f"{gazelle.__version__} in {_short(Path(gazelle.__file__).parent)}")
    )
    found.lines.append(("python", f"{platform.python_version()}, {_short(Path(sys.executable))}"))
    found.lines.append(
        ("machine", f"{platform.system()} {platform.machine()}, {_counted(cores(), 'core')}")
    )
    _packages(found)
    if _jax(found):
        _engine(found)
        _folders(found)
    return found


def text(found: Findings) -> str:
    """The findings in lines of at most 79 characters; paths and commands are not broken."""
    lines = [_entry(f"{subject:{_LEFT}}", words) for subject, words in found.lines]
    for title, pairs in (("problem", found.problems), ("hint", found.hints)):
        for words, fix in pairs:
            lines += ["", _entry(f"{title}: ", words), f"  fix: {fix}"]
    verdict = "Everything works."
    if found.problems:
        verdict = f"{_counted(len(found.problems), 'problem')} found."
    return "\n".join([*lines, "", verdict])


def _packages(found: Findings) -> None:
    """Report the versions of the packages, and which are missing or incompatible."""
    core = {name: _installed(name) for name in _CORE}
    optional = {name: _installed(name) for name in _OPTIONAL}
    found.lines.append(("packages", _versions(core)))
    found.lines.append(("optional", _versions(optional)))
    for name, number in core.items():
        if number is None:
            found.problems.append((f"{name} is not installed", f"pip install {name}"))
    missing = [name for name in OPTIONAL.values() if optional[name] is None]
    if missing:
        found.hints.append(
            (f"reports, pictures and the command line need {', '.join(missing)}", INSTALL)
        )
    found.hints += [
        (f".{name} files need {name}", install)
        for name, install in SEPARATE.items()
        if optional[name] is None
    ]
    for name, (least, refused) in _requirements().items():
        number = _installed(name)
        if number is not None and (_numbers(number) < _numbers(least) or number in refused):
            wanted = " and not ".join([f"{least} or newer", *refused])
            found.problems.append(
                (f"{name} is {number}; Gazelle needs {wanted}", f"pip install --upgrade {name}")
            )


def _versions(installed: dict[str, str | None]) -> str:
    return ", ".join(f"{name} {number or 'missing'}" for name, number in installed.items())


def _jax(found: Findings) -> bool:
    """Report the device that JAX uses; returns False if JAX does not start."""
    try:
        import jax

        from gazelle._report.record import device

        is_right = int(jax.numpy.arange(4).sum()) == 6
        found.lines.append(("device", device()))
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        problem = f"JAX does not start ({type(error).__name__}: {first[:200]})"
        found.problems.append((problem, _REINSTALL))
        return False
    if not is_right:
        found.problems.append(("JAX computes wrong numbers on this machine", _REINSTALL))
    if jax.default_backend() == "cpu":
        _unused_gpu(found)
    return True


def _unused_gpu(found: Findings) -> None:
    """Report whether there is a GPU that JAX does not use."""
    if shutil.which("nvidia-smi") is None and not Path("/dev/nvidia0").exists():
        found.lines.append(("gpu", "none found"))
        return
    found.lines.append(("gpu", "there is an NVIDIA GPU, but JAX does not use it"))
    found.hints.append(
        ("JAX does not use the GPU", "install JAX with CUDA, see JAX's installation page")
    )


def _engine(found: Findings) -> None:
    import warnings

    from gazelle._engine import kernel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would repeat the lines below
        state = kernel.status()
    found.lines.append(("engine", state.text))
    if state.broken:
        found.problems.append((state.text, state.fix))
    elif state.fix:
        found.hints.append(("small networks train faster with the kernel", state.fix))


def _folders(found: Findings) -> None:
    """Report the folders of Gazelle: whether they are writable, and their size."""
    from gazelle._engine.compile_cache import compile_cache_folder
    from gazelle._files.writing import cache_folder

    for name, folder, fix in (
        (
            "programs",
            compile_cache_folder(),
            "set GAZELLE_COMPILE_CACHE to a writable folder, or to off",
        ),
        ("datasets", cache_folder("datasets"), "set GAZELLE_HOME to a writable folder"),
    ):
        if folder is None:
            found.lines.append((name, "not kept (GAZELLE_COMPILE_CACHE is off)"))
            continue
        problem = _unwritable(folder)
        found.lines.append((name, f"{_short(folder)}, {problem or _size(folder)}"))
        if problem:
            found.problems.append((f"the folder {_short(folder)} is {problem}", fix))


def _unwritable(folder: Path) -> str:
    """Why a folder, or its nearest existing parent, cannot be written to; empty if it can."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"not writable ({error.strerror})"


def _size(folder: Path) -> str:
    """Number of files in a folder, and their size."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    if not sizes:
        return "empty"
    return f"{_counted(len(sizes), 'file')}, {sum(sizes) / 1e6:,.1f} MB"


def _requirements() -> dict[str, tuple[str, list[str]]]:
    """The oldest supported version of each package, and the versions that are excluded."""
    try:
        lines = requires("gazelle") or []
    except PackageNotFoundError:  # a source tree that is not installed
        return {}
    found = {}
    for line in lines:
        match = re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*([^;]*)", line)
        least = re.search(r">=\s*([\d.]+)", match.group(2)) if match else None
        if match and least and match.group(1) in (*_CORE, *_OPTIONAL):
            found[match.group(1)] = least.group(1), re.findall(r"!=\s*([\d.]+)", match.group(2))
    return found


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", number)[:3])


def _do_not_reserve_gpu_memory() -> None:
    """Keep JAX from reserving most of a GPU's memory as soon as it starts."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def _entry(head: str, words: str) -> str:
    return textwrap.fill(
        words,
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _short(path: Path) -> str:
    """A path with `~` for the home folder."""
    home = Path.home()
    return f"~{os.sep}{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
