"""The modules beside the parity tests (the cases, the networks, the data) are imported as `parity.<name>`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
