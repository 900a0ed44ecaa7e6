"""How objects look in a notebook: small HTML without scripts or downloads, pictures inline."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_LARGEST = 5 << 20  # bytes of a picture that is shown inline
_CELL = "padding:2px 10px;border-bottom:1px solid #8884"


def html_table(
    caption: str, titles: Sequence[str], rows: Iterable[Sequence[Any]], foot: str = ""
) -> str:
    """A table, its first column text and the others numbers, in the notebook's own colors.

    Args:
        caption: A line above it.
        titles: Titles of the columns.
        rows: Cells of each row; they are escaped.
        foot: A line below it.
    """

    def cell(tag: str, value: Any, number: int) -> str:
        side = "left" if number == 0 else "right"
        return f'<{tag} style="text-align:{side};{_CELL}">{html.escape(str(value))}</{tag}>'

    def row(tag: str, cells: Sequence[Any]) -> str:
        return (
            "<tr>"
            + "".join(cell(tag, value, number) for number, value in enumerate(cells))
            + "</tr>"
        )

    lines = [row("td", cells) for cells in rows]
    below = f'<div style="opacity:.75;margin-top:4px">{html.escape(foot)}</div>' if foot else ""
    return (
        "<div"
        f' style="font-family:system-ui,sans-serif;font-size:13px"><b>{html.escape(caption)}</b>'
        f'<table style="border-collapse:collapse;margin-top:4px"><thead>{row("th", titles)}</thead>'
        f"<tbody>{''.join(lines)}</tbody></table>{below}</div>"
    )


class ShownFile(type(Path())):
    """A path that a notebook shows as its content: a picture inline, a page as a link."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        if not self.is_file() or self.stat().st_size > _LARGEST:
            return bundle
        if self.suffix == ".png":
            bundle["image/png"] = self.read_bytes()
        elif self.suffix == ".svg":
            bundle["image/svg+xml"] = self.read_text(encoding="utf-8")
        elif self.suffix == ".html":
            name = html.escape(str(self))
            bundle["text/html"] = (
                f'<a href="{html.escape(self.as_posix(), quote=True)}" target="_blank">{name}</a>'
            )
        return bundle

    def __repr__(self) -> str:
        return repr(Path(self))
