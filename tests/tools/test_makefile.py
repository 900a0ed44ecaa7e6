"""The paths that the Makefile gives to pytest, which runs nothing if one of them is missing."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_paths_in_the_makefile_exist():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    paths = re.findall(r"\b(?:tests|tools|benchmarks)/[\w./]+", text)
    assert len(paths) > 10
    made = {"benchmarks/results/"}
    assert [path for path in paths if path not in made and not (ROOT / path).exists()] == []
