"""A small real world whose pictures are drawn with NumPy, and episodes played in it."""

import math
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from saccade.envs.actions import STR, ActionSet, X, Y, verb
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo, Episode, Step
from saccade.envs.errors import ActionError, WorldFailure
from saccade.envs.observation import Image, Observation
from saccade.envs.replay import ReplayStore
from saccade.envs.task import TaskSpec

WIDTH, HEIGHT, TILE = 96, 64, 12
COLOURS = {"red": (214, 69, 65), "green": (63, 160, 98), "blue": (58, 110, 205)}
TILES = "test/Tiles-v0"


class Tiles(LanguageEnv):
    """Click the named tile, then drag it into the frame."""

    instructions = "Click the tile that is named, then drag it into the frame on the right."
    action_format = ActionSet(
        verb("click", "Press the left mouse button at a pixel.", x=X, y=Y),
        verb("drag", "Press at one pixel, release at another.", x1=X, y1=Y, x2=X, y2=Y),
        verb("say", "Say something.", words=STR),
        verb("crash", "Break the world."),
    )
    max_turns = 5

    def begin(self, rng: np.random.Generator) -> Observation:
        self.places = {
            name: (int(rng.integers(2, 48)), 3 + 20 * row + int(rng.integers(0, 6))) for row, name in enumerate(COLOURS)
        }
        self.goal = list(COLOURS)[int(rng.integers(3))]
        self.chosen = False
        return self.look(f"Drag the {self.goal} tile into the frame.")

    def look(self, text: str) -> Observation:
        pixels = np.full((HEIGHT, WIDTH, 3), 244, np.uint8)
        pixels[16:48, 66:92] = 225
        pixels[18:46, 68:90] = 250
        for name, (x, y) in self.places.items():
            pixels[y : y + TILE, x : x + TILE] = COLOURS[name]
            if self.chosen and name == self.goal:
                pixels[y + 4 : y + 8, x + 4 : x + 8] = 255
        return Observation.of(text, Image(pixels))

    def hit(self, x: float, y: float) -> str:
        for name, (left, top) in self.places.items():
            if left <= x < left + TILE and top <= y < top + TILE:
                return name
        raise ActionError(f"there is nothing at ({x}, {y})")

    def act(self, action: Any) -> Outcome:
        if action.verb == "crash":
            raise WorldFailure("the tiles fell off")
        if action.verb == "say":
            return Outcome(self.look(f"You said: {action.args['words']}"))
        if action.verb == "click":
            first = not self.chosen and self.hit(action.args["x"], action.args["y"]) == self.goal
            self.chosen = self.chosen or first
            return Outcome(
                self.look("Selected." if first else "Nothing happened."), 0.25 * first, {"select": 0.25 * first}
            )
        x1, y1, x2, y2 = (action.args[name] for name in ("x1", "y1", "x2", "y2"))
        name = self.hit(x1, y1)
        inside = 68 <= x2 < 90 and 18 <= y2 < 46
        self.places[name] = (max(0, min(WIDTH - TILE, int(x2) - 6)), max(0, min(HEIGHT - TILE, int(y2) - 6)))
        if inside and name == self.goal and self.chosen:
            return Outcome(self.look("Done."), 1.0, {"task": 1.0}, Cause.GOAL)
        return Outcome(self.look("Moved."), -0.05, {"move": -0.05})

    def state(self) -> Any:
        return [self.places, self.goal, self.chosen]

    def demo(self) -> Iterator[Demo]:
        x, y = (value + 6 for value in self.places[self.goal])
        if not self.chosen:
            yield Demo(f"click({x}, {y})", f"The {self.goal} tile is at ({x}, {y}).")
        yield Demo(f"drag({x}, {y}, 79, 32)", "It is selected; now into the frame.")


class Noisy(Tiles):
    """The same, with pictures that are never the same twice."""

    deterministic_pictures = False

    def look(self, text: str) -> Observation:
        words, picture = super().look(text).parts
        noise = np.random.default_rng().integers(0, 8, picture.pixels.shape, dtype=np.uint8)  # type: ignore[union-attr]
        return Observation((words, Image(picture.pixels // 2 + noise)))  # type: ignore[union-attr]


for _id, _world in {TILES: Tiles, "test/NoisyTiles-v0": Noisy}.items():
    if _id not in gym.registry:
        gym.register(_id, entry_point=_world)

Move = tuple[str, str]
Player = Callable[[Any], Iterator[Move]]


def demonstrated(env: Any) -> Iterator[Move]:
    """The environment's own solution."""
    while True:
        for demo in env.unwrapped.demo():
            yield demo.action, demo.thought
            break


def scripted(*actions: str | None) -> Player:
    """These actions, with no thought; `None` is a reply that never reached the world."""
    return lambda env: iter([(action, "") for action in actions])  # type: ignore[misc]


def play_episode(
    task: TaskSpec, player: Player = demonstrated, *, id: str = "e0", cause: Cause | None = None, **rest: Any
) -> Episode:
    """Play one episode as a runner would; `cause` names the ending where the world has none."""
    env = task.make()
    _, info = env.reset(seed=task.seed)
    steps: list[Step] = []
    for action, thought in player(env):
        seen, key = env.unwrapped.view, info["state_key"]
        common = {"index": len(steps), "observation": seen, "thought": thought, "state_key": key}
        if action is None:
            steps.append(
                Step(
                    reply="cut o",
                    action=None,
                    action_error=None,
                    reward=0.0,
                    reward_terms={},
                    terminated=False,
                    truncated=False,
                    **common,
                )
            )
            break
        _, reward, terminated, truncated, info = env.step(action)
        steps.append(
            Step(
                reply=f"<think>{thought}</think>{action}",
                action=action,
                action_error=info["action_error"],
                reward=float(reward),
                reward_terms=info["reward_terms"],
                terminated=terminated,
                truncated=truncated,
                seconds=0.0004,
                **common,
            )
        )
        if terminated or truncated:
            cause = Cause(info["cause"])
            break
    assert cause is not None, "the script ended before the world did; say why"
    final = None if cause in (Cause.INFRA, Cause.ENGINE, Cause.STALE) else env.unwrapped.view
    env.close()
    return Episode(
        id=id,
        task=task,
        instructions=env.unwrapped.instructions,
        steps=steps,
        final=final,
        cause=cause,
        success=cause is Cause.GOAL,
        failure=info.get("failure_message"),
        **rest,
    )


def token_notes(episode: Episode, seed: int = 0, advantage: float = 0.5) -> list[dict[str, Any]]:
    """Made-up annotations: a token for every four characters of the reply."""
    rng = random.Random(seed)
    turns = []
    for step in episode.steps:
        tokens = [step.reply[at : at + 4] for at in range(0, len(step.reply), 4)]
        turns.append(
            {
                "tokens": tokens,
                "logprobs": [math.log(rng.uniform(0.02, 1) ** 0.5) for _ in tokens],
                "advantages": [advantage + rng.uniform(-0.2, 0.2) for _ in tokens],
                "versions": [3 + (at > len(tokens) // 2) for at in range(len(tokens))],
            }
        )
    return turns


def browser_path() -> str | None:
    """A Chromium of this machine; `None` lets Playwright look for its own."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@pytest.fixture
def store(tmp_path: Any) -> Iterator[ReplayStore]:
    with ReplayStore.create(tmp_path / "replay", run_id="run-a", fingerprint={"renderer": "numpy"}) as made:
        yield made


@pytest.fixture
def play() -> Callable[..., Episode]:
    """`play(seed=0, player=..., env=..., **episode)`: one episode of the small world."""

    def run(seed: int = 0, player: Player = demonstrated, env: str = TILES, **rest: Any) -> Episode:
        return play_episode(TaskSpec(env, seed), player, **rest)

    return run


@pytest.fixture
def script() -> Callable[..., Player]:
    return scripted


@pytest.fixture
def notes() -> Callable[..., Sequence[dict[str, Any]]]:
    return token_notes
