"""Parsers of option values, and help texts without Python's types."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose help calls the arguments by the names in the usage line."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The usage line, such as `[OPTIONS] DATA`; optional arguments are in brackets."""
        pieces = ["[OPTIONS]"]
        for param in self._arguments():
            name = str(param.metavar or param.name)
            pieces.append(name if param.required else f"[{name}]")
        return pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the list of arguments and the list of options."""
        arguments = [
            (str(param.metavar or param.name), param.help or "") for param in self._arguments()
        ]
        options = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if param.param_type_name == "option" and record:
                options.append(record)
        for title, rows in (("Arguments", arguments), ("Options", options)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def _arguments(self) -> list[Any]:
        return [param for param in self.params if param.param_type_name == "argument"]


def whole(least: int, most: int | None = None) -> Callable[[Any], int]:
    """A parser of whole numbers from `least` to `most` (no limit for None)."""
    expected = f"a whole number, {least} or more"
    if most is not None:
        expected = f"a whole number from {least} to {most}"

    def parse(text: Any) -> int:
        try:
            number = int(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not {expected}") from None
        if number < least or (most is not None and number > most):
            raise typer.BadParameter(f"{text} is not {expected}")
        return number

    return parse


def number(least: float, most: float) -> Callable[[Any], float]:
    """A parser of numbers from `least` to `most`, or above `least` if `most` is infinite."""
    has_limit = most != float("inf")
    expected = f"a number from {least:g} to {most:g}" if has_limit else f"a number above {least:g}"

    def parse(text: Any) -> float:
        try:
            value = float(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not {expected}") from None
        in_range = least <= value <= most if has_limit else least < value < most
        if not in_range:
            raise typer.BadParameter(f"{text} is not {expected}")
        return value

    return parse


def units(text: str) -> tuple[int, ...]:
    """Parse the units of the hidden layers, such as `200,150`."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(_is_whole(part, 1_000_000) for part in parts):
        found = re.findall("[0-9]+", text)
        advice = f"; did you mean {','.join(found)}?" if len(found) > 1 else ""
        raise typer.BadParameter(
            f"{text!r} is not a list of whole numbers separated by commas, such as 200,150{advice}",
            param_hint="'--hidden'",
        )
    return tuple(int(part) for part in parts)


def size(text: str | None, data: str) -> tuple[int, int] | None:
    """Parse a height and a width, such as `32x32`."""
    if text is None:
        return None
    if data in ("digits", "cifar10"):
        raise typer.BadParameter(
            f"the images of {data} all have the same size already", param_hint="'--image-size'"
        )
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(_is_whole(part, 10_000) for part in parts):
        raise typer.BadParameter(
            f"{text!r} is not a height and width such as 32x32", param_hint="'--image-size'"
        )
    return int(parts[0]), int(parts[1])


def _is_whole(text: str, most: int) -> bool:
    """Whether a text is a whole number from 1 to `most`."""
    return re.fullmatch("[0-9]+", text) is not None and 0 < int(text) <= most


def run_name(name: str | None) -> str | None:
    """Check that a run folder can have this name unchanged; a path is refused."""
    from gazelle._report.runs import folder_name

    if name is not None and folder_name(name) != name:
        advice = f"; did you mean {folder_name(name)}?" if folder_name(name) != "run" else ""
        raise typer.BadParameter(
            f"{name!r} is not a name of letters, digits, dots, dashes and underscores{advice}",
            param_hint="'--name'",
        )
    return name


def known(option: str, name: str, get: Callable[[str], Any]) -> str:
    """Check that the library knows a name.

    Args:
        option: The option, for messages.
        name: Its value.
        get: Returns the object of that name, or raises an `UnknownNameError`.
    """
    from gazelle._core.errors import UnknownNameError

    try:
        get(name)
    except UnknownNameError as error:
        advice = str(error).rpartition("fix: ")[2]
        raise typer.BadParameter(f"{name!r}: {advice}", param_hint=f"'{option}'") from None
    return name
