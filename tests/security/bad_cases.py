"""The table of bad inputs: every row is a generated file, with a legal twin beside it.

The ids are those of the project's table of bad inputs: A code and names, B malformed configs, D
excess, H weights, L old .h5 files, S weights in several files, F safetensors, Z the zip archive, R
folders, N and P arrays and pickles, U run folders, T archives, G downloads, I images.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "datasets"))
import bad_archives
import bad_configs
import bad_data
import bad_legacy
import bad_weights
from bad_kit import Case, Kit

ALL: list[Case] = [
    *bad_configs.CASES,
    *bad_weights.CASES,
    *bad_legacy.CASES,
    *bad_archives.CASES,
    *bad_data.CASES,
]

__all__ = ["ALL", "Case", "Kit"]
