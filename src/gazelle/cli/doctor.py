"""gazelle doctor: what Gazelle runs with here, and what is amiss with it."""

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
from gazelle._core.packages import INSTALL, OPTIONAL

_CORE = ("jax", "jaxlib", "numpy", "scipy", "h5py", "rich")
_LEFT = 12  # columns for what a line is about
_WIDTH = 79
_AGAIN = "pip install --force-reinstall jax jaxlib"


@dataclass
class Findings:
    """What was found.

    Args:
        lines: What a line is about and what it says, in the order to show.
        faults: What is damaged or does not fit, each with what mends it.
        hints: What could be better, each with how.
    """

    lines: list[tuple[str, str]] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    hints: list[tuple[str, str]] = field(default_factory=list)


def version_line() -> str:
    """One line: the version and the engine."""
    from gazelle._engine import kernel

    _leave_the_gpu_alone()
    return f"gazelle {gazelle.__version__} ({kernel.status().text})"


def examine() -> Findings:
    """Look at everything that Gazelle needs; nothing is changed."""
    _leave_the_gpu_alone()
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
    """The findings as lines of at most 79 characters; paths and commands are not broken."""
    lines = [_entry(f"{name:{_LEFT}}", said) for name, said in found.lines]
    for title, pairs in (("to mend", found.faults), ("hint", found.hints)):
        for said, fix in pairs:
            lines += ["", _entry(f"{title}: ", said), f"  fix: {fix}"]
    verdict = (
        f"{_counted(len(found.faults), 'thing')} to mend." if found.faults else "Everything works."
    )
    return "\n".join([*lines, "", verdict])


def _packages(found: Findings) -> None:
    """Versions of the packages, and which are missing or too old."""
    needed = _requirements()
    said = []
    for name in _CORE:
        number = _installed(name)
        said.append(f"{name} {number or 'missing'}")
        if number is None:
            found.faults.append((f"{name} is not installed", f"pip install {name}"))
    found.lines.append(("packages", ", ".join(said)))
    optional = {name: _installed(name) for name in OPTIONAL.values()}
    found.lines.append(
        (
            "optional",
            ", ".join(f"{name} {number or 'missing'}" for name, number in optional.items()),
        )
    )
    if missing := [name for name, number in optional.items() if number is None]:
        found.hints.append(
            (f"reports, pictures and the command line need {', '.join(missing)}", INSTALL)
        )
    for name, (least, refused) in needed.items():
        number = _installed(name)
        if number is not None and (_numbers(number) < _numbers(least) or number in refused):
            wanted = " and not ".join([f"{least} or newer", *refused])
            found.faults.append(
                (f"{name} is {number}; Gazelle needs {wanted}", f"pip install --upgrade {name}")
            )


def _jax(found: Findings) -> bool:
    """Whether JAX computes, and on what."""
    try:
        import jax

        from gazelle._report.record import device

        right = int(jax.numpy.arange(4).sum()) == 6
        found.lines.append(("device", device()))
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        found.faults.append((f"JAX does not start ({type(error).__name__}: {first[:200]})", _AGAIN))
        return False
    if not right:
        found.faults.append(("JAX computes wrong numbers here", _AGAIN))
    if jax.default_backend() == "cpu":
        there = shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()
        found.lines.append(
            ("gpu", "an NVIDIA GPU is there, and JAX does not use it" if there else "none seen")
        )
        if there:
            found.hints.append(
                (
                    "JAX does not use the GPU",
                    "install JAX with CUDA, as JAX's installation page says",
                )
            )
    return True


def _engine(found: Findings) -> None:
    import warnings

    from gazelle._engine import kernel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would say what stands here
        state = kernel.status()
    found.lines.append(("engine", state.text))
    if state.broken:
        found.faults.append((state.text, state.fix))
    elif state.fix:
        found.hints.append(("small networks train faster with the kernel", state.fix))


def _folders(found: Findings) -> None:
    """Where Gazelle keeps things: whether it can write there, and how much there is."""
    from gazelle._engine.compile_cache import compile_cache_folder
    from gazelle._files.writing import cache_folder

    programs = compile_cache_folder()
    for name, folder, fix in (
        (
            "programs",
            programs,
            "set GAZELLE_COMPILE_CACHE to a folder that can be written, or to off",
        ),
        ("datasets", cache_folder("datasets"), "set GAZELLE_HOME to a folder that can be written"),
    ):
        if folder is None:
            found.lines.append((name, "not kept (GAZELLE_COMPILE_CACHE is off)"))
            continue
        problem = _unwritable(folder)
        found.lines.append((name, f"{_short(folder)}, {problem or _size(folder)}"))
        if problem:
            found.faults.append((f"the folder {_short(folder)} is {problem}", fix))


def _unwritable(folder: Path) -> str:
    """What keeps files from being written into a folder, or into the nearest one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"not writable ({error.strerror})"


def _size(folder: Path) -> str:
    if not folder.exists():
        return "empty"
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{_counted(len(sizes), 'file')}, {sum(sizes) / 1e6:,.1f} MB" if sizes else "empty"


def _requirements() -> dict[str, tuple[str, list[str]]]:
    """The least version of each package that Gazelle may need, and the versions that it refuses."""
    try:
        lines = requires("gazelle") or []
    except PackageNotFoundError:  # a source tree that is not installed
        return {}
    found = {}
    for line in lines:
        match = re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*([^;]*)", line)
        least = re.search(r">=\s*([\d.]+)", match.group(2)) if match else None
        if match and least and match.group(1) in (*_CORE, *OPTIONAL.values()):
            found[match.group(1)] = least.group(1), re.findall(r"!=\s*([\d.]+)", match.group(2))
    return found


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", number)[:3])


def _leave_the_gpu_alone() -> None:
    """JAX would else take most of a GPU's memory as soon as it sees it."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def _entry(head: str, said: str) -> str:
    return textwrap.fill(
        said,
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
