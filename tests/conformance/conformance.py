"""Runs Keras's own unit tests against Gazelle by its public names: `python conformance.py`.

Keras installs its tests with itself. They are read where they are, their imports are rewritten
(see `answers_core.py`), and they run from a folder that is removed later; nothing of Keras is kept.
Keras itself goes through the same door: the tests that it passes are what Gazelle is measured by,
so that a test that needs Keras's inner names counts against nobody.

    python conformance.py               all folders; --docs FILE writes docs/conformance.md
    python conformance.py layers/core   these folders of keras.src only
    python conformance.py --operations  the tests of the operations, which are counted apart
"""

import argparse
import fnmatch
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
REASONS = HERE / "reasons.toml"
LAYERS = (
    "core activations merging normalization regularization reshaping "
    "pooling/global_average_pooling_test.py pooling/global_max_pooling_test.py "
    "preprocessing/category_encoding_test.py preprocessing/discretization_test.py "
    "preprocessing/hashing_test.py preprocessing/hashed_crossing_test.py "
    "preprocessing/integer_lookup_test.py preprocessing/normalization_test.py "
    "preprocessing/string_lookup_test.py preprocessing/text_vectorization_test.py "
    "preprocessing/rescaling_test.py preprocessing/feature_space_test.py "
    "rnn/time_distributed_test.py layer_test.py"
)
SCOPE = [
    *(f"layers/{name}" for name in LAYERS.split()),
    *[
        "losses",
        "metrics",
        "optimizers",
        "callbacks",
        "initializers",
        "regularizers",
        "constraints",
    ],
    *["activations", "models", "utils", "random", "saving", "trainers", "dtype_policies"],
]
# Files of layers that Gazelle does not have, and of Keras's inner helpers, which no user calls.
OUT_OF_SCOPE = re.compile(
    r"iou_metrics|conv|up_?sampl|file_utils|naming|python_utils|tracking|rng_utils|dtype_utils|"
    r"sequence_utils|file_editor|variable_mapping|data_adapter|compile_utils|epoch_iterator|"
    r"zero_padding|cropping|quantiz|torch_utils|tf_utils|tf_dataset|torch_data|code_stats|"
    r"image_test|^image|einops|node|operation_utils|symbolic_arg|grain|jax_layer|reversible|"
    r"audio_dataset|bounding|model_visualization_test$|dataset_utils|orbax"
)
FILES_PER_RUN = 6  # a crash loses no more than these
SECONDS_PER_RUN = 3000
_ENDINGS = (0, 1, 2, 5)  # of pytest: all passed, some failed, not all collected, no tests
AS_IN_KERAS = ("passed", "worded differently")
Results = dict[str, tuple[str, str]]  # outcome and first line of the reason, by test


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*", help="folders or files of keras.src; all by default")
    parser.add_argument("--operations", action="store_true", help="the tests of the operations")
    parser.add_argument("--docs", type=Path, help="where to write the page")
    parser.add_argument("--list", action="store_true", help="print what does not pass, and why")
    parser.add_argument("--keep", type=Path, help="a folder for results, which later runs reuse")
    options = parser.parse_args()
    folders = ["ops"] if options.operations else options.folders or SCOPE
    theirs, ours = (
        _results(library, folders, options.operations, options.keep)
        for library in ("keras", "gazelle")
    )
    counts = counted(in_scope(theirs, ours), ours)
    print(table(counts))
    if options.list:
        for test in not_passed(theirs, ours):
            print(f"{test}\n    {ours.get(test, ('missing', ''))[1]}")
    if options.docs:
        text = page(counts, theirs, ours)
        if not options.operations and not options.folders:
            text += _operations_of_page(options.keep)
        options.docs.write_text(text, encoding="utf-8")


def run(library: str, folders: list[str], *, operations: bool = False) -> Results:
    """The outcomes of Keras's tests with a library in Keras's place.

    Args:
        library: The name of a package with Keras's public names, or `"keras"`.
        folders: Folders or files below `keras.src`.
        operations: Whether the functions of `ops` are what is tested, and not only a tool.
    """
    spec = importlib.util.find_spec("keras")
    if spec is None or spec.origin is None:
        raise SystemExit("Keras is not installed: pip install 'keras>=3.15'")
    source = Path(spec.origin).parent / "src"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        tests = _write_tests(source, folders, work)
        out = work / "results.jsonl"
        environment = os.environ | {
            "CONFORMANCE_LIBRARY": library,
            "CONFORMANCE_OPERATIONS": "1" if operations else "",
            "CONFORMANCE_OUT": str(out),
            "GAZELLE_COMPILE_CACHE": "off",
            "KERAS_BACKEND": "jax",
            "PYTHONPATH": os.pathsep.join([str(HERE), str(work), os.environ.get("PYTHONPATH", "")]),
        }
        command = [sys.executable, "-m", "pytest", "-q", "--continue-on-collection-errors"]
        command += ["-p", "no:cacheprovider", "-p", "outcomes", "-W", "ignore"]
        for start in range(0, len(tests), FILES_PER_RUN):
            some = tests[start : start + FILES_PER_RUN]
            ended = subprocess.run(
                [*command, *some],
                cwd=work,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SECONDS_PER_RUN,
                check=False,  # failing tests are what is counted
            )
            if ended.returncode not in _ENDINGS:
                print(
                    f"pytest ended with {ended.returncode} at {', '.join(some)}:", file=sys.stderr
                )
                print(ended.stdout[-2000:], file=sys.stderr)
        lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    return {name: (outcome, why) for name, outcome, why in map(json.loads, lines)}


def _results(library: str, folders: list[str], operations: bool, keep: Path | None) -> Results:
    """`run`, or what an earlier run has left in the folder `keep`."""
    if keep is None:
        return run(library, folders, operations=operations)
    found: Results = {}
    keep.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        path = keep / f"{library}-{folder.replace('/', '-')}.json"
        if not path.exists():
            path.write_text(json.dumps(run(library, [folder], operations=operations)))
        found |= {name: tuple(one) for name, one in json.loads(path.read_text()).items()}
    return found


# ---- The tests ----


def _write_tests(source: Path, folders: list[str], work: Path) -> list[str]:
    """Write the rewritten tests and their tools into a folder; returns the names of the tests."""
    files: set[Path] = set()
    for folder in folders:
        path = source / folder
        found = path.rglob("*_test.py") if path.is_dir() else [path]
        files.update(file for file in found if not OUT_OF_SCOPE.search(file.stem))
    names = []
    for file in sorted(files):
        inner = file.relative_to(source).with_suffix("").as_posix().removesuffix("_test")
        names.append(f"test_{inner.replace('/', '__')}.py")
        (work / names[-1]).write_text(rewritten(file.read_text(encoding="utf-8")))
    tools = [source / "testing" / name for name in ("test_case.py", "test_utils.py")]
    text = "\n".join(rewritten(tool.read_text(encoding="utf-8")) for tool in tools)
    # A few inner helpers that the tools need; the state that they clear is the library's.
    for inner, public in (
        ("answers.backend.common.global_state import clear", "answers.utils import clear"),
        ("answers.utils import traceback_utils", "keras.src.utils import traceback_utils"),
        ("answers.backend.common.keras_tensor import", "answers import"),
    ):
        text = text.replace(inner, public)
    text += "\nimport sys\ntest_case = test_utils = sys.modules[__name__]\n"
    (work / "keras_testing.py").write_text(text)
    (work / "conftest.py").write_text(
        "import pytest\n"
        "def skip_if_backend(backend, reason):\n"
        "    return pytest.mark.skipif(backend == 'jax', reason=reason)\n"
    )
    return names


def rewritten(text: str) -> str:
    """A test with its imports from Keras's inside as imports from `answers`."""
    for inner, public in (
        (r"^(\s*)from keras\.src(\.\S+)? import", r"\1from answers\2 import"),
        (r"^(\s*)import keras\s*$", r"\1import answers as keras"),
        (r"^(\s*)from keras import", r"\1from answers import"),
    ):
        text = re.sub(inner, public, text, flags=re.MULTILINE)
    if "(Trainer, layers." not in text:
        return text
    # The tests of the trainer mix a layer with the inner Trainer: that is a model.
    for inner, public in (
        (r"\(Trainer, layers\.Dense\)", "(_answers.DenseModel)"),
        (r"\(Trainer, layers\.Layer\)", "(_answers.LIBRARY.Model)"),
        (r"layers\.Dense\.__init__\((\s*)self", r"_answers.DenseModel.__init__(\1self"),
        (r"layers\.Layer\.__init__\(self", "_answers.LIBRARY.Model.__init__(self"),
        (r"Trainer\.__init__\(self\)", "pass"),
    ):
        text = re.sub(inner, public, text)
    return f"import sys as _sys\n_answers = _sys.modules['answers_core']\n{text}"


# ---- The results ----


def folder_of(test: str) -> str:
    """The folder of a test: `layers/core` of `test_layers__core__dense.py::...`."""
    parts = test.split(".py")[0].removeprefix("test_").split("__")
    return "/".join(parts[:2] if parts[0] == "layers" else parts[:1])


def not_passed(theirs: Results, ours: Results) -> list[str]:
    """The tests that Keras passes and Gazelle does not; the words of an error may differ."""
    passed = {test for test, (outcome, _) in theirs.items() if outcome == "passed"}
    missing = "missing", ""
    return sorted(test for test in passed if ours.get(test, missing)[0] not in AS_IN_KERAS)


class Count(NamedTuple):
    """Tests of a folder that Keras passes."""

    keras: int
    gazelle: int  # of these
    worded: int  # of these again: an error has other words


def counted(theirs: Results, ours: Results) -> dict[str, Count]:
    """The counts of each folder."""
    passed = [test for test, (outcome, _) in theirs.items() if outcome == "passed"]
    each = Counter(map(folder_of, passed))
    missed = Counter(map(folder_of, not_passed(theirs, ours)))
    worded = [test for test in passed if ours.get(test, ("", ""))[0] == "worded differently"]
    other_words = Counter(map(folder_of, worded))
    return {
        folder: Count(each[folder], each[folder] - missed[folder], other_words[folder])
        for folder in sorted(each)
    }


def table(counts: dict[str, Count]) -> str:
    """The counts as a table in Markdown."""
    total = Count(*(sum(numbers) for numbers in zip(*counts.values(), strict=True)))
    lines = [
        f"| {name} | {one.keras:,} | {one.gazelle:,} | {one.gazelle / one.keras:.1%}"
        f" | {one.worded} |"
        for name, one in [*counts.items(), ("**all**", total)]
    ]
    head = ["| Folder | Keras passes | Gazelle | | with other words in an error |"]
    return "\n".join([*head, "|---|--:|--:|--:|--:|", *lines])


def reason_for(test: str, reasons: dict[str, list[str]]) -> str:
    """Why a test does not pass, from `reasons.toml`; empty where nobody has said it."""
    short = test.removeprefix("test_")
    for reason, patterns in reasons.items():
        if any(fnmatch.fnmatchcase(short, pattern) for pattern in patterns):
            return reason
    return ""


def _operations_of_page(keep: Path | None) -> str:
    """The end of the page: the counts of the operations' own tests, and what does not pass."""
    theirs, ours = (_results(library, ["ops"], True, keep) for library in ("keras", "gazelle"))
    counts = counted(in_scope(theirs, ours), ours)
    missed = [f"- `{test.removeprefix('test_')}`" for test in not_passed(theirs, ours)]
    return "\n".join(["## Operations", "", table(counts), "", *missed, ""])


def in_scope(theirs: Results, ours: Results) -> Results:
    """Keras's outcomes less the tests that need what is out of Gazelle's scope."""
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    missed = not_passed(theirs, ours)
    outside = {test for test in missed if reason_for(test, reasons).startswith("out of scope")}
    return {test: outcome for test, outcome in theirs.items() if test not in outside}


def page(counts: dict[str, Count], theirs: Results, ours: Results) -> str:
    """docs/conformance.md."""
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    by_reason: dict[str, list[str]] = {}
    for test in not_passed(theirs, ours):
        by_reason.setdefault(reason_for(test, reasons) or "not done yet", []).append(test)
    parts = [
        "# Keras's own tests",
        "",
        "`make conformance` writes this page. It runs the unit tests that Keras installs with",
        "itself against Gazelle, by public names alone. Counted are the tests in scope that Keras",
        "passes when it goes through the same door. A test that expects an error counts if the",
        "error is of its kind; in how many of them the words differ is in the last column.",
        "Tests of a folder that need what is out of scope are listed below and not counted. Most",
        "of preprocessing layers pass with Keras only if TensorFlow is installed, and count there.",
        "",
        table(counts),
        "",
        "## What does not pass, and why",
        "",
    ]
    for reason, tests in sorted(by_reason.items(), key=lambda item: item[0] == "not done yet"):
        parts += [f"**{reason[0].upper()}{reason[1:]}** ({len(tests)})", ""]
        parts += [f"- `{test.removeprefix('test_')}`" for test in tests]
        parts += [""]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
