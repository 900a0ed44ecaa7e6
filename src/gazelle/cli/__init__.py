"""The command line: one file a command."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def start(arguments: Sequence[str] | None = None) -> int:
    """Run the command `gazelle`; see `gazelle.cli.main`.

    Args:
        arguments: What stands behind `gazelle` on the command line; that itself when None.

    Returns:
        The exit status; 1 where a package is missing that the command line needs.
    """
    from gazelle._core.console import say
    from gazelle._core.errors import PackageError
    from gazelle._core.packages import need

    try:
        need("The command gazelle", "typer")
    except PackageError as error:
        say(f"gazelle: {error}", sys.stderr)
        return 1
    from gazelle.cli.main import main as run

    return run(arguments)
