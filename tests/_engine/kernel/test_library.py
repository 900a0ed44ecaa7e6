"""The kernel's library is built with a record, verified before loading, and never breaks JAX."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from gazelle._engine import kernel as native
from gazelle._engine.kernel import building, library

pytestmark = pytest.mark.slow

NEEDS_COMPILER = pytest.mark.skipif(building.compiler() is None, reason="no C++ compiler")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the kernel's folder without the files that were built."""
    copied = tmp_path / "native"
    shutil.copytree(
        building.FOLDER,
        copied,
        ignore=shutil.ignore_patterns("*.so", "*.json", "*.tmp", "__pycache__"),
    )
    monkeypatch.setattr(building, "FOLDER", copied)
    monkeypatch.setattr(building, "SOURCES", copied / "cpp")
    library._loaded.cache_clear()
    yield copied
    library._loaded.cache_clear()


def compiler_of(tmp_path, monkeypatch, script):
    """Set `$CXX` to a shell script, in which `$output` is the file to write."""
    path = tmp_path / "c++"
    path.write_text(f"#!/bin/sh\nfor output; do :; done\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))


@pytest.fixture
def on_linux(monkeypatch):
    monkeypatch.setattr(building.sys, "platform", "linux")
    monkeypatch.setattr(building.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(library, "_processor_flags", lambda: library._V3)
    monkeypatch.delenv("GAZELLE_NATIVE", raising=False)


NEEDS_SHELL = pytest.mark.skipif(os.name != "posix", reason="the compiler is a shell script")


@NEEDS_SHELL
def test_a_build_records_hashes_and_compiles_only_missing_or_damaged_libraries(
    folder, tmp_path, monkeypatch, on_linux
):
    compiler_of(tmp_path, monkeypatch, f'echo run >> "{tmp_path}/runs"; echo "$@" > "$output"')
    paths = building.build()
    assert building.record()[:2] == ({path.name: building.digest_of(path) for path in paths}, "")
    assert list(folder.glob("*.tmp")) == []
    building.build()
    assert (tmp_path / "runs").read_text().count("run") == 2
    paths[0].write_bytes(b"damaged")
    (folder / "kernel-v3-000000000000.so").write_bytes(b"of earlier sources")
    assert building.build() == paths
    assert (tmp_path / "runs").read_text().count("run") == 3
    assert sorted(folder.glob("*.so")) == sorted(paths)


@NEEDS_SHELL
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo 'kernel.cpp:3: error: no such thing' >&2; echo more >&2; exit 1",
            "error: no such thing",
        ),
        ("exit 4", "exit status 4"),
        ("printf '\\377 error' >&2; exit 1", "error"),
    ],
)
def test_the_error_of_the_compiler_is_in_the_record_and_in_the_status(
    folder, tmp_path, monkeypatch, on_linux, script, reason
):
    compiler_of(tmp_path, monkeypatch, script)
    with pytest.raises(OSError, match=reason):
        building.build()
    assert reason in building.record().reason
    status = native.status()
    assert not status.kernel
    assert reason in status.text
    assert status.fix == library.BUILD
    assert not status.broken
    assert sorted(path.name for path in folder.glob("kernel*")) == ["kernel.json"]


def test_without_a_compiler_the_status_says_so(folder, monkeypatch, on_linux):
    monkeypatch.setattr(building, "compiler", lambda: None)
    with pytest.raises(OSError, match="no C"):
        building.build()
    assert "there was no C++ compiler" in native.status().text


def test_the_record_names_a_machine_that_is_not_supported(folder, monkeypatch):
    with monkeypatch.context() as other:
        other.setattr(building.platform, "machine", lambda: "arm64")
        with pytest.raises(OSError, match="on arm64"):
            building.build()
    assert "on arm64" in building.record().reason


def test_the_status_of_an_unbuilt_source_tree_says_so(folder, on_linux):
    assert "this source tree has not built it" in native.status().text


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"libraries": 3, "reason": ""}', "[" * 100_000, "\x00"]
)
def test_a_damaged_record_is_reported_as_the_reason(folder, text):
    (folder / building.RECORD).write_text(text)
    assert building.record()[:2] == ({}, "kernel.json, the record of its build, is damaged")


@pytest.mark.parametrize(
    ("flags", "words"),
    [(frozenset({"fpu", "sse2"}), "no AVX2"), (frozenset(), "made for Linux on x86-64")],
)
def test_the_status_says_what_the_processor_lacks(monkeypatch, flags, words):
    monkeypatch.delenv("GAZELLE_NATIVE", raising=False)
    monkeypatch.setattr(library, "_processor_flags", lambda: flags)
    library._loaded.cache_clear()
    try:
        assert words in native.status().text
        assert not native.available()
    finally:
        library._loaded.cache_clear()


def test_the_status_names_the_setting_that_switches_the_kernel_off(monkeypatch):
    monkeypatch.setenv("GAZELLE_NATIVE", "off")
    assert native.status() == (
        "XLA alone; no kernel: the environment variable GAZELLE_NATIVE is off",
        False,
        "",
        False,
    )
    monkeypatch.delenv("GAZELLE_NATIVE")
    import jax

    with jax.debug_nans(True):
        assert "jax_debug_nans is True" in native.status().text


DAMAGED = """
import random, sys, warnings
import numpy as np
import gazelle
from gazelle._engine import kernel as native
from gazelle._engine.kernel import building
from gazelle._engine.kernel import library

places = [building.path_of(level) for level in building.LEVELS]
intact = {path: path.read_bytes() for path in places}
rng = random.Random(0)

def truncated(data):
    return data[:rng.randrange(len(data))]

def flipped(data):
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1:]

for damage in [truncated] * 20 + [flipped] * 40 + [lambda data: None]:
    for path in places:
        damaged = damage(intact[path])
        path.unlink() if damaged is None else path.write_bytes(damaged)
    library._loaded.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert not native.available() and not native.available()
        assert native.status().broken and "damaged" in native.status().text or damaged is None
    assert len(caught) == 1, caught
    advice = "To fix it, run python -m gazelle._engine.kernel.building"
    assert advice in str(caught[0].message), caught

model = gazelle.Sequential([gazelle.Input((6,))])
model.add(gazelle.layers.Dense(4, "relu"))
model.add(gazelle.layers.Dense(1))
model.compile("adam", "mse")
loss = model.fit(np.ones((40, 6), "float32"), np.ones(40), epochs=20, verbose=0).history["loss"]
assert loss[-1] < loss[0]
assert "/kernel-v" not in open("/proc/self/maps").read()
"""


def in_a_copy(tmp_path, program, *, expected=0):
    """Run a program with a copy of the package, including its libraries."""
    package = tmp_path / "copy" / "gazelle"
    shutil.copytree(
        building.FOLDER.parents[1], package, ignore=shutil.ignore_patterns("__pycache__")
    )
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    environment.pop("GAZELLE_NATIVE", None)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected, done.stderr
    return done


def test_a_damaged_library_is_never_loaded_and_xla_trains(kernel, tmp_path):
    in_a_copy(tmp_path, DAMAGED)


OTHER_JAXLIB = """
import warnings
import numpy as np
from gazelle._engine import kernel as native
from gazelle._engine.kernel import building

found = building.record()
building.record = lambda: found._replace(interface=(0, 99))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert not native.available()  # before JAX has created anything
assert "needs version 0.99 of XLA's foreign functions" in str(caught[0].message)
assert native.status().broken

import gazelle
model = gazelle.Sequential([gazelle.Input((6,)), gazelle.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(np.ones((40, 6)), np.ones(40), verbose=0)
"""


def test_a_kernel_for_a_newer_jaxlib_is_not_loaded_and_leaves_jax_intact(kernel, tmp_path):
    in_a_copy(tmp_path, OTHER_JAXLIB)


REFUSED = """
import warnings
import jax
from pathlib import Path
from gazelle._engine.kernel import library

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    found = library._load(Path("{path}"), "v3")
assert found.name is None and found.broken and "incompatible" in found.why, found
assert jax.numpy.ones(3).sum() == 3
"""


LIBRARY = """
#include "xla/ffi/api/ffi.h"
static xla::ffi::Error one() { return xla::ffi::Error::Success(); }
XLA_FFI_DEFINE_HANDLER_SYMBOL(gazelle_train, one, xla::ffi::Ffi::Bind());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gazelle_predict, one, xla::ffi::Ffi::Bind());
"""


@NEEDS_COMPILER
@pytest.mark.skipif(sys.platform != "linux", reason="the compiler's arguments are for Linux")
def test_a_library_that_xla_refuses_leaves_jax_intact(folder, tmp_path):
    include = tmp_path / "include"
    shutil.copytree(building.headers() / "xla" / "ffi" / "api", include / "xla" / "ffi" / "api")
    header = include / "xla" / "ffi" / "api" / "c_api.h"
    header.write_text(re.sub(r"(#define XLA_FFI_API_MINOR) \d+", r"\1 99", header.read_text()))
    assert building.interface(include)[1] == 99
    source, path = tmp_path / "new.cpp", tmp_path / "new.so"
    source.write_text(LIBRARY)
    command = f"-std=c++17 -shared -fPIC -w -isystem {include} {source} -o {path}".split()
    subprocess.run([building.compiler(), *command], check=True)
    done = subprocess.run(
        [sys.executable, "-c", REFUSED.format(path=path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_building_by_hand_prints_no_warning(kernel):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "gazelle._engine.kernel.building"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("kernel-v") == len(building.LEVELS)
