"""The contents and tags of wheels with and without the kernel."""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gazelle import __version__

ROOT = Path(__file__).parent.parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel is for Linux"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernel is for x86-64"),
    pytest.mark.skipif(
        importlib.util.find_spec("hatchling") is None, reason="hatchling builds the wheels"
    ),
]
KERNEL = "gazelle/_engine/kernel/"


@pytest.fixture
def build(tmp_path):
    """`build(script)` builds a wheel of these sources.

    The compiler is a shell script that writes the file `$output`.
    """
    sources, dist = tmp_path / "sources", tmp_path / "dist"
    shutil.copytree(
        ROOT / "src",
        sources / "src",
        ignore=shutil.ignore_patterns("__pycache__", "*.so", "kernel.json", "*.tmp"),
    )
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, sources)

    def run(script):
        compiler = tmp_path / "c++"
        compiler.write_text(f"#!/bin/sh\nfor output; do :; done\n{script}\n")
        compiler.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)],
            cwd=sources,
            env={**os.environ, "CXX": str(compiler)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (wheel,) = dist.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        return wheel.name, files, done.stderr

    return run


def test_a_wheel_with_the_kernel_is_tagged_for_its_platform_and_has_the_hashes(build):
    name, files, _ = build('echo "$@" > "$output"')
    assert name == f"gazelle-{__version__}-py3-none-linux_x86_64.whl"
    libraries = {
        name.removeprefix(KERNEL): content
        for name, content in files.items()
        if name.endswith(".so")
    }
    assert len(libraries) == 2
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in libraries.items()}
    record = json.loads(files[f"{KERNEL}kernel.json"])
    assert (record["libraries"], record["reason"]) == (digests, "")
    assert len(record["interface"]) == 2


def test_a_wheel_without_the_kernel_is_pure_python_and_has_the_reason(build):
    name, files, err = build("echo 'fatal error: no such header' >&2; exit 1")
    assert name == f"gazelle-{__version__}-py3-none-any.whl"
    assert not [name for name in files if name.endswith(".so")]
    record = json.loads(files[f"{KERNEL}kernel.json"])
    assert record["libraries"] == {}
    assert record["reason"] == "the compiler c++ failed: fatal error: no such header"
    assert record["reason"] in err
