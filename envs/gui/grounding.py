"""Grounding: one picture, one instruction, one click into a box (ScreenSpot, arXiv 2401.10935).

    gym.make("saccade/Grounding-v0", data="screenspot/annotations.jsonl")

Each line of the file is an item: `image` (a path, relative to the file), `instruction`, `bbox`, and, if you like,
`data_type` and `data_source`, which come back in `info`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from saccade.envs.actions import ActionSet, Call
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ActionError, ConfigError
from saccade.envs.gui.verbs import GROUPS
from saccade.envs.observation import Image, Observation

CLICK = next(verb for verb in GROUPS["coord"] if verb.name == "mouse_click")
BOXES = ("xywh", "xyxy")


@dataclass(frozen=True)
class Target:
    """An item of the data: a picture file, what is looked for, and its box as the file has it."""

    image: str
    instruction: str
    bbox: tuple[float, float, float, float]
    data_type: str = ""
    data_source: str = ""


class Grounding(LanguageEnv):
    """Click what the instruction names.

    Args:
        data: a JSON-lines file of items.
        box: what `bbox` holds: `xywh` (left, top, width, height) or `xyxy` (left, top, right, bottom); in pixels, or
            as shares of the picture where all four are at most 1.
        base: `split`, `max_turns` (1), `error_penalty`, `render_mode`.
    """

    instructions = "Click what you are asked for."
    action_format = ActionSet(CLICK)

    def __init__(self, *, data: str, box: str = "xywh", **base: Any) -> None:
        super().__init__(**base)
        if box not in BOXES:
            raise ConfigError(f"box must be one of {', '.join(BOXES)}, got {box!r}")
        self.box = box
        self.file = Path(data)
        self.items = read_targets(self.file)

    def begin(self, rng: np.random.Generator) -> Observation:
        """Show a picture and say what to click."""
        self.target = self.draw(lambda rng: self.items[rng.integers(len(self.items))], rng)
        path = self.file.parent / self.target.image
        try:
            self.image = Image.decode(path.read_bytes(), str(path))
        except OSError as error:
            raise ConfigError(f"the picture {path} cannot be read: {error}") from error
        self.clicked: tuple[float, float] | None = None
        return Observation.of(self.target.instruction, self.image)

    def act(self, call: Call) -> Outcome:
        """Hit or miss."""
        x, y = float(call.args["x"]), float(call.args["y"])  # type: ignore[arg-type]
        width, height = self.image.size
        if not (0 <= x < width and 0 <= y < height):
            raise ActionError(f"mouse_click needs 0 <= x < {width} and 0 <= y < {height}, got ({x:g}, {y:g})")
        self.clicked = x, y
        left, top, right, bottom = self.bounds
        hit = left <= x <= right and top <= y <= bottom
        info = {"data_type": self.target.data_type, "data_source": self.target.data_source}
        cause = Cause.GOAL if hit else Cause.FAILED
        return Outcome(Observation.of("Hit." if hit else "Missed."), reward=float(hit), ended=cause, info=info)

    def state(self) -> Any:
        """The item and the click."""
        return {"image": self.target.image, "instruction": self.target.instruction, "clicked": self.clicked}

    def demo(self) -> Iterator[Demo]:
        """Click the middle of the box."""
        left, top, right, bottom = self.bounds
        width, height = self.image.size
        x, y = min(int((left + right) / 2), width - 1), min(int((top + bottom) / 2), height - 1)
        yield Demo(f"mouse_click({x}, {y})", f"{self.target.instruction} ({x}, {y})")

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the target in pixels."""
        a, b, c, d = self.target.bbox
        if max(self.target.bbox) <= 1:
            width, height = self.image.size
            a, b, c, d = a * width, b * height, c * width, d * height
        return (a, b, a + c, b + d) if self.box == "xywh" else (a, b, c, d)


@lru_cache(maxsize=8)
def read_targets(file: Path) -> tuple[Target, ...]:
    """The items of a file.

    Raises:
        ConfigError: it cannot be read, or an item lacks a field.
    """
    found = []
    try:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"data must be a JSON-lines file, {file} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        try:
            item = json.loads(line)
            bbox = tuple(float(side) for side in item["bbox"])
            if len(bbox) != 4:
                raise ValueError(f"bbox has {len(bbox)} numbers")
            found.append(
                Target(str(item["image"]), str(item["instruction"]), bbox, *(str(item.get(k, "")) for k in _MORE))
            )
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"line {number} of {file} must be an object with image, instruction and bbox of four numbers: {error!r}"
            ) from error
    if not found:
        raise ConfigError(f"{file} holds no item")
    return tuple(found)


_MORE = ("data_type", "data_source")
