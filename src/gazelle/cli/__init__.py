"""The command line `gazelle`: one module per command."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def start(arguments: Sequence[str] | None = None) -> int:
    """Run the command `gazelle`; see `gazelle.cli.main`.

    Args:
        arguments: The arguments after `gazelle`; None for those of the process.

    Returns:
        The exit status; 1 if a package is missing that the command line needs.
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
