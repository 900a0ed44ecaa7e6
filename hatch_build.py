"""Compiles the optional kernel (gazelle/_engine/kernel) while Gazelle is installed.

Without a compiler, Gazelle is installed as pure Python.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNEL = "src/gazelle/_engine/kernel"


class KernelHook(BuildHookInterface):
    """Adds the kernel's libraries, or the reason why there are none, to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the kernel and, if that succeeds, tag the wheel for this platform."""
        if self.target_name != "wheel":
            return
        building = _building(Path(self.root))
        build_data["artifacts"].append(f"/{KERNEL}/{building.RECORD}")
        try:
            libraries = building.build()
        except Exception as error:  # for any reason: Gazelle then trains with XLA alone
            print(f"gazelle: installed without its native kernel: {error}", file=sys.stderr)
            return
        build_data["artifacts"] += [f"/{KERNEL}/{path.name}" for path in libraries]
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-linux_x86_64"


def _building(root: Path) -> ModuleType:
    """`gazelle._engine.kernel.building`, loaded without gazelle, whose dependencies are missing."""
    spec = importlib.util.spec_from_file_location("building", root / KERNEL / "building.py")
    if spec is None or spec.loader is None:
        raise ImportError("building.py is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
