"""Optional packages: one clear error, before work is spent, where one is not installed."""

from __future__ import annotations

import importlib.util
import sys

from gazelle._core.errors import PackageError

# The name of each package for pip. The extra `all` of pyproject.toml has all of them.
OPTIONAL = {
    "matplotlib": "matplotlib",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "typer": "typer",
}
INSTALL = "pip install 'gazelle[all]'"
# The same for packages that have a small extra of their own.
_EXTRAS = {
    "onnx": "onnx",
    "safetensors": "safetensors",
    "tensorboardX": "tensorboard",
    "libcst": "migrate",
}
SEPARATE = {module: f"pip install 'gazelle[{extra}]'" for module, extra in _EXTRAS.items()}


def is_there(module: str) -> bool:
    """Whether a module could be imported; this does not import it."""
    if module in sys.modules:
        return sys.modules[module] is not None
    return importlib.util.find_spec(module) is not None


def need(what: str, *modules: str) -> None:
    """Refuse to begin where a package is missing.

    Args:
        what: What needs them: the sentence's subject.
        *modules: Names in `OPTIONAL`, or the name of one that has an extra of its own.

    Raises:
        PackageError: It names the packages and says how to install them.
    """
    missing = [OPTIONAL.get(module, module) for module in modules if not is_there(module)]
    if missing:
        verb = "which is" if len(missing) == 1 else "which are"
        raise PackageError(
            f"{what} needs {' and '.join(missing)}, {verb} not installed.",
            fix=SEPARATE.get(missing[0], INSTALL),
        )
