"""Matplotlib figures as elements of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gazelle._plots import inline
from gazelle._report.pages.markup import Html, figure, tag

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PHONE_WIDTH = 480  # pixels; on a narrow screen, wider charts scroll in their frame
_LEAST_SCALE = 0.75


def chart(picture: Figure, label: str, prefix: str, *caption: Any, grow: float = 1.0) -> Html:
    """Embed a matplotlib figure that was drawn with the palette `PAGE`.

    Args:
        picture: The figure.
        label: What it shows, for screen readers.
        prefix: Prefix of its ids; unique within the page.
        caption: Text below.
        grow: Largest width on the page, relative to the width of the figure.
    """
    svg = inline(picture, label, prefix)
    width = picture.get_size_inches()[0] * picture.dpi
    style = f"width:{width * grow:.0f}px"
    is_wide = width > _PHONE_WIDTH
    if is_wide:
        style += f";min-width:{width * _LEAST_SCALE:.0f}px"
    content = Html(svg.replace("<svg ", f'<svg style="{style}" ', 1))
    if is_wide:
        content = tag(
            "div", content, class_="scroll", role="region", aria_label=label, tabindex="0"
        )
    return figure(content, *caption)
