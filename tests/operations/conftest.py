"""Makes the tests' own modules importable: `from operations import cases`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
