"""What every test shares: Keras, the oracle, runs on JAX; compiled programs are kept out of the user's cache."""

import os
import signal
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("MPLBACKEND", "Agg")

# One folder for each process of pytest-xdist: they do not wait for each other, and a second run of
# the tests is faster.
_worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ.setdefault(
    "GAZELLE_COMPILE_CACHE", str(Path(__file__).parents[1] / ".pytest_cache" / "xla" / _worker)
)

# A process that a script starts in the background ignores Ctrl-C; the tests of Ctrl-C need what a
# terminal gives.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
