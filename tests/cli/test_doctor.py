"""gazelle doctor: what it shows, what it reports as a problem, and its exit status."""

import pytest

from gazelle._engine import kernel as native
from gazelle.cli import doctor


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAZELLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GAZELLE_COMPILE_CACHE", raising=False)
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def test_everything_is_shown_in_80_columns_of_ascii(gazelle, tmp_path):
    (tmp_path / "home" / "xla").mkdir(parents=True)
    (tmp_path / "home" / "xla" / "program").write_bytes(bytes(2_500_000))
    result = gazelle("doctor")
    assert (result.status, result.err) == (0, "")
    shown = [line[:12].strip() for line in result.out.splitlines()]
    for name in (
        "gazelle",
        "python",
        "machine",
        "packages",
        "optional",
        "device",
        "engine",
        "programs",
        "datasets",
    ):
        assert name in shown
    words = " ".join(result.out.split())
    assert native.status().text in words
    assert "1 file, 2.5 MB" in words
    assert words.endswith("Everything works.")
    assert result.out.isascii()
    assert max(len(line) for line in result.out.splitlines() if str(tmp_path) not in line) < 80


def test_the_cache_folders_are_not_created(gazelle, tmp_path):
    gazelle("doctor")
    assert not (tmp_path / "home").exists()


def test_a_folder_that_is_not_writable_is_a_problem_with_a_fix(gazelle, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAZELLE_HOME", str(tmp_path / "file"))
    result = gazelle("doctor")
    assert result.status == 1
    assert "set GAZELLE_HOME" in " ".join(result.out.split())
    assert result.out.splitlines()[-1] == "2 problems found."


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        (
            native.Status("XLA alone; no kernel: it is damaged", False, "run this", broken=True),
            1,
            "fix: run this",
        ),
        (
            native.Status("XLA alone; no kernel: no compiler", False, "run that"),
            0,
            "with the kernel fix: run that",
        ),
        (
            native.Status("XLA alone; no kernel: GAZELLE_NATIVE is off", False),
            0,
            "GAZELLE_NATIVE is off",
        ),
    ],
)
def test_a_broken_kernel_is_a_problem_and_a_missing_one_is_not(
    gazelle, monkeypatch, state, status, words
):
    monkeypatch.setattr(native, "status", lambda: state)
    result = gazelle("doctor")
    assert result.status == status
    assert words in " ".join(result.out.split())


def test_a_missing_optional_package_is_a_hint_with_the_pip_command(gazelle, monkeypatch):
    installed = doctor._installed
    monkeypatch.setattr(
        doctor, "_installed", lambda name: None if name == "pillow" else installed(name)
    )
    result = gazelle("doctor")
    assert result.status == 0
    assert (
        "hint: reports, pictures and the command line need pillow\n  fix: pip install"
        " 'gazelle[all]'\n" in result.out
    )


@pytest.mark.parametrize("package", ["onnx", "safetensors"])
def test_a_missing_package_with_an_extra_of_its_own_is_a_hint_too(gazelle, monkeypatch, package):
    installed = doctor._installed
    monkeypatch.setattr(
        doctor, "_installed", lambda name: None if name == package else installed(name)
    )
    result = gazelle("doctor")
    assert result.status == 0
    assert f"{package} missing" in " ".join(result.out.split())
    fix = f"pip install 'gazelle[{package}]'"
    assert f"hint: .{package} files need {package}\n  fix: {fix}\n" in result.out


@pytest.mark.parametrize(
    ("number", "right"), [("0.7.2", False), ("0.11.1", False), ("0.8.0", True), ("0.12", True)]
)
def test_an_incompatible_version_is_a_problem(monkeypatch, number, right):
    monkeypatch.setattr(
        doctor, "requires", lambda name: ["jax!=0.11.1,>=0.8", "keras>=9; extra == 'test'"]
    )
    monkeypatch.setattr(doctor, "_installed", lambda name: number)
    found = doctor.Findings()
    doctor._packages(found)
    problem = (
        f"jax is {number}; Gazelle needs 0.8 or newer and not 0.11.1",
        "pip install --upgrade jax",
    )
    assert found.problems == ([] if right else [problem])


def test_a_jax_that_does_not_start_is_a_problem(monkeypatch):
    import jax

    def fails(*arguments):
        raise RuntimeError("Unable to initialize backend")

    monkeypatch.setattr(jax.numpy, "arange", fails)
    found = doctor.Findings()
    assert not doctor._jax(found)
    problem, _ = found.problems[0]
    assert "JAX does not start (RuntimeError: Unable to initialize backend)" in problem
