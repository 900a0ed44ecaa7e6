"""Opens bad files in processes of their own, and reports what each of them did.

One recipe for every row of `bad_cases.py`. A process that has imported everything and computed
nothing is forked; the fork writes the file, sets the tripwires, opens the file, and reports. What
is watched: every open, import, start of code, connection and process that Python knows of (an audit
hook); opens of the trap files by anything, also by the HDF5 library (inotify); connections to a
listener; all files in the working, home, temporary and target folders; settings of the library; the
memory and the time.

`python tests/security/harness.py keras --only A01 D15` prints the verdicts of real Keras.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import os
import random
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1]))
import bad_cases
from bad_cases import Case, Kit
from peak_memory import peak, start_of_peak

SIDES = ("gazelle", "keras", "runtime", "inspect")  # who opens the files
PLANS = (*SIDES, "twins")  # twins: the legal neighbours, opened by Gazelle
_SECONDS = {"gazelle": 60.0, "keras": 20.0, "runtime": 60.0, "inspect": 60.0}  # for one file
_ADDRESSES = {"gazelle": 4 << 30, "keras": 5 << 30, "runtime": 4 << 30, "inspect": 4 << 30}
_LONGEST = {"ModelFileError": 300}  # characters of a message, by the type of the error
_LONGEST_OTHER = 1200  # of errors in several lines: the problem, expected, received, fix
_WATCHED = (
    "import", "exec", "compile", "marshal.loads", "pickle.find_class", "socket.connect",
    "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
    "ctypes.dlopen", "open", "webbrowser.open",
)  # fmt: skip


@dataclass
class Verdict:
    """What opening one file did.

    Args:
        plan: Who opened it, of `PLANS`.
        id: The id of the case.
        outcome: `refused`, `loaded`, or a finding: `unclear` (refused, but not as a user should
            read it), `crash`, `hang`.
        effects: What it did beside that: files, connections, imports, changed settings.
        code: The code of the error, or its type.
        text: The message, or what was loaded.
        seconds: How long it took.
        megabytes: How much memory it took at most.
    """

    plan: str
    id: str
    outcome: str
    effects: list[str] = field(default_factory=list)
    code: str = ""
    text: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0


def judge(*plans: str, only: Sequence[str] = (), batch: int = 1000) -> Iterator[Verdict]:
    """Open the files of all cases.

    Args:
        *plans: Who opens them, of `PLANS`; `keras` alone, since it is imported before the others.
        only: Ids; empty for all.
        batch: Files per process; 1 shows the memory of each most exactly.
    """
    command = [sys.executable, __file__, *plans, "--batch", str(batch)]
    command += ["--only", *only] if only else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield Verdict(**json.loads(line))
    if process.returncode:
        raise RuntimeError(f"the harness ended with {process.returncode}")


# ---- The tripwires ----

_events: list[tuple[str, str]] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is not None and event in _WATCHED:
        first = arguments[0] if arguments else None
        if event in ("exec", "compile"):
            first = getattr(first, "co_filename", None) or (arguments[1:] or [None])[0]
        _events.append((event, os.fsdecode(first) if isinstance(first, bytes) else str(first)))


@contextmanager
def _noting() -> Iterator[list[tuple[str, str]]]:
    global _events
    _events = noted = []
    try:
        yield noted
    finally:
        _events = None


def _forbidden(events: list[tuple[str, str]], path: str, kit: Kit) -> list[str]:
    """Events that opening a file must not cause."""
    # The compiled programs of a run's predictions are in a folder of their own.
    own = (str(kit.root / "target"), os.environ.get("GAZELLE_COMPILE_CACHE", "/nowhere"))
    found = []
    for event, what in events:
        is_own = what.isdigit() or what == path or what.startswith(tuple(f"{one}/" for one in own))
        if event == "open" and is_own:
            continue
        if (event, what) == ("compile", "<unknown>"):  # NumPy parses the literal of a .npy header
            continue
        found.append(f"{event} {what[:80]}")
    return found


def _snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file and folder."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            about = os.lstat(path)
            is_folder = os.path.isdir(path) and not os.path.islink(path)
            found[path] = (0, 0) if is_folder else (about.st_size, about.st_mtime_ns)
    return found


def _changes(before: dict[str, Any], after: dict[str, Any], what: str) -> list[str]:
    return [f"{what} {key}" for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)]  # fmt: skip


def _settings(side: str) -> dict[str, Any]:
    """What a file must not change."""
    import numpy as np

    library = sys.modules["keras" if side == "keras" else "gazelle"]
    found: dict[str, Any] = {
        "environment": dict(os.environ),
        "sys.path": list(sys.path),
        "folder": os.getcwd(),
        "recursion limit": sys.getrecursionlimit(),
        "warnings": len(warnings.filters),
        "numpy.random": hashlib.md5(repr(np.random.get_state()).encode()).hexdigest(),  # noqa: NPY002
    }
    if side in ("gazelle", "keras"):
        config = library.config
        names = ("floatx", "epsilon", "image_data_format", "backend", "dtype_policy")
        found |= {name: str(getattr(config, name)()) for name in names if hasattr(config, name)}
        found["custom objects"] = sorted(library.saving.get_custom_objects())
    return found


# ---- One file ----


def observe(case: Case, kit: Kit, plan: str, watch: Watch) -> Verdict:
    """Write the file of a case, open it, and say what that did."""
    import openers

    twin, side = plan == "twins", _side(plan)
    folder = kit.root / "target" / case.id
    folder.mkdir(parents=True)
    path = str((case.twin if twin else case.make)(kit, folder))
    options = case.twin_options if twin else case.options
    opened: Callable[[], Any] = openers.prepared(side, case, path, options, kit)
    verdict = Verdict(plan, case.id, "loaded")
    before, settings = _snapshot(kit.root), _settings(side)
    memory, begun = start_of_peak(), time.perf_counter()
    with _noting() as events, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error: BaseException | None = None
        try:
            verdict.text = str(openers.summary(opened()))[:300]
        except BaseException as raised:
            error = raised
        verdict.seconds = time.perf_counter() - begun
    verdict.megabytes = max(0.0, peak() - memory)
    if error is not None:
        _describe(verdict, error, os.path.basename(path), kit)
    verdict.effects = _changes(before, _snapshot(kit.root), "file")
    if error is None and case.kind in ("archive", "download"):  # what was unpacked or copied
        cache = f"file {kit.root / 'target'}"
        verdict.effects = [effect for effect in verdict.effects if not effect.startswith(cache)]
    verdict.effects += _changes(settings, _settings(side), "setting") + watch.opened()
    if side != "keras":
        verdict.effects += _forbidden(events, path, kit)
    shutil.rmtree(folder)
    return verdict


def _describe(verdict: Verdict, error: BaseException, name: str, kit: Kit) -> None:
    """Whether an error is one that a user can read."""
    text = str(error)
    kinds = [kind.__name__ for kind in type(error).__mro__]
    verdict.code = getattr(error, "code", "") or kinds[0]
    verdict.text = text
    problem = ""
    if "GazelleError" not in kinds:
        problem = f"a {kinds[0]}"
        if kinds[0] not in ("ValueError", "TypeError", "OSError", "FileNotFoundError"):
            verdict.text = "".join(traceback.format_exception(error))[-1500:]
    elif len(text) > _LONGEST.get(kinds[0], _LONGEST_OTHER):
        problem = f"{len(text)} characters"
    elif kinds[0] == "ModelFileError" and not text.isprintable():
        problem = "not one printable line"
    elif not text.replace("\n", "").isprintable():
        problem = "control characters"
    elif name not in text and f"/{verdict.id}/" not in text:
        problem = "the file is not named"
    elif kit.secret in text:
        problem = "a secret is told"
    verdict.outcome = "unclear" if problem else "refused"
    if problem:
        verdict.text = f"({problem}) {verdict.text}"


# ---- The process that forks ----


def _side(plan: str) -> str:
    return "gazelle" if plan == "twins" else plan


def serve(plans: Sequence[str], cases: Sequence[Case], batch: int) -> Iterator[Verdict]:
    """The verdicts on cases, from forks that are replaced after a crash or a hang."""
    import openers

    with tempfile.TemporaryDirectory() as root, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        kit = Kit(Path(root).resolve(), listener.getsockname()[1])
        _in_fork(kit.make_good_files)
        openers.import_everything(_side(plans[0]))
        kit.read_good_files()
        sys.path.append(str(kit.trap))
        sys.addaudithook(_hook)
        watch = Watch(kit.trap)
        for plan in plans:
            chosen = [case for case in cases if _side(plan) in case.sides]
            if plan == "twins":
                chosen = [case for case in chosen if case.twin is not None]
            at = 0
            while at < len(chosen):
                for verdict in _from_fork(plan, chosen[at : at + batch], kit, listener, watch):
                    yield verdict
                    at += 1


def _in_fork(function: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        try:
            function()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the good files could not be made")


def _from_fork(
    plan: str, cases: Sequence[Case], kit: Kit, listener: socket.socket, watch: Watch
) -> Iterator[Verdict]:
    """Verdicts from one fork, until it has judged all cases, crashes or hangs."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(plan, cases, kit, watch, writing)
    os.close(writing)
    done, rest = 0, b""
    until = time.monotonic() + _SECONDS[_side(plan)] + 60  # the first has to warm up
    try:
        while done < len(cases):
            ready = select.select([reading, listener], [], [], max(0.0, until - time.monotonic()))
            hits = _answered(listener) if listener in ready[0] else []
            data = os.read(reading, 1 << 16) if reading in ready[0] else b""
            if not hits and not data:
                outcome = "hang" if not ready[0] else "crash"
                yield Verdict(plan, cases[done].id, outcome, watch.opened())
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                verdict = Verdict(**json.loads(line))
                verdict.effects += hits
                hits, done = [], done + 1
                until = time.monotonic() + _SECONDS[_side(plan)]
                yield verdict
    finally:
        if done < len(cases):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        shutil.rmtree(kit.root / "target", ignore_errors=True)


def _answered(listener: socket.socket) -> list[str]:
    """Answer a connection, and report it."""
    with listener.accept()[0] as connection:
        connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")
    return ["a connection"]


def _work(plan: str, cases: Sequence[Case], kit: Kit, watch: Watch, writing: int) -> None:
    """What a fork does; never returns."""
    import openers

    side = _side(plan)
    try:
        os.environ.update(HOME=str(kit.root / "home"), TMPDIR=str(kit.root / "tmp"))
        programs = Path(__file__).parents[2] / ".pytest_cache" / "xla" / "security"
        os.environ["GAZELLE_COMPILE_CACHE"] = str(programs)
        os.environ.update(GAZELLE_HOME=str(kit.root / "home"), KERAS_HOME=str(kit.root / "home"))
        tempfile.tempdir = None
        os.chdir(kit.root / "cwd")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - what libraries say
        openers.warm_up(side, kit, {case.kind for case in cases})
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + _ADDRESSES[side]
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        random.seed(0)
        for case in cases:
            verdict = observe(case, kit, plan, watch)
            os.write(writing, json.dumps(vars(verdict)).encode() + b"\n")
        os._exit(0)
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        os._exit(1)


class Watch:
    """Notes every open of the files in a folder, by any library (Linux's inotify).

    Args:
        folder: The folder.
    """

    _OPENED = 0x20

    def __init__(self, folder: Path):
        self._descriptor = -1
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            libc.inotify_add_watch(self._descriptor, os.fsencode(folder), self._OPENED)

    def opened(self) -> list[str]:
        """The opens since the last call."""
        found = []
        with suppress(BlockingIOError, OSError):
            data = os.read(self._descriptor, 1 << 16)
            while data:
                size = int.from_bytes(data[12:16], "little")
                name = data[16 : 16 + size].rstrip(b"\0").decode()
                if name:
                    found.append(f"trap opened: {name}")
                data = data[16 + size :]
        return found


def main() -> None:
    """Print the verdicts as lines of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("plans", nargs="+", choices=PLANS)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    cases = [case for case in bad_cases.ALL if not options.only or case.id in options.only]
    for verdict in serve(options.plans, cases, options.batch):
        print(json.dumps(vars(verdict)), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    main()
