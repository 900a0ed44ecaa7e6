"""The style of all charts: colors by role, sizes in pixels, and SVG small enough for pages."""

from __future__ import annotations

import functools
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONTS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
DPI = 72  # one unit of an SVG is one pixel
TEXT = 12.0  # size of all small text, pixels
_HOVER = "gazelle_hover"  # attribute of a figure: the texts to show on hover, and where
_REACH = 7.0  # radius around a point in which its text is shown, pixels


@dataclass(frozen=True)
class Palette:
    """Colors by role, each `#rrggbb`.

    Args:
        ink: Text.
        muted: Less important text and lines.
        rule: Grids and frames.
        surface: Background.
        accent: The first series.
        second: The second series.
    """

    ink: str = "#1c2024"
    muted: str = "#5c646d"
    rule: str = "#dfe2e5"
    surface: str = "#ffffff"
    accent: str = "#0d6b6f"
    second: str = "#a6560f"


LIGHT = Palette()
# Placeholders: `inline` replaces each by a CSS property of the page, which follows light and dark
# mode. The colors are chosen so that they do not occur otherwise.
PAGE = Palette("#010a01", "#020b02", "#030c03", "#040d04", "#050e05", "#060f06")


@contextmanager
def drawing() -> Iterator[None]:
    """Use this module's settings of matplotlib within the block, instead of the user's."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # The font of the browser has the glyph.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "gazelle",
                "font.family": ["DejaVu Sans"],
                "font.size": TEXT,
                "text.parse_math": False,
                "axes.unicode_minus": True,
                "path.simplify": False,
            }
        )
        yield


def new_figure(width: float, height: float, palette: Palette) -> Figure:
    """An empty figure, `width` by `height` pixels."""
    figure = _picture_class()(figsize=(width / DPI, height / DPI), dpi=DPI)
    figure.patch.set_facecolor(palette.surface)
    return figure


@functools.cache
def _picture_class() -> type[Figure]:
    from matplotlib.figure import Figure

    class Picture(Figure):
        """A figure that notebooks show without matplotlib's own settings."""

        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=2 * DPI)
            return buffer.getvalue()

        def __reduce__(self) -> Any:
            # Pickled as a plain Figure: this local class cannot be imported by its name.
            return Figure, (), super().__getstate__()

    return Picture


def place(figure: Figure, left: float, top: float, right: float, bottom: float) -> Axes:
    """Add axes with the given distances from the edges of the figure, in pixels."""
    width, height = figure.get_size_inches() * DPI
    box = (
        left / width,
        bottom / height,
        (width - left - right) / width,
        (height - top - bottom) / height,
    )
    return figure.add_axes(box)


def make_room(axes: Axes, room: float, extra: float) -> None:
    """Move the left edge of axes to the right if the tick labels need it.

    Args:
        axes: The axes.
        room: Pixels to the left of the axes.
        extra: Pixels that are needed there in addition to the tick labels.
    """
    low, high = sorted(axes.get_ylim())
    ticks = [tick for tick in axes.yaxis.get_major_locator()() if low <= tick <= high]
    more = max((text_width(plain(tick), TEXT) for tick in ticks), default=0.0) + extra - room
    figure = axes.get_figure(root=True)
    if more > 0 and figure is not None:
        more /= figure.get_size_inches()[0] * DPI
        box = axes.get_position()
        axes.set_position((box.x0 + more, box.y0, box.width - more, box.height))


def dress(axes: Axes, palette: Palette, *, grid: str = "y") -> None:
    """Style axes: only a base line instead of a frame, a faint grid, muted ticks."""
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(palette.muted)
    axes.tick_params(colors=palette.muted, labelsize=TEXT - 0.5, length=0, pad=5)
    axes.tick_params(axis="x", length=3)
    axes.set_axisbelow(True)
    if grid in ("x", "y", "both"):
        axes.grid(True, axis=grid, color=palette.rule, linewidth=0.8)  # pyright: ignore[reportArgumentType]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(plain)
    axes.xaxis.label.set_color(palette.muted)
    axes.yaxis.label.set_color(palette.muted)


def plain(value: float, _: Any = None) -> str:
    """Format the number of a tick: `0.25`, `20,000`, `1.5e10`."""
    if value and not 1e-4 < abs(value) < 1e7:
        mantissa, exponent = f"{value:.2e}".split("e")
        text = f"{float(mantissa):g}e{int(exponent)}"
    else:
        text = f"{value:,.7g}"
    return text.replace("-", "\N{MINUS SIGN}")


def hover(axes: Axes, text: str, left: Any, low: Any, right: Any = None, high: Any = None) -> None:
    """Show a text when the pointer is on a point or a box; this needs no script.

    Args:
        axes: The axes, in whose data coordinates the other arguments are.
        text: The text.
        left: x of the point, or of the left edge of the box.
        low: y of the point, or of one edge of the box.
        right: x of the right edge of the box; None for a point.
        high: y of the other edge of the box.
    """
    figure = axes.get_figure(root=True)
    vars(figure).setdefault(_HOVER, []).append(
        (axes, text, (left, low), None if right is None else (right, high))
    )


def to_svg(figure: Figure) -> str:
    """Convert a figure to an SVG document; the result is deterministic."""
    return _declare(_svg(figure))


def to_png(figure: Figure, dpi: int = 2 * DPI) -> bytes:
    """Convert a figure to PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    with drawing():
        FigureCanvasAgg(figure).print_figure(
            buffer, format="png", dpi=dpi, metadata={"Software": None}
        )
    return buffer.getvalue()


def inline(figure: Figure, label: str, prefix: str) -> str:
    """Convert a figure to an `<svg>` element of a page.

    Args:
        figure: The figure, drawn with the palette `PAGE`. The page must define the CSS properties
            `--ink`, `--muted` and so on.
        label: What the figure shows, for screen readers.
        prefix: Prefix of all ids, so that a page can have several figures.
    """
    from html import escape

    svg = _svg(figure)
    svg = re.sub(r"<[^>]*>", lambda tag: _page_colors(tag.group()), svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    width, height = figure.get_size_inches() * DPI
    head = (
        f'<svg class="chart" role="img" aria-label="{escape(label)}" viewBox="0 0 {width:g}'
        f' {height:g}" width="{width:g}" height="{height:g}">'
    )
    return re.sub(r"<svg\b[^>]*>", lambda _: head, svg, count=1)


def _svg(figure: Figure) -> str:
    """The `<svg>` element that matplotlib writes, without metadata and unused ids, with hovers."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    with drawing():
        FigureCanvasSVG(figure).print_figure(
            buffer, format="svg", dpi=DPI, metadata={"Date": None, "Creator": None}
        )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace("xlink:href", "href")
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", svg, count=1, flags=re.S)
    svg = re.sub(r"<[^>]*>", lambda tag: _short(tag.group()), svg)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(
        r' id="([^"]*)"', lambda found: found.group() if found.group(1) in used else "", svg
    )
    svg = re.sub(r"<defs>\s*</defs>", "", svg)
    svg = re.sub(r">\s*\n\s*<", "><", svg).strip()
    return svg.removesuffix("</svg>") + _hovers(figure) + "</svg>"


def _hovers(figure: Figure) -> str:
    """Invisible shapes with titles, which browsers show as tooltips."""
    from html import escape

    height = figure.get_size_inches()[1] * DPI
    shapes = []
    for axes, text, start, end in getattr(figure, _HOVER, ()):
        x, y = axes.transData.transform(start)
        title = f"<title>{escape(text, quote=False)}</title>"
        if end is None:
            shapes.append(
                f'<circle cx="{x:.0f}" cy="{height - y:.0f}" r="{_REACH:g}">{title}</circle>'
            )
            continue
        x1, y1 = axes.transData.transform(end)
        box = (
            f'x="{min(x, x1):.0f}" y="{height - max(y, y1):.0f}" width="{abs(x1 - x):.0f}"'
            f' height="{abs(y1 - y):.0f}"'
        )
        shapes.append(f"<rect {box}>{title}</rect>")
    if not shapes:
        return ""
    return f'<g fill="transparent" stroke="none" pointer-events="all">{"".join(shapes)}</g>'


def _short(tag: str) -> str:
    """A tag without line breaks, with two decimals in numbers; embedded images are unchanged."""
    if "base64" in tag:
        return tag
    tag = re.sub(r"(\d\.\d\d)\d+", r"\1", tag)
    return (
        re.sub(r"\s+", " ", tag)
        .replace('="M ', '="M')
        .replace(' "', '"')
        .replace("; ", ";")
        .replace(": ", ":")
    )


def _page_colors(tag: str) -> str:
    for role in ("ink", "muted", "rule", "surface", "accent", "second"):
        tag = tag.replace(getattr(PAGE, role), f"var(--{role})")
    return tag.replace("'DejaVu Sans'", "var(--sans)")


def _declare(svg: str) -> str:
    """Make an `<svg>` element a document: with its namespace, and fonts of the reader's system."""
    svg = svg.replace("'DejaVu Sans'", FONTS.replace('"', "'"))
    if 'xmlns="' not in svg[:400]:
        svg = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{svg}\n'


def fit_text(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Cut a text that is wider than `width` pixels, with an ellipsis."""
    if text_width(text, size, weight) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + "…", size, weight) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Width of a text in pixels, in DejaVu Sans, which is as wide as any usual screen font."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    properties: Any = FontProperties(family=["DejaVu Sans"], size=size, weight=weight)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        return text_to_path.get_text_width_height_descent(text, properties, ismath=False)[0]
