"""Small images: a group of them is one PNG in the page, of which each element shows one part."""

from __future__ import annotations

import base64
import io
import math

import numpy as np

from gazelle._report.pages.markup import Html, tag

_LEAST_SIDE = 12  # pixels; smaller images cannot be recognized


class Sprite:
    """Images side by side in one PNG.

    Args:
        name: Id of the PNG in the page.
        images: uint8 `(count, height, width)` or `(count, height, width, 3)`.
        budget: Largest size of the PNG in bytes; the images are shrunk until it fits.
    """

    def __init__(self, name: str, images: np.ndarray, budget: int) -> None:
        """Encode the images."""
        self.name = name
        self.columns = max(1, math.ceil(math.sqrt(len(images))))
        self.png = _encode(images, self.columns)
        while len(self.png) > budget and min(images.shape[1:3]) > _LEAST_SIDE:
            images = _shrink(images, 0.75)
            self.png = _encode(images, self.columns)
        self.height, self.width = images.shape[1:3]
        self.count = len(images)

    def definition(self) -> Html:
        """The element that contains the PNG. It must be in the page once and shows nothing."""
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

    def picture(self, index: int, label: str) -> Html:
        """An element that shows one of the images; `label` is for screen readers."""
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

    height, width = (max(_LEAST_SIDE, round(side * factor)) for side in images.shape[1:3])
    return np.stack(
        [np.asarray(Image.fromarray(image).resize((width, height))) for image in images]
    )
