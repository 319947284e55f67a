"""Draws `docs/images/mobile-robot.png`: each task of the mobile robot as the robot sees it, and from above.

python docs/robot_pictures.py
"""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
from PIL import Image, ImageDraw

import saccade.envs  # noqa: F401 - registers the tasks

TASKS = {"GoTo": 3, "GoToRoom": 3, "Avoid": 2, "Fetch": 2, "Explore": 3, "BehindWall": 3}
"""Task -> the level that is shown."""
SIZE, COLUMNS = 224, 2


def main() -> None:
    """Draw all of it."""
    tiles = [tile(task, level) for task, level in TASKS.items()]
    rows = [np.concatenate(tiles[first : first + COLUMNS], axis=1) for first in range(0, len(tiles), COLUMNS)]
    Image.fromarray(np.concatenate(rows)).save(Path(__file__).parent / "images" / "mobile-robot.png", optimize=True)


def tile(task: str, level: int) -> np.ndarray:
    """Goal, what the robot sees before the last turn of the demonstration, and the same from above."""
    env = gym.make(f"saccade/{task}-v0", level=level, cameras=("ego", "overhead"), size=SIZE).unwrapped
    observation, _ = env.reset(seed=1)
    goal = observation["text"].splitlines()[0]
    shown = observation
    for demo in env.demo():  # type: ignore[attr-defined]
        observation, _, terminated, *_ = env.step(demo.action)
        if terminated:
            break
        shown = observation
    env.close()
    picture = Image.fromarray(np.concatenate(shown["images"], axis=1))
    framed = Image.new("RGB", (picture.width + 8, picture.height + 24), "white")
    framed.paste(picture, (4, 20))
    ImageDraw.Draw(framed).text((6, 4), f"{task}: {goal}", fill="black")
    return np.asarray(framed)


if __name__ == "__main__":
    main()
