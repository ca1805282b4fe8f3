"""Drawing in fractions of a box, so that a sofa need not know how large it is."""

from dataclasses import dataclass
from typing import Self

from PIL import Image, ImageDraw

from infra.sandbox.drawing.palette import Colour, Veil

Point = tuple[float, float]
Fill = Colour | Veil


@dataclass(frozen=True, slots=True)
class Brush:
    """Draws on one box of a picture; every coordinate is a fraction of that box."""

    pen: ImageDraw.ImageDraw
    x: float
    y: float
    width: float
    height: float

    @classmethod
    def on(cls, picture: Image.Image) -> Self:
        """Return the brush for a whole RGB picture; translucent fills blend."""
        return cls(ImageDraw.Draw(picture, "RGBA"), 0, 0, picture.width, picture.height)

    def within(self, x: float, y: float, width: float, height: float) -> "Brush":
        """Return the brush for a box inside this one."""
        left, top = self._at((x, y))
        return Brush(self.pen, left, top, width * self.width, height * self.height)

    def rect(
        self, x0: float, y0: float, x1: float, y1: float, fill: Fill, *, round_by: float = 0.0
    ) -> None:
        """Fill a rectangle, its corners rounded by a fraction of the box's smaller side."""
        corners = [self._at((x0, y0)), self._at((x1, y1))]
        radius = round_by * min(self.width, self.height)
        self.pen.rounded_rectangle(corners, radius=radius, fill=fill)

    def oval(self, x0: float, y0: float, x1: float, y1: float, fill: Fill) -> None:
        """Fill the ellipse in a rectangle."""
        self.pen.ellipse([self._at((x0, y0)), self._at((x1, y1))], fill=fill)

    def poly(self, *points: Point, fill: Fill) -> None:
        """Fill a polygon."""
        self.pen.polygon([self._at(point) for point in points], fill=fill)

    def line(self, *points: Point, fill: Fill, width: float) -> None:
        """Draw a line; its width is a fraction of the box's height."""
        pixels = max(1, round(width * self.height))
        self.pen.line([self._at(point) for point in points], fill=fill, width=pixels, joint="curve")

    def shadow(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Lay a soft shadow on the floor."""
        for step in range(5):
            inset_x, inset_y = (x1 - x0) * 0.035 * step, (y1 - y0) * 0.1 * step
            self.oval(x0 + inset_x, y0 + inset_y, x1 - inset_x, y1 - inset_y, (20, 12, 10, 22))

    def fade(self, top: Colour, bottom: Colour, *, steps: int = 40) -> None:
        """Fill the box with a vertical gradient."""
        for step in range(steps):
            weight = step / (steps - 1)
            band = tuple(round(a + (b - a) * weight) for a, b in zip(top, bottom, strict=True))
            self.rect(0, step / steps, 1, (step + 1) / steps, (band[0], band[1], band[2]))

    def _at(self, point: Point) -> Point:
        return self.x + point[0] * self.width, self.y + point[1] * self.height
