"""`ClickWord`: buttons with words on them, of which the goal names one. It has to be read.

    env = gym.make("saccade/ClickWord-v0", level=2)
    env.reset(seed=0)       # Click "save".
    env.step("mouse_click(90, 31)")

The words are a closed list, no two closer than two letters, so that a word cannot be taken for another by a blot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.envs.errors import ConfigError
from saccade.envs.gui.click import ClickScene
from saccade.envs.gui.tasks import Box, Scene, css

WORDS = (
    *("add", "apply", "back", "bold", "cancel", "cart", "clear", "close", "copy", "delete", "done", "edit", "export"),
    *("file", "filter", "forward", "game", "group", "help", "history", "home", "import", "insert", "join", "jump"),
    *("list", "login", "map", "menu", "music", "mute", "new", "next", "open", "order", "paste", "photo", "play"),
    *("print", "profile", "refresh", "remove", "reply", "reset", "save", "search", "select", "share", "sort", "stop"),
    *("submit", "tag", "tools", "undo", "update", "upload", "video", "volume", "watch", "write"),
)
"""Sixty words of interfaces, three to seven letters; no first letter and no length is a word's own."""

COUNTS = {0: 1, 1: 2, 2: 4, 3: 6}
"""Level -> buttons."""

SMALLEST = {0: 112, 1: 128, 2: 144, 3: 160}
"""Level -> least size of the picture in pixels, which is the usual one: what its buttons need."""
LARGEST = 512
FONT_SIZE = 15
"""Pixels, as in `scene.html`."""

ADVANCES = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        (
            *(675, 716, 593, 716, 678, 435, 716, 712, 343, 343, 665, 343, 1042),
            *(712, 687, 716, 716, 493, 595, 478, 712, 652, 924, 645, 652, 582),
        ),
        strict=True,
    )
)
"""Widths of the letters of Saccade Sans Bold, in thousandths of the font size."""

BACKGROUNDS = (
    *((255, 255, 255), (225, 225, 225), (205, 225, 250), (210, 240, 210), (250, 240, 190), (250, 215, 215)),
    (230, 215, 245),
)
GRID = 8
"""Everything stands on a grid of this many pixels, as design systems lay out their pages: a word looks the same
wherever it stands, and needs to be learned from fewer pictures."""
HEIGHT = 3 * GRID
PADDING = 4
"""Least space beside a word, in pixels."""

TRIES = 64
_GAP = GRID  # pixels between two buttons and around them


@dataclass(frozen=True)
class Button:
    """A word on a button; `x`, `y` is the corner of its box, all in pixels."""

    word: str
    x: int
    y: int
    width: int
    height: int
    background: tuple[int, int, int]

    @property
    def name(self) -> str:
        """Its word."""
        return self.word

    @property
    def asked(self) -> str:
        """The word in quotation marks."""
        return f'"{self.word}"'

    @property
    def centre(self) -> tuple[int, int]:
        """The middle of the button and of its word."""
        return self.x + self.width // 2, self.y + self.height // 2

    @property
    def order(self) -> tuple[int, int]:
        """As one reads: from top to bottom, then from left to right."""
        x, y = self.centre
        return y, x

    def drawn(self) -> tuple[str, str, str]:
        """A button with its word."""
        return "word", css(self.background, (self.x, self.y, self.width, self.height)), self.word


def make_words(rng: np.random.Generator, level: int, size: int) -> Scene:
    """Draw a scene of buttons, in reading order; each is as likely to be the target.

    Args:
        rng: determines it.
        level: 0 one button; 1 two; 2 four; 3 six, each of which has the first letter or the length of another one.
        size: width and height of the picture in pixels.
    """
    boxes = None
    while boxes is None:  # a crowded picture can leave no room, and six long words have none at all: draw others
        words = _alike(rng, COUNTS[level]) if level == 3 else rng.permutation(WORDS)[: COUNTS[level]].tolist()
        boxes = _place(rng, words, size)
    colours = rng.integers(len(BACKGROUNDS), size=len(words)).tolist()
    buttons = [Button(word, *box, BACKGROUNDS[colour]) for word, box, colour in zip(words, boxes, colours, strict=True)]
    return Scene(size, tuple(sorted(buttons, key=lambda each: each.order)), target=int(rng.integers(len(words))))


def _alike(rng: np.random.Generator, count: int) -> list[str]:
    """Pairs of words with the same first letter or the same length: none stands out as the one that is meant."""
    chosen: list[str] = []
    while len(chosen) < count:
        left = [str(word) for word in rng.permutation(WORDS) if word not in chosen]
        by_letter = rng.random() < 0.5
        first = left.pop()
        mates = [word for word in left if (word[0] == first[0] if by_letter else len(word) == len(first))]
        if mates:
            chosen += [first, mates[0]]
    return chosen


def _place(rng: np.random.Generator, words: list[str], size: int) -> list[Box] | None:
    """Free places on the grid for buttons as wide as their words; `None` where no room was found."""
    boxes: list[Box] = []
    for word in words:
        width, height = width_of(word), HEIGHT
        lines = [(size - side - 2 * _GAP) // GRID + 1 for side in (width, height)]
        xs, ys = (_GAP + GRID * rng.integers(count, size=TRIES) for count in lines)
        free = np.ones(TRIES, bool)
        for left, top, w, h in boxes:
            beside = (xs + width + _GAP <= left) | (left + w + _GAP <= xs)
            free &= beside | (ys + height + _GAP <= top) | (top + h + _GAP <= ys)
        if not free.any():
            return None
        index = int(free.argmax())
        boxes.append((int(xs[index]), int(ys[index]), width, height))
    return boxes


def width_of(word: str) -> int:
    """Pixels of a button with this word: its letters and the space beside them, up to the next line of the grid."""
    letters = sum(ADVANCES[letter] for letter in word) * FONT_SIZE / 1000
    return GRID * int(np.ceil((letters + 2 * PADDING) / GRID))


class ClickWord(ClickScene):
    """Click the button whose word the goal quotes. The page records which button took the click.

    Args:
        level: 0 one button, to learn its words from; 1 two; 2 four; 3 six that look alike.
        size: width and height of the picture in pixels; by default the smallest that the level fits into.
        browser: `split`, `max_turns` (1), `error_penalty`, `render_mode`, `fresh_context`, `timeout`.
    """

    instructions = "Click the button that is named."

    def __init__(self, *, level: int = 2, size: int | None = None, **browser: Any) -> None:
        if level not in COUNTS:
            raise ConfigError(f"level must be one of {', '.join(map(str, COUNTS))}, got {level!r}")
        size = SMALLEST[level] if size is None else size
        super().__init__(size=size, **browser)
        if not SMALLEST[level] <= size <= LARGEST:
            raise ConfigError(f"size must be {SMALLEST[level]} to {LARGEST} pixels at level {level}, got {size!r}")
        self.level = level

    def make(self, rng: np.random.Generator) -> Scene:
        """A scene of buttons."""
        return make_words(rng, self.level, self.size)
