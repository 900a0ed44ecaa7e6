"""The figures of docs/security.md: one small function each, in the table at the end."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bad_cases
import harness
import long_runs

ROOT = Path(__file__).parents[2]
_HERE = Path(__file__).parent
_KILLS = ROOT / "tests" / "models" / "kills.py"
READER = ROOT / "src" / "gazelle" / "_formats"
EARLIER = "measured earlier, Keras 3.15.1"
NOT_YET = "not measured yet"


@dataclass(frozen=True)
class Options:
    """How long the figures may take.

    Args:
        quick: Whether to leave out Keras, and to try less.
        count: Of kills and of flipped bits, per format.
    """

    quick: bool
    count: int


@dataclass(frozen=True)
class Figure:
    """One figure.

    Args:
        id: Its number: F1.
        what: What is measured.
        keras: Keras's figure where it is not measured in the same run.
        measure: Measures it: the words for Gazelle and, where it is measured, for Keras. None
            where nothing measures it yet.
    """

    id: str
    what: str
    keras: str
    measure: Callable[[Options], tuple[str, str | None]] | None = None


# ---- Words ----


def share(failures: int, total: int) -> str:
    """`0 of 300 (below 1.0 %)`: with no failure, the bound 3/N of the true rate, at 95 %."""
    if not total:
        return "0 of 0"
    bound = 300 / total
    digits = 1 if bound >= 0.1 else 3
    text = f"below {bound:.{digits}f} %" if not failures else f"{100 * failures / total:.0f} %"
    return f"{failures:,} of {total:,} ({text})"


def _listed(names: Iterable[str], most: int = 8) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


# ---- Processes ----


def _trial(library: str, name: str, count: int) -> dict[str, Any]:
    command = [sys.executable, str(_HERE / "trials.py"), library, name, str(count)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed: {result.stderr[-2000:]}")
    return json.loads(result.stdout)


def _both(name: str, count: int, options: Options) -> tuple[dict[str, Any], dict[str, Any] | None]:
    return _trial("gazelle", name, count), None if options.quick else _trial("keras", name, count)


@functools.cache
def verdicts(plan: str, quick: bool) -> dict[str, harness.Verdict]:
    """What every bad file did, by the id of its case."""
    batch = 1000 if quick else 25
    return {verdict.id: verdict for verdict in harness.judge(plan, batch=batch)}


def _bad(plan: str, options: Options) -> list[harness.Verdict]:
    """The verdicts on files that are not legal."""
    legal = {case.id for case in bad_cases.ALL if case.loads}
    return [one for one in verdicts(plan, options.quick).values() if one.id not in legal]


def is_refused(verdict: harness.Verdict) -> bool:
    """Whether a file did not load, clearly or not."""
    return verdict.outcome in ("refused", "unclear")


# ---- Files that are opened ----


def known_bad(options: Options) -> tuple[str, str | None]:
    """F1."""
    return _known_bad("gazelle", options), (None if options.quick else _known_bad("keras", options))


def _known_bad(plan: str, options: Options) -> str:
    found = _bad(plan, options)
    refused = sum(map(is_refused, found))
    broken = [one.id for one in found if one.outcome in ("crash", "hang")]
    executed = sum(any("marker" in effect for effect in one.effects) for one in found)
    effects = [one.id for one in found if one.effects]
    words = [f"{refused} of {len(found)} refused"]
    if loaded := len(found) - refused - len(broken):
        words.append(f"{loaded} accepted")
    if broken:
        words.append(f"{len(broken)} crashed or did not end ({_listed(broken)})")
    words.append(f"{executed} executed")
    words.append(
        f"{len(effects)} with side effects" + (f" ({_listed(effects)})" if effects else "")
    )
    return ", ".join(words)


def false_alarms(options: Options) -> tuple[str, str | None]:
    """F2."""
    twins = verdicts("twins", True).values()
    alarms = [one.id for one in twins if one.outcome != "loaded"]
    legal = [case.id for case in bad_cases.ALL if case.loads]
    alarms += [id for id in legal if verdicts("gazelle", options.quick)[id].outcome != "loaded"]
    neighbours = (
        f"legal neighbours of bad files refused: {share(len(alarms), len(twins) + len(legal))}"
    )
    if options.quick:
        return neighbours, "-"
    found = _trial("keras", "genuine", 1)
    files = share(len(found["refused"]), found["files"])
    return f"files of {found['models']} models of Keras refused: {files}; {neighbours}", "-"


def cost(options: Options) -> tuple[str, str | None]:
    """F3."""
    return _cost("gazelle", options), None if options.quick else _cost("keras", options)


def _cost(plan: str, options: Options) -> str:
    found = [one for one in _bad(plan, options) if one.outcome in ("refused", "unclear")]
    slowest = max(found, key=lambda one: one.seconds)
    largest = max(found, key=lambda one: one.megabytes)
    hung = [one.id for one in _bad(plan, options) if one.outcome == "hang"]
    words = f"{slowest.seconds:.2f} s ({slowest.id}), {largest.megabytes:,.0f} MB ({largest.id})"
    limit = "; stopped at 5 GB and 20 s" if plan == "keras" else ""
    return words + (f"; without end: {_listed(hung)}" if hung else "") + limit


def mutants(options: Options) -> tuple[str, str | None]:
    """F4."""
    found, keras = _both("flips", options.count, options)
    run = long_runs.kept().get("damaged files")
    words = f"flipped bits loaded with other values: {_flips(found)}"
    if run:
        words += (
            f"; crashes, hangs, wrong or unclear outcomes of mutants:"
            f" {share(run['findings'], run['files'])} ({run['date']})"
        )
    return words, keras and f"flipped bits loaded with other values: {_flips(keras)}"


def _flips(found: dict[str, Any]) -> str:
    parts = [
        f"`{name.removeprefix('m')}` {share(one.get('wrong', 0), one['flips'])}"
        for name, one in found.items()
    ]
    return ", ".join(parts)


def lint(options: Options) -> tuple[str, str | None]:
    """F16."""
    found = _bad("gazelle", options)
    unclear = [one.id for one in found if one.outcome == "unclear"]
    refused = sum(map(is_refused, found))
    words = f"{refused - len(unclear)} of {refused} clear"
    if options.quick:
        return words + (f"; unclear: {_listed(unclear)}" if unclear else ""), None
    keras = [one for one in _bad("keras", options) if is_refused(one)]
    lengths = [len(one.text) for one in keras]
    wrong = sum("File not found" in one.text for one in keras)
    return words, (
        f"{sum(length > 300 for length in lengths)} of {len(keras)} longer than 300 characters;"
        f" {wrong} say that a damaged file is not found"
    )


# ---- Files that are written ----


def kills(options: Options) -> tuple[str, str | None]:
    """F5."""
    runs = {
        name.removeprefix("kills of m").removeprefix("kills of ") or "folder": one
        for name, one in long_runs.kept().items()
        if name.startswith("kills of ")
    }
    words = "unreadable or torn: " + ", ".join(
        f"`{name}` {share(one['unreadable'] + one['torn'], one['kills'])}"
        for name, one in sorted(runs.items())
    )
    if not runs:
        words = _killed("gazelle", options.count)
    return words, None if options.quick else _killed("keras", min(options.count, 100))


def _killed(library: str, count: int) -> str:
    parts = []
    for name in ("m.keras", "m.weights.h5"):
        command = [sys.executable, str(_KILLS), "--library", library, "--only", name]
        command += ["--count", str(count)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        one = json.loads(result.stdout)
        bad = one["unreadable"] + one["torn"]
        parts.append(f"`{name.removeprefix('m')}` {share(bad, one['kills'])}")
    return "unreadable or torn: " + ", ".join(parts)


def failing_calls(options: Options) -> tuple[str, str | None]:
    """F8."""
    sys.path.insert(0, str(_KILLS.parent))
    import failing

    found = failing.all_calls()
    lost = sum(not one.is_intact for one in found)
    formats = len({one.name for one in found})
    return (
        f"previous file lost: {share(lost, len(found))} failing calls of open, write, fsync and"
        f" replace in {formats} formats"
    ), None


# ---- Trainings that are interrupted or go wrong ----


def _interrupted(call: str) -> Any:
    """The value of a call of tests/resume/measured.py, in a process of its own."""
    script = (
        f"import json, sys; sys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        f"from resume import measured; print(json.dumps(measured.{call}))"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{call} failed: {result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def killed_trainings(options: Options) -> tuple[str, str | None]:
    """F6."""
    found = long_runs.kept().get("killed trainings")
    if found is None or options.quick:
        found = _interrupted("killed(10)" if options.quick else "killed(30)")
    bad = share(found["failed"] + found["differing"], found["trainings"])
    return (
        f"failed, or other numbers at the end: {bad} trainings, killed {found['kills']} times",
        None,
    )


def every_step(options: Options) -> tuple[str, str | None]:
    """F7."""
    trials, differing = _interrupted("every_step(1)" if options.quick else "every_step()")
    return f"other numbers at the end: {share(differing, trials)}, one for each step", None


def signals(options: Options) -> tuple[str, str | None]:
    """F9."""
    one = _interrupted("signals(4)" if options.quick else "signals(20)")
    return (
        f"{one['saved']} of {one['sent']} saved, {one['right status']} with the right status,"
        f" {one['slowest']:.1f} s at most"
    ), None


def spoiled(options: Options) -> tuple[str, str | None]:
    """F10."""
    one = _interrupted("spoiled()")
    return (
        f"of {one['cases']} ways: {one['in time']} found in the step that shows it or the next,"
        f" {one['weights kept']} times the weights are finite, {one['cause named']} causes named"
    ), None


def downloads(options: Options) -> tuple[str, str | None]:
    """F15."""
    found, keras = _both("downloads", 40 if options.quick else 200, options)
    return _poisoned(found), keras and _poisoned(keras)


def _poisoned(found: dict[str, Any]) -> str:
    return f"incomplete files in the cache: {share(found.get('poisoned', 0), found['kills'])}"


# ---- Numbers ----


def wrong_data(options: Options) -> tuple[str, str | None]:
    """F11."""
    found, keras = _both("labels", 1, options)
    return _caught(found), keras and _caught(keras)


def _caught(found: dict[str, str]) -> str:
    caught = sum(words.startswith("refused after 0 steps") for words in found.values())
    return (
        f"{caught} of {len(found)} kinds of wrong labels and inputs refused before the first step"
    )


def repeats(options: Options) -> tuple[str, str | None]:
    """F12."""
    found, keras = _both("repeats", 3 if options.quick else 10, options)
    return _repeated(found), keras and _repeated(keras)


def _repeated(found: dict[str, Any]) -> str:
    runs = found["runs"]
    return (
        f"{runs} runs with one seed end with {_counted(found['different weights'], 'set')} of"
        f" weights; {runs} saves of one model give {_counted(found['different files'], 'file')}"
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} different {what}s"


def price(options: Options) -> tuple[str, str | None]:
    """F13."""
    found, keras = _both("times", 3 if options.quick else 15, options)
    return _prices(found), keras and _prices(keras)


def _prices(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {taken:.0f} ms" for name, taken in found.items())


def configs(options: Options) -> tuple[str, str | None]:
    """F14."""
    found, keras = _both("configs", 1, options)
    return _lost(found), keras and _lost(keras)


def _lost(found: dict[str, Any]) -> str:
    names = f": {_listed(found['lost'])}" if found["lost"] else ""
    return f"{len(found['lost'])} of {found['arguments']} arguments lost{names}"


# ---- The reader ----


def reader(options: Options) -> tuple[str, str | None]:
    """F17."""
    lines = sum(map(_code_lines, READER.glob("*.py")))
    words = f"{lines:,} lines of Python (and h5py for the values)"
    return words if options.quick else f"{words}; {_coverage()}", None


def _code_lines(path: Path) -> int:
    """Lines with code, without docstrings and comments."""
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    lines: set[int] = set()
    is_start = True
    with open(path, "rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in skipped:
                is_start = is_start or token.type == tokenize.NEWLINE
            elif not (is_start and token.type == tokenize.STRING):
                lines.update(range(token.start[0], token.end[0] + 1))
                is_start = False
    return len(lines)


_COVERED = (
    "tests/security/test_bad_files.py",
    "tests/_formats",
    "tests/resume/test_resume.py",
    *(f"tests/models/test_{name}.py"
      for name in ("bad_legacy_h5", "files", "legacy_h5", "loading", "safetensors",
                   "sharded_weights")),
)  # fmt: skip


def _coverage() -> str:
    """How much of the reader the table of bad files and its own tests run."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "coverage.ini")
        settings.write_text(
            "[run]\nbranch = true\nsource_pkgs = gazelle._formats\nparallel = true\n"
            f"patch = fork, _exit, subprocess\ndata_file = {folder}/data\n"
            "[report]\nexclude_also =\n    except ImportError\n"
        )
        run = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}"]
        environment = {**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider -q"}
        command = [*run, "-m", "pytest", *_COVERED]
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
        tool = [sys.executable, "-m", "coverage"]
        subprocess.run([*tool, "combine", f"--rcfile={settings}"], capture_output=True, check=True)
        report = Path(folder, "report.json")
        command = [*tool, "json", f"--rcfile={settings}", "-o", str(report)]
        subprocess.run(command, capture_output=True, check=True)
        totals = json.loads(report.read_text())["totals"]
    statements = 100 * totals["covered_lines"] / totals["num_statements"]
    branches = 100 * totals["covered_branches"] / totals["num_branches"]
    return f"tests run {statements:.0f} % of its statements and {branches:.0f} % of its branches"


FIGURES = [
    Figure("F1", "Known-bad files", "57 of 218 loaded (6 of them legal), 0 executed", known_bad),
    Figure("F2", "Genuine files refused", "-", false_alarms),
    Figure("F3", "Longest time and most memory of a refusal", "44 s, 12.5 GB", cost),
    Figure("F4", "Damaged files", "flipped bits: `.weights.h5` 288 of 300, `.keras` 0 of 300",
           mutants),
    Figure("F5", "Saves killed (kill -9)",
           "unreadable: `.keras` 164 of 200, `.weights.h5` 106 of 200",
           kills),
    Figure("F6", "Trainings killed (kill -9), and begun again",
           "consistent: 20 of 200; with double_checkpoint=True 164 of 200", killed_trainings),
    Figure("F7", "Trainings interrupted at every step, and resumed", "equal: 0 of 4", every_step),
    Figure("F8", "Calls that fail while a file is saved", "a full disk destroys the previous file",
           failing_calls),
    Figure("F9", "SIGTERM and Ctrl-C: state saved, exit status",
           "SIGTERM saves nothing; Ctrl-C stopped 38 of 39 runs", signals),
    Figure("F10", "NaN while training",
           "not found; all epochs run", spoiled),
    Figure("F11", "Wrong labels and inputs", "none found", wrong_data),
    Figure("F12", "The same again", "weights equal, files different", repeats),
    Figure("F13", "Time for 6.3 MB of weights", "-", price),
    Figure("F14", "Arguments through a config and back", "Huber and CosineSimilarity lose some",
           configs),
    Figure("F15", "Downloads killed at a random byte", "an incomplete file is used as if complete",
           downloads),
    Figure("F16", "Messages of refusals", "32 of 161 longer than 1,000 characters", lint),
    Figure("F17", "What has to be trusted to read a model file",
           "the HDF5 library: 210,000 lines (says safetensors)", reader),
]  # fmt: skip
