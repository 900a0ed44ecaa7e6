"""Functions that build HTML; every text is escaped unless it is `Html` already."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

_SHORT = 20  # characters that fit into one column


class Html(str):
    """Text that is HTML already and needs no escaping."""

    __slots__ = ()


def join(*parts: Any) -> Html:
    """Join parts: text is escaped, None is left out, and lists are joined too."""
    pieces: list[str] = []
    for part in parts:
        if part is None:
            continue
        if isinstance(part, Html):
            pieces.append(part)
        elif isinstance(part, list | tuple):
            pieces.append(join(*part))
        else:
            pieces.append(html.escape(str(part)))
    return Html("".join(pieces))


def tag(name: str, *children: Any, **attributes: Any) -> Html:
    """An element `<name attributes>children</name>`.

    Args:
        name: Name of the element.
        *children: Content, see `join`.
        **attributes: Attributes; `class_` becomes `class`, `aria_label` becomes `aria-label`, and
            None is left out.
    """
    pairs = [
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return Html(f"<{name}{''.join(pairs)}>{join(*children)}</{name}>")


def section(identity: str, heading: str, explanation: Any, *content: Any) -> Html:
    """A section of the page: heading and explanation on the left, content on the right."""
    head = tag("div", tag("h2", heading), tag("div", explanation, class_="words"), class_="side")
    return tag("section", head, tag("div", *content, class_="body"), id=identity)


def paragraph(*children: Any) -> Html:
    """A paragraph."""
    return tag("p", *children)


def table(
    caption: str,
    head: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    *,
    foot: Iterable[Sequence[Any]] = (),
    class_: str | None = None,
) -> Html:
    """A table with a caption, in a frame in which wide tables scroll.

    Args:
        caption: The caption.
        head: Headings of the columns.
        rows: Cells of each row; the first cell is the heading of the row.
        foot: Rows of the footer.
        class_: Further CSS classes of the frame.
    """
    lines = [
        tag("caption", caption),
        tag("thead", tag("tr", [tag("th", cell, scope="col") for cell in head])),
        tag("tbody", [_row(row) for row in rows]),
    ]
    foot_rows = [_row(row) for row in foot]
    if foot_rows:
        lines.append(tag("tfoot", foot_rows))
    return tag(
        "div",
        tag("table", lines),
        class_=f"scroll {class_}" if class_ else "scroll",
        role="region",
        aria_label=caption,
        tabindex="0",
    )


def soft(text: object) -> Html:
    """A name with line breaks allowed after underscores, dots and slashes."""
    return Html(re.sub(r"([_/.](?=[A-Za-z_]))", r"\1<wbr>", html.escape(str(text))))


def facts(pairs: Iterable[tuple[str, Any]]) -> Html:
    """A list of names and values."""
    return tag("dl", [_fact(name, value) for name, value in pairs], class_="facts")


def details(summary: str, *content: Any) -> Html:
    """Content that is folded until the summary is clicked."""
    return tag("details", tag("summary", summary), *content)


def figure(picture: Any, *caption: Any, class_: str | None = None) -> Html:
    """A picture with its caption."""
    return tag("figure", picture, tag("figcaption", *caption) if caption else None, class_=class_)


def bar(share: float, *, second: bool = False) -> Html:
    """A thin bar whose width is `share`, in [0, 1], of its cell; it repeats a number beside it."""
    width = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
    return tag(
        "span",
        tag("i", style=f"width:{width}", class_="second" if second else None),
        class_="bar",
        aria_hidden="true",
    )


def _fact(name: str, value: Any) -> Html:
    """A name and its value; a long value is as wide as two columns."""
    text = re.sub("<[^>]*>", "", str(value))
    shown = value if isinstance(value, Html) else soft(value)
    return tag(
        "div",
        tag("dt", soft(name)),
        tag("dd", shown),
        class_="wide" if len(text) > _SHORT else None,
    )


def _row(cells: Sequence[Any]) -> Html:
    """A row of a table. A long heading may be cut; its full text is then shown on hover."""
    first, *others = cells
    is_long = not isinstance(first, Html) and len(str(first)) > _SHORT
    head = tag("th", first, scope="row", title=str(first) if is_long else None)
    return tag("tr", head, [tag("td", cell) for cell in others])
