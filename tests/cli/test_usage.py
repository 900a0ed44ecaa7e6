"""Help, version, wrong usage, and how the command starts and ends."""

import os
import re
import signal
import subprocess
import sys
import warnings

import pytest

import gazelle as package
from gazelle._engine import kernel as native
from gazelle.cli import evaluate as evaluating
from gazelle.cli import train as training

from .conftest import PROGRAM

pytestmark = pytest.mark.slow

COMMANDS = ["train", "evaluate", "predict", "report", "summary", "list", "compare", "doctor"]


def in_a_process(*arguments, program=PROGRAM, **options):
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, **options
    )


def test_without_arguments_it_shows_its_help(gazelle):
    result = gazelle()
    assert result.status == 0
    assert all(command in result.out for command in COMMANDS)
    assert result == gazelle("--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_is_short_and_fits_80_columns(gazelle, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    result = gazelle(command, "--help")
    assert result.status == 0
    assert result.err == ""
    assert len(result.out.splitlines()) <= 45
    assert max(map(len, result.out.splitlines())) <= 80
    assert not re.search(r"<|\{|\bTEXT\b|\bPATH\b|\bINTEGER\b|\bFLOAT\b|list\[|<=", result.out), (
        "types of Python"
    )


@pytest.mark.skipif(os.name != "posix", reason="shells of POSIX")
def test_a_shell_can_complete_options():
    words = {
        "COMP_WORDS": "gazelle train --hid",
        "COMP_CWORD": "2",
        "_GAZELLE_COMPLETE": "complete_bash",
    }
    assert in_a_process(env={**os.environ, **words}).stdout.split() == ["--hidden"]


def test_the_version_is_that_of_the_package_and_names_the_engine(gazelle):
    assert gazelle("--version").out == f"gazelle {package.__version__} ({native.status().text})\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian", "digits"], "trian"),
        (["train"], "DATA"),
        (["predict", "run"], "IMAGE"),
        (["train", "digits", "--nonsense"], "--nonsense"),
        (["train", "digits", "--epoch", "3"], "did you mean --epochs?"),
        (["train", "digits", "--name", "../x"], "'../x' is not a name"),
        (["train", "digits", "--name", "my net"], "did you mean my-net?"),
        (["train", "digits", "--name", ""], "is not a name"),
        (
            ["train", "digits", "--hidden", "200-100"],
            "is not a list of whole numbers .* did you mean 200,100?",
        ),
        (["train", "digits", "--dropout", "half"], "'half' is not a number from 0 to 0.95"),
        (["train", "digits", "--test-share", "1"], "1 is not a number from 0.01 to 0.9"),
        (["train", "digits", "--batch-size", "1.5"], "'1.5' is not a whole number, 1 or more"),
        (["compare", "digits"], "two or more runs"),
        (["predict", "digits", "x.png", "--top", "0"], "0 is not a whole number, 1 or more"),
        (["train", "digits", "--epochs", "0"], "--epochs"),
        (["train", "digits", "--epochs", "many"], "--epochs"),
        (["train", "digits", "--hidden", "20,x"], "20,x"),
        (["train", "digits", "--hidden", "20,0"], "20,0"),
        (["train", "digits", "--dropout", "1"], "--dropout"),
        (["train", "digits", "--learning-rate", "0"], "--learning-rate"),
        (["train", "digits", "--learning-rate", "nan"], "--learning-rate"),
        (["train", "digits", "--patience", "0"], "--patience"),
        (["train", "digits", "--seed", "-1"], "--seed"),
        (["train", "digits", "--optimizer", "addam"], "did you mean 'adam'"),
        (["train", "digits", "--activation", "rellu"], "did you mean 'relu'"),
        (["train", "digits", "--image-size", "8x8"], "digits all have the same size"),
        (["train", "images", "--image-size", "8"], "32x32"),
        (["train", "images", "--image-size", "0x8"], "0x8"),
    ],
)
def test_wrong_usage_is_reported_in_two_lines_with_status_2(gazelle, arguments, words, tmp_path):
    result = gazelle(*arguments)
    assert (result.status, result.out) == (2, "")
    assert words in result.err or re.search(words, result.err)
    assert "Input should" not in result.err
    first, second = result.err.splitlines()
    assert first.startswith("gazelle: ")
    assert second.startswith("  fix: see gazelle")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_loading_ends_with_status_130_and_leaves_nothing(
    gazelle, monkeypatch, tmp_path
):
    def load(*arguments, **options):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training, "load", load)
    assert gazelle("train", "digits") == (130, "", "gazelle: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_a_bug_of_gazelle_keeps_its_traceback(gazelle, monkeypatch):
    monkeypatch.setattr(training, "load", lambda *arguments, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gazelle("train", "digits")


def test_a_warning_is_one_line_on_stderr(gazelle, monkeypatch, digits_run):
    def measure(*arguments, **options):
        warnings.simplefilter("always")
        warnings.warn("mind the gap", stacklevel=1)
        raise OSError(28, "No space left on device", "disk")

    monkeypatch.setattr(evaluating, "evaluate", measure)
    result = gazelle("evaluate", digits_run)
    assert (
        result.err
        == "gazelle: warning: mind the gap\ngazelle: No space left on device: disk\n  fix: free"
        " some disk space\n"
    )
    assert result.status == 1


def test_help_is_shown_without_loading_jax_or_any_other_heavy_package():
    """The modules of the command load none; `gazelle/__init__.py` is not counted."""
    program = f"""
import sys, types
package = types.ModuleType("gazelle")
package.__path__ = [{os.path.dirname(package.__file__)!r}]
sys.modules["gazelle"] = package
from gazelle.cli.main import main
status = main(["train", "--help"])
heavy = {{"jax", "numpy", "matplotlib", "sklearn", "h5py", "PIL", "rich", "gazelle._core.variable"}}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
sys.exit(status)
"""
    done = in_a_process(program=program)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert "--learning-rate" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_the_output_suits_the_encoding_of_the_terminal(encoding, digits_run):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "summary", str(digits_run)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    out = done.stdout.decode(encoding)
    assert ("┏" in out, "?" in out) == (encoding == "utf-8", False)
    assert out.startswith('Model: "sequential')


def test_names_cannot_control_the_terminal(gazelle):
    result = gazelle("train", "a\x1b]0;b\x07\u202ec")
    assert "\x1b" not in result.err
    assert "called a\\x1b]0;b\\x07\\u202ec." in result.err


def test_a_refusal_in_a_process_of_its_own_has_no_traceback(tmp_path):
    done = in_a_process("evaluate", "nothing", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "gazelle: nothing is not a run folder."
    assert "Traceback" not in done.stderr
    assert "\n\n" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a pipe that is closed early")
def test_a_reader_that_stops_early_is_not_an_error(digits_run):
    program = (
        "import os; os.close(1); r, w = os.pipe(); os.close(r); assert w == 1 or os.dup2(w, 1);"
        f" {PROGRAM}"
    )
    done = in_a_process("summary", str(digits_run), program=program)
    assert done.stderr == ""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_at_a_terminal_ends_the_process_with_its_report_and_status_130(tmp_path):
    arguments = ["train", "digits", "--epochs", "100000", "--hidden", "4"]
    command = [sys.executable, "-c", PROGRAM, *arguments]
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "encoding": "utf-8",
    }
    with subprocess.Popen(command, cwd=tmp_path, **options) as process:
        try:
            for line in process.stdout:
                if line.startswith("Epoch 3/"):
                    process.send_signal(signal.SIGINT)
                    break
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[-1] == "Report: runs/digits/report.html"
    assert (tmp_path / "runs" / "digits" / "report.html").stat().st_size > 10_000
