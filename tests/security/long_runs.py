"""The figures of the last long runs, which `figures.py` publishes; they are kept in a JSON file."""

from __future__ import annotations

import datetime
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("long_runs.json")
_PACKAGES = ("numpy", "h5py", "jax")


def kept() -> dict[str, Any]:
    """The figures of all long runs by name."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def keep(name: str, figures: dict[str, Any]) -> None:
    """Write the figures of a run in the place of its last ones, with the date and the versions."""
    about = {"date": datetime.date.today().isoformat(), "versions": versions()}
    runs = {**kept(), name: {**figures, **about}}
    FILE.write_text(json.dumps(dict(sorted(runs.items())), indent=1) + "\n")


def versions() -> str:
    """What the figures were measured with, in a few words."""
    found = [f"Python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return f"{', '.join(found)}, {platform.system()} {platform.machine()}"
