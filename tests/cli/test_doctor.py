"""gazelle doctor: what it shows, what it calls a fault, and how it ends."""

import pytest

from gazelle._engine import kernel as native
from gazelle.cli import doctor


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAZELLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GAZELLE_COMPILE_CACHE", raising=False)
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def test_all_is_shown_in_80_columns_of_ascii(gazelle, tmp_path):
    (tmp_path / "home" / "xla").mkdir(parents=True)
    (tmp_path / "home" / "xla" / "program").write_bytes(bytes(2_500_000))
    answer = gazelle("doctor")
    assert (answer.status, answer.err) == (0, "")
    shown = [line[:12].strip() for line in answer.out.splitlines()]
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
    said = " ".join(answer.out.split())
    assert native.status().text in said
    assert "1 file, 2.5 MB" in said
    assert said.endswith("Everything works.")
    assert answer.out.isascii()
    assert max(len(line) for line in answer.out.splitlines() if str(tmp_path) not in line) < 80


def test_nothing_is_made_where_gazelle_would_keep_things(gazelle, tmp_path):
    gazelle("doctor")
    assert not (tmp_path / "home").exists()


def test_a_folder_that_cannot_be_written_is_a_fault_with_its_cure(gazelle, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAZELLE_HOME", str(tmp_path / "file"))
    answer = gazelle("doctor")
    assert answer.status == 1
    assert "set GAZELLE_HOME" in " ".join(answer.out.split())
    assert answer.out.splitlines()[-1] == "2 things to mend."


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
def test_a_broken_kernel_is_a_fault_and_none_is_not(gazelle, monkeypatch, state, status, words):
    monkeypatch.setattr(native, "status", lambda: state)
    answer = gazelle("doctor")
    assert answer.status == status
    assert words in " ".join(answer.out.split())


def test_a_missing_optional_package_is_a_hint_with_the_line_for_pip(gazelle, monkeypatch):
    installed = doctor._installed
    monkeypatch.setattr(
        doctor, "_installed", lambda name: None if name == "pillow" else installed(name)
    )
    answer = gazelle("doctor")
    assert answer.status == 0
    assert (
        "hint: reports, pictures and the command line need pillow\n  fix: pip install"
        " 'gazelle[all]'\n" in answer.out
    )


@pytest.mark.parametrize(
    ("number", "right"), [("0.7.2", False), ("0.11.1", False), ("0.8.0", True), ("0.12", True)]
)
def test_a_version_that_gazelle_does_not_go_with_is_a_fault(monkeypatch, number, right):
    monkeypatch.setattr(
        doctor, "requires", lambda name: ["jax!=0.11.1,>=0.8", "keras>=9; extra == 'test'"]
    )
    monkeypatch.setattr(doctor, "_installed", lambda name: number)
    found = doctor.Findings()
    doctor._packages(found)
    fault = (
        f"jax is {number}; Gazelle needs 0.8 or newer and not 0.11.1",
        "pip install --upgrade jax",
    )
    assert found.faults == ([] if right else [fault])


def test_a_jax_that_does_not_start_is_a_fault(monkeypatch):
    import jax

    def fails(*arguments):
        raise RuntimeError("Unable to initialize backend")

    monkeypatch.setattr(jax.numpy, "arange", fails)
    found = doctor.Findings()
    assert not doctor._jax(found)
    assert "JAX does not start (RuntimeError: Unable to initialize backend)" in found.faults[0][0]
