"""Makes the modules beside the tests importable: `models.graphs` and `_export.running`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
