"""A canvas: smooth shapes, lines and letters into pixels, in NumPy alone, the same on every machine.

    canvas = Canvas(224)
    canvas.disc(56, 56, 20, "red")
    canvas.text(56, 90, "stop")
    canvas.image()

Places are units from the top left corner; a picture is `UNITS` wide and high, whatever its size in pixels. An edge
that cuts a pixel colours it by how much of it lies inside, as far as the distance to its centre tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from saccade.envs.observation import Image
from saccade.envs.palette import PALETTE, RGB
from saccade.envs.qa.font import HEIGHT, WIDTH, glyphs
from saccade.envs.qa.observe import OUTLINES

UNITS = 112
"""Width and height of a canvas; at 112 pixels a dot of a letter is one pixel."""
PAPER, INK, GREY, PALE = (246, 246, 246), (30, 30, 30), (150, 150, 150), (222, 222, 222)

Plane = NDArray[np.float32]
Point = tuple[float, float]
Colour = str | RGB


class Canvas:
    """An empty picture to draw on.

    Args:
        size: width and height in pixels.
        paper: its colour.
    """

    def __init__(self, size: int, paper: RGB = PAPER) -> None:
        self.size = size
        self.scale = size / UNITS
        self._levels = np.empty((size, size, 3), np.float32)
        self._levels[:] = paper
        self._centres = np.arange(size, dtype=np.float32) + np.float32(0.5)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """What was drawn, as uint8, size x size x 3."""
        return np.rint(self._levels).astype(np.uint8)

    def image(self) -> Image:
        """What was drawn, as a picture."""
        return Image(self.pixels)

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """A filled box with its corner at (x, y); its edges fall on whole pixels."""
        left, top, right, bottom = (math.floor(each * self.scale + 0.5) for each in (x, y, x + width, y + height))
        self._levels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = _rgb(colour)

    def frame(self, x: float, y: float, width: float, height: float, colour: Colour = INK, pen: float = 1) -> None:
        """The outline of a box, `pen` thick, one pixel at least, inside of it."""
        pen = max(pen, 1 / self.scale)
        self.box(x, y, width, pen, colour)
        self.box(x, y + height - pen, width, pen, colour)
        self.box(x, y, pen, height, colour)
        self.box(x + width - pen, y, pen, height, colour)

    def shape(self, name: str, x: float, y: float, width: float, colour: Colour) -> None:
        """A `circle`, `square` or `triangle` of the palette, centred at (x, y)."""
        window, dx, dy = self._near(x, y, width / 2)
        radius = width / 2 * self.scale
        self._fill(window, OUTLINES[name](dx, dy, radius), colour)  # type: ignore[arg-type]

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A filled circle."""
        window, dx, dy = self._near(x, y, radius)
        self._fill(window, np.sqrt(dx * dx + dy * dy) - np.float32(radius * self.scale), colour)

    def ring(self, x: float, y: float, radius: float, colour: Colour = INK, pen: float = 1.5) -> None:
        """A circle, `pen` thick, half of it outside."""
        window, dx, dy = self._near(x, y, radius + pen)
        away = np.abs(np.sqrt(dx * dx + dy * dy) - np.float32(radius * self.scale))
        self._fill(window, away - np.float32(pen / 2 * self.scale), colour)

    def sector(self, x: float, y: float, radius: float, start: float, stop: float, colour: Colour) -> None:
        """A slice of a disc from `start` to `stop` degrees, clockwise from the top, less than 360 of them."""
        window, dx, dy = self._near(x, y, radius)
        edges = []
        for degrees, sign in ((start, -1), (stop, 1)):
            across = math.radians(degrees)
            edges.append(np.float32(sign) * (dx * np.float32(math.cos(across)) + dy * np.float32(math.sin(across))))
        between = np.maximum(*edges) if stop - start <= 180 else np.minimum(*edges)
        self._fill(window, np.maximum(between, np.sqrt(dx * dx + dy * dy) - np.float32(radius * self.scale)), colour)

    def polygon(self, corners: Sequence[Point], colour: Colour) -> None:
        """A filled convex polygon, its corners in either order."""
        xs, ys = zip(*corners, strict=True)
        x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
        window, dx, dy = self._near(x, y, (max(xs) - min(xs)) / 2, (max(ys) - min(ys)) / 2)
        turn = sum(a[0] * b[1] - b[0] * a[1] for a, b in _sides(corners))
        inside: Plane | None = None
        for (ax, ay), (bx, by) in _sides(corners):
            length = math.hypot(bx - ax, by - ay) * math.copysign(1, turn)
            nx, ny = (by - ay) / length, (ax - bx) / length
            offset = ((ax - x) * nx + (ay - y) * ny) * self.scale
            side = dx * np.float32(nx) + dy * np.float32(ny) - np.float32(offset)
            inside = side if inside is None else np.maximum(inside, side)
        assert inside is not None
        self._fill(window, inside, colour)

    def line(self, start: Point, stop: Point, colour: Colour = INK, pen: float = 1.5) -> None:
        """A straight line with round ends."""
        (ax, ay), (bx, by) = start, stop
        x, y = (ax + bx) / 2, (ay + by) / 2
        window, dx, dy = self._near(x, y, abs(bx - ax) / 2 + pen, abs(by - ay) / 2 + pen)
        half = math.hypot(bx - ax, by - ay) / 2
        ux, uy = ((bx - ax) / (2 * half), (by - ay) / (2 * half)) if half else (1.0, 0.0)
        along = np.abs(dx * np.float32(ux) + dy * np.float32(uy)) - np.float32(half * self.scale)
        across = dx * np.float32(-uy) + dy * np.float32(ux)
        beyond = np.maximum(along, 0)
        self._fill(window, np.sqrt(beyond * beyond + across * across) - np.float32(pen / 2 * self.scale), colour)

    def lines(self, points: Sequence[Point], colour: Colour = INK, pen: float = 1.5, closed: bool = False) -> None:
        """Straight lines from point to point, back to the first if `closed`."""
        for start, stop in list(_sides(points))[: None if closed else -1]:
            self.line(start, stop, colour, pen)

    def arrow(self, start: Point, stop: Point, colour: Colour = INK, pen: float = 1.5, head: float = 5) -> None:
        """A line with a head at `stop`."""
        (ax, ay), (bx, by) = start, stop
        self.line(start, stop, colour, pen)
        back = math.atan2(ay - by, ax - bx)
        for turn in (-0.5, 0.5):
            self.line(stop, (bx + head * math.cos(back + turn), by + head * math.sin(back + turn)), colour, pen)

    def curve(self, heights: Plane, colour: Colour = INK, pen: float = 1.5) -> None:
        """A graph: the y unit of the curve at the middle of each column of pixels, `size` of them."""
        y = heights * np.float32(self.scale)
        steep = np.gradient(y)
        away = np.abs(self._centres[:, None] - y[None]) / np.sqrt(1 + steep * steep)[None]
        self._fill((slice(None), slice(None)), away - np.float32(pen / 2 * self.scale), colour)

    def columns(self) -> Plane:
        """The x unit of the middle of each column of pixels."""
        return self._centres / np.float32(self.scale)

    def text(self, x: float, y: float, line: str, colour: Colour = INK, dot: float = 1) -> None:
        """A line of letters whose middle is (x, y); a dot of a letter is `dot` units wide."""
        ink = glyphs(line)
        left = round(x - text_width(line, dot) / 2) if dot == round(dot) else x - text_width(line, dot) / 2
        top = round(y - (HEIGHT - 1) * dot / 2) if dot == round(dot) else y - (HEIGHT - 1) * dot / 2
        rows, down = self._shares(top, dot, ink.shape[0])
        columns, across = self._shares(left, dot, ink.shape[1])
        self._blend((rows, columns), (down @ ink @ across.T).astype(np.float32), colour)

    def paste(self, x: float, y: float, pixels: NDArray[np.float32]) -> None:
        """Ready pixels (levels 0 to 255, H x W x 3) with their corner at (x, y), cut off at the border."""
        left, top = round(x * self.scale), round(y * self.scale)
        window = self._levels[top : top + pixels.shape[0], left : left + pixels.shape[1]]
        window[:] = pixels[: window.shape[0], : window.shape[1]]

    def _near(
        self, x: float, y: float, reach: float, reach_y: float | None = None
    ) -> tuple[tuple[slice, slice], Plane, Plane]:
        """The window of pixels that a thing around (x, y) can touch, and how far, in pixels, each is from there."""
        slices, offsets = [], []
        for centre, far in ((y, reach if reach_y is None else reach_y), (x, reach)):
            low = max(0, math.floor((centre - far) * self.scale) - 1)
            high = min(self.size, math.ceil((centre + far) * self.scale) + 1)
            slices.append(slice(low, max(low, high)))
            offsets.append(self._centres[slices[-1]] - np.float32(centre * self.scale))
        return (slices[0], slices[1]), offsets[1][None, :], offsets[0][:, None]

    def _fill(self, window: tuple[slice, slice], distance: Plane, colour: Colour) -> None:
        self._blend(window, np.clip(np.float32(0.5) - distance, 0, 1), colour)

    def _blend(self, window: tuple[slice, slice], cover: Plane, colour: Colour) -> None:
        levels = self._levels[window]
        levels += cover[..., None] * (np.array(_rgb(colour), np.float32) - levels)

    def _shares(self, start: float, dot: float, count: int) -> tuple[slice, Plane]:
        """Which pixels `count` dots from `start` on touch, and the share of each pixel that each dot covers."""
        edges = (start + dot * np.arange(count + 1)) * self.scale
        low, high = max(0, math.floor(edges[0])), min(self.size, math.ceil(edges[-1]))
        pixels = np.arange(low, max(low, high))[:, None]
        shares = np.clip(np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels), 0, 1)
        return slice(low, max(low, high)), shares.astype(np.float32)


def text_width(line: str, dot: float = 1) -> float:
    """Units that a line of letters is wide."""
    return ((WIDTH + 1) * len(line) - 1) * dot


def _sides(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    return list(zip(points, [*points[1:], points[0]], strict=True))


def _rgb(colour: Colour) -> RGB:
    return PALETTE[colour] if isinstance(colour, str) else colour
