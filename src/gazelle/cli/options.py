"""What may stand behind options, and how help and wrong usage are told: in plain words, without types of Python."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose help names its arguments as the usage line does."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`[OPTIONS] DATA`: what may be left out stands in brackets."""
        names = [(str(param.metavar or param.name), param.required) for param in _arguments(self)]
        return ["[OPTIONS]", *(name if required else f"[{name}]" for name, required in names)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The arguments and the options in two lists."""
        arguments = [
            (str(param.metavar or param.name), param.help or "") for param in _arguments(self)
        ]
        records = [
            param.get_help_record(ctx)
            for param in self.get_params(ctx)
            if param.param_type_name == "option"
        ]
        for title, rows in (
            ("Arguments", arguments),
            ("Options", [record for record in records if record]),
        ):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _arguments(command: TyperCommand) -> list[Any]:
    return [param for param in command.params if param.param_type_name == "argument"]


def whole(least: int, most: int | None = None) -> Callable[[Any], int]:
    """Reads a whole number of a range."""
    wanted = (
        f"a whole number from {least} to {most}"
        if most is not None
        else f"a whole number, {least} or more"
    )

    def read(text: Any) -> int:
        try:
            number = int(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not {wanted}") from None
        if number < least or (most is not None and number > most):
            raise typer.BadParameter(f"{text} is not {wanted}")
        return number

    return read


def number(least: float, most: float) -> Callable[[Any], float]:
    """Reads a number of a range; `least` itself is none of it where `most` is infinite."""
    open_ended = most == float("inf")
    wanted = f"a number above {least:g}" if open_ended else f"a number from {least:g} to {most:g}"

    def read(text: Any) -> float:
        try:
            found = float(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not {wanted}") from None
        if not (least < found < most if open_ended else least <= found <= most):
            raise typer.BadParameter(f"{text} is not {wanted}")
        return found

    return read


def units(text: str) -> tuple[int, ...]:
    """Reads `200,150`, the units of the hidden layers."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(re.fullmatch("[0-9]+", part) and 0 < int(part) <= 1_000_000 for part in parts):
        found = re.findall("[0-9]+", text)
        advice = f"; did you mean {','.join(found)}?" if len(found) > 1 else ""
        raise typer.BadParameter(
            f"{text!r} is not a list of whole numbers with commas between them, such as"
            f" 200,150{advice}",
            param_hint="'--hidden'",
        )
    return tuple(int(part) for part in parts)


def size(text: str | None, data: str) -> tuple[int, int] | None:
    """Reads `32x32`, height and width."""
    if text is None:
        return None
    if data in ("digits", "cifar10"):
        raise typer.BadParameter(
            f"the images of {data} have one size already", param_hint="'--image-size'"
        )
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(
        re.fullmatch("[0-9]+", part) and 0 < int(part) <= 10_000 for part in parts
    ):
        raise typer.BadParameter(
            f"{text!r} is not a height x width such as 32x32", param_hint="'--image-size'"
        )
    return int(parts[0]), int(parts[1])


def run_name(name: str | None) -> str | None:
    """A name that a folder can have as it is: no path, nothing that would be changed without a word."""
    from gazelle._report.runs import folder_name

    if name is not None and folder_name(name) != name:
        advice = f"; did you mean {folder_name(name)}?" if folder_name(name) != "run" else ""
        raise typer.BadParameter(
            f"{name!r} is not a name of letters, digits, dots, dashes and underscores{advice}",
            param_hint="'--name'",
        )
    return name


def known(option: str, name: str, get: Callable[[str], Any]) -> str:
    """A name that a room of the library knows."""
    from gazelle._core.errors import UnknownNameError

    try:
        get(name)
    except UnknownNameError as error:
        raise typer.BadParameter(
            f"{name!r}: {str(error).rpartition('fix: ')[2]}", param_hint=f"'{option}'"
        ) from None
    return name
