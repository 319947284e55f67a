"""The canvas against counts by hand, and the letters against each other."""

import math

import numpy as np
import pytest

from saccade.envs.errors import ConfigError
from saccade.envs.palette import PALETTE
from saccade.envs.qa.canvas import PAPER, UNITS, Canvas, text_width
from saccade.envs.qa.font import LETTERS, glyphs

BLACK = (0, 0, 0)


def inked(canvas):
    """How much ink is on a canvas of black things, in square units."""
    return float((1 - canvas.pixels[..., 0] / PAPER[0]).sum()) / canvas.scale**2


@pytest.mark.parametrize("size", [56, 112, 224, 300])
@pytest.mark.parametrize(
    ("draw", "area"),
    [
        (lambda c: c.disc(50, 60, 30, BLACK), math.pi * 900),
        (lambda c: c.ring(56, 56, 30, BLACK, 4), 2 * math.pi * 30 * 4),
        (lambda c: c.shape("square", 56, 56, 40, BLACK), 1600),
        (lambda c: c.sector(56, 56, 40, 10, 100, BLACK), math.pi * 400),
        (lambda c: c.sector(56, 56, 40, 200, 470, BLACK), math.pi * 1200),
        (lambda c: c.polygon([(10, 10), (90, 20), (40, 100)], BLACK), 3450),
        (lambda c: c.polygon([(40, 100), (90, 20), (10, 10)], BLACK), 3450),
        (lambda c: c.line((10, 10), (70, 90), BLACK, 6), 600 + math.pi * 9),
        (lambda c: c.lines([(20, 20), (80, 20), (80, 80)], BLACK, 8), 2 * 60 * 8 - 16 + math.pi * 20),
        (lambda c: c.box(10, 20, 56, 28, BLACK), 56 * 28),
        (lambda c: c.frame(8, 8, 96, 96, BLACK, 4), 96 * 96 - 88 * 88),
        (lambda c: c.curve(np.full(c.size, 56, np.float32), BLACK, 4), 4 * UNITS),
        (lambda c: c.text(56, 56, "Hi!", BLACK, 4), 16 * int(glyphs("Hi!").sum())),
    ],
)
def test_things_cover_their_area(draw, area, size):
    canvas = Canvas(size)
    draw(canvas)
    assert inked(canvas) == pytest.approx(area, rel=0.03 if size >= 112 else 0.06)


def test_slices_go_clockwise_from_the_top():
    canvas = Canvas(112)
    canvas.sector(56, 56, 50, 0, 90, "red")
    pixels = canvas.pixels
    assert tuple(pixels[30, 82]) == PALETTE["red"]
    assert all(tuple(pixels[y, x]) == PAPER for y, x in ((30, 30), (82, 82), (82, 30)))


def test_what_lies_beyond_the_border_is_cut_off():
    canvas = Canvas(112)
    canvas.disc(0, 0, 20, BLACK)
    canvas.line((100, 100), (150, 150), BLACK)
    canvas.text(110, 56, "wide", BLACK)
    canvas.disc(300, 300, 10, BLACK)
    canvas.text(56, -30, "above", BLACK)
    canvas.paste(100, 100, np.zeros((40, 40, 3), np.float32))
    assert inked(canvas) > 300


def test_letters_are_exact_at_whole_scales():
    for size, dot in ((112, 1), (112, 3), (224, 1), (224, 2)):
        canvas = Canvas(size)
        canvas.text(56, 56, "Ag", BLACK, dot)
        rows, columns = np.nonzero(canvas.pixels[..., 0] == 0)
        side = dot * size // 112
        drawn = canvas.pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 0] == 0
        assert np.array_equal(drawn, np.kron(glyphs("Ag") > 0, np.ones((side, side), bool)))


def test_no_two_letters_look_alike():
    shapes = {letter: dots.tobytes() for letter, dots in LETTERS.items()}
    assert len(set(shapes.values())) == len(shapes) == 80
    assert set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:+-=/()%?!|^*<>") == set(shapes)
    assert text_width("abc") == 17 and glyphs("abc").shape == (8, 17)
    with pytest.raises(ConfigError, match="drawn with the letters"):
        glyphs("é")
    with pytest.raises(ConfigError, match="drawn with the letters"):
        glyphs("")


def test_smooth_edges_mix_with_what_is_below():
    canvas = Canvas(112, paper=(100, 100, 100))
    canvas.disc(56, 56, 20.5, (200, 200, 200))
    levels = set(np.unique(canvas.pixels).tolist())
    assert {100, 200} < levels and min(levels) == 100 and max(levels) == 200
