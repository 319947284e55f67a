"""BrowserGym on the task that `gui.py` measures: run there by `--peer-python`, in an interpreter that has it.

Needs browsergym-core and browsergym-miniwob 0.14, and nothing of Saccade. Tuned: no slow motion, no delay before it
looks, the picture not enlarged, a plain mouse click as its action. Prints seconds as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any


def use_browser(executable: str) -> None:
    """Let Playwright start this browser wherever BrowserGym launches one, which it does twice a reset."""
    from playwright.sync_api import BrowserType

    launch = BrowserType.launch

    def launched(self: BrowserType, **settings: Any) -> Any:
        return launch(self, **settings | {"executable_path": executable})

    BrowserType.launch = launched  # type: ignore[method-assign]


def plain_size(task: Any) -> None:
    """Pictures of one pixel for each CSS pixel, instead of the half more that MiniWoB tasks get there."""
    setup = task.setup

    def done(self: Any, page: Any) -> Any:
        found = setup(self, page)
        page._bgym_scale_factor = 1.0
        return found

    task.setup = done


def main(executable: str, pages: Path, task: str, resets: int, steps: int) -> None:
    os.environ["MINIWOB_URL"] = f"{pages.as_uri()}/"
    use_browser(executable)
    import browsergym.miniwob  # noqa: F401 - registers its environments
    import gymnasium as gym
    from browsergym.core.action.highlevel import HighLevelActionSet
    from browsergym.miniwob.base import AbstractMiniwobTask

    plain_size(AbstractMiniwobTask)
    env = gym.make(
        f"browsergym/miniwob.{task}",
        slow_mo=0,
        pre_observation_delay=0,
        action_mapping=HighLevelActionSet(["miniwob_all"]).to_python_code,
        disable_env_checker=True,
    ).unwrapped
    env.reset(seed=0)
    found: dict[str, Any] = {"reset": [], "step": []}
    for seed in range(resets):
        began = time.perf_counter()
        env.reset(seed=seed)
        found["reset"].append(time.perf_counter() - began)
        places = [box.bounding_box() for box in env.page.locator("input[type=checkbox]").all()]
        for turn in range(steps):
            box = places[turn % len(places)]
            x, y = box["x"] + box["width"] // 2, box["y"] + box["height"] // 2
            began = time.perf_counter()
            seen, *_ = env.step(f"mouse_click({x}, {y})")
            found["step"].append(time.perf_counter() - began)
            if seen["last_action_error"]:
                raise RuntimeError(seen["last_action_error"])
    found["picture"] = seen["screenshot"].shape[1::-1]
    env.close()
    print(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--executable", required=True, help="the Chromium")
    parser.add_argument("--pages", type=Path, required=True, help="the folder html/miniwob of the miniwob package")
    parser.add_argument("--task", required=True)
    parser.add_argument("--resets", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True, help="in each episode")
    given = parser.parse_args()
    main(given.executable, given.pages, given.task, given.resets, given.steps)
