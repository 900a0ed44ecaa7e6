"""Small pictures: all of a group in one PNG within the page, each shown through a window of its own."""

from __future__ import annotations

import base64
import io
import math

import numpy as np

from gazelle._report.pages.markup import Html, tag

_LEAST_SIDE = 12  # pixels; smaller pictures say nothing


class Sprite:
    """Pictures side by side in one PNG.

    Args:
        name: Id of the PNG in the page.
        images: uint8 `(count, height, width)` or `(count, height, width, 3)`.
        budget: Most bytes for the PNG; the pictures are made smaller until they fit.
    """

    def __init__(self, name: str, images: np.ndarray, budget: int) -> None:
        """Encode the pictures."""
        self.name = name
        self.columns = max(1, math.ceil(math.sqrt(len(images))))
        self.png = _encode(images, self.columns)
        while len(self.png) > budget and min(images.shape[1:3]) > _LEAST_SIDE:
            images = _shrink(images, 0.75)
            self.png = _encode(images, self.columns)
        self.height, self.width = images.shape[1:3]
        self.count = len(images)

    def definition(self) -> Html:
        """The element that holds the PNG; it stands once in the page and shows nothing itself."""
        rows = math.ceil(self.count / self.columns)
        data = base64.b64encode(self.png).decode("ascii")
        image = tag(
            "image",
            id=self.name,
            width=self.columns * self.width,
            height=rows * self.height,
            href=f"data:image/png;base64,{data}",
        )
        return tag(
            "svg", tag("defs", image), width="0", height="0", aria_hidden="true", class_="store"
        )

    def window(self, index: int, label: str) -> Html:
        """One of the pictures; `label` says what it shows."""
        row, column = divmod(index, self.columns)
        view = f"{column * self.width} {row * self.height} {self.width} {self.height}"
        return tag(
            "svg",
            tag("use", href=f"#{self.name}"),
            class_="tile",
            role="img",
            aria_label=label,
            viewBox=view,
        )


def _encode(images: np.ndarray, columns: int) -> bytes:
    from PIL import Image

    count, height, width = images.shape[:3]
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * height, columns * width, *images.shape[3:]), np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = image
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _shrink(images: np.ndarray, factor: float) -> np.ndarray:
    from PIL import Image

    size = [
        max(_LEAST_SIDE, round(side * factor)) for side in images.shape[2:0:-1]
    ]  # width, height
    return np.stack(
        [np.asarray(Image.fromarray(image).resize((size[0], size[1]))) for image in images]
    )
