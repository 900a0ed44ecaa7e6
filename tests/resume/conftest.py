"""The tests import what they share: `from resume.trainings import ...`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
