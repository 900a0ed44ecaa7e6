"""Which of pip's lines `make` shows, and how."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("install", ROOT / "tools" / "install.py")
install = importlib.util.module_from_spec(spec)
spec.loader.exec_module(install)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "  Downloading jaxlib-0.10.2-cp311-cp311-manylinux_2_27_x86_64.whl (84.0 MB)\n",
            "  jaxlib 0.10.2 (84.0 MB)",
        ),
        (
            "  Using cached scikit_learn-1.9.1-cp311-cp311-linux.whl (9.1 MB)\n",
            "  scikit_learn 1.9.1 (9.1 MB)",
        ),
        ("  Downloading mdurl-0.1.2-py3-none-any.whl (10.0 kB)\n", ""),
        ("Collecting jax>=0.8\n", ""),
        (
            "  Building editable for gazelle (pyproject.toml): started\n",
            "  compiling Gazelle's kernel (a minute)",
        ),
        ("  Building editable for gazelle (pyproject.toml): finished with status 'done'\n", ""),
        ("Installing collected packages: a, b\n", "  unpacking (a minute)"),
    ],
)
def test_large_packages_and_long_stages_get_one_line_each(line, shown):
    assert install.shown(line) == shown


def test_a_package_from_a_local_file_is_shown_with_its_size(tmp_path):
    path = tmp_path / "jaxlib-0.10.2-cp311-cp311-linux_x86_64.whl"
    path.write_bytes(bytes(2_500_000))
    assert install.shown(f"Processing {path} (from gazelle==0.1.0)\n") == "  jaxlib 0.10.2 (2.5 MB)"
