"""The module beside the tests (the networks) is imported as `models.<name>`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
