"""`Bridge`: any Gymnasium environment that renders `rgb_array`, acted on in words.

    env = gym.make("saccade/Gym-v0", env="CartPole-v1")
    observation, info = env.reset(seed=0)    # "Keep the pole upright." and a picture
    env.step("left()")

    env = gym.make("saccade/Gym-v0", env="Ant-v5", bins=3, repeat=10)
    env.step("act(hip_1=2, ankle_1=0)")      # the other joints stay in the middle

The actions of a `Discrete` space become verbs; each dimension of a `Box` becomes an argument that counts bins. The
rewards are the environment's own. `my_module:saccade/Gym-v0` with `env="Mine-v0"` finds what `my_module` registers.
"""

from __future__ import annotations

import difflib
import importlib.util
import math
import os
import random
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from saccade.envs.actions import ActionSet, Call, Param, verb
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause
from saccade.envs.errors import ActionError, ConfigError, WorldFailure, near
from saccade.envs.observation import Image, Observation, digest_of

TURNS = 100
"""Turns of an environment that has no time limit of its own."""


@dataclass(frozen=True)
class Words:
    """How to speak of an environment; see `Bridge` for the meaning of each."""

    goal: str
    actions: Sequence[str]
    repeat: int = 1
    success: float | str | None = None


KNOWN: Mapping[str, Words] = {
    "CartPole-v1": Words("Keep the pole upright: push the cart left or right.", ("left", "right"), repeat=2),
    "MountainCar-v0": Words(
        "Rock the car until it reaches the flag on the right hill.", ("left", "coast", "right"), 4, "terminated"
    ),
    "Reacher-v5": Words("Bring the tip of the arm to the red target and keep it there.", ("shoulder", "elbow")),
    "Ant-v5": Words(
        "Make the ant walk forwards, along the x axis, and do not let it fall.",
        tuple(f"{joint}_{leg}" for leg in (4, 1, 2, 3) for joint in ("hip", "ankle")),
        repeat=5,
    ),
}
"""What Gymnasium's own environments are about. Every other one takes the same as keywords."""

FIXES: Mapping[str, str] = {
    "gymnasium": "run `pip install saccade[gym]`",
    "gymnasium_robotics": "run `pip install saccade[robotics]`, in an environment of its own: it pins mujoco 3.3.0",
    "metaworld": "run `pip install saccade[metaworld]`, in an environment of its own: it pins mujoco 3.3.0",
}
"""Package -> how to get it in a version that works."""


class Bridge(LanguageEnv):
    """Act in a Gymnasium environment by words, and see what it renders.

    Args:
        env: the id of a registered environment; its action space must be `Discrete` or a bounded `Box`.
        goal: what to do, in words.
        actions: names of the discrete actions, or of the dimensions of the box, in order.
        bins: values that a dimension of a box can take, evenly from low to high; odd, so that one is the middle.
        repeat: steps of the environment that one action lasts.
        success: a return that the episode must have reached at its end, `"terminated"`, or a key of `info` that is true
            as soon as the goal is reached; by default the reward threshold with which the environment is registered,
            else the key `success` or `is_success`.
        size: longer side of the picture in pixels; as it is rendered by default.
        options: keyword arguments for the environment itself.
        max_turns: by default as many as the environment's own time limit allows.
        **settings: those of `LanguageEnv`.
    """

    affinity = "process"
    max_turns = TURNS

    def __init__(
        self,
        *,
        env: str,
        goal: str | None = None,
        actions: Sequence[str] | None = None,
        bins: int = 5,
        repeat: int | None = None,
        success: float | str | None = None,
        size: int | None = None,
        options: Mapping[str, Any] | None = None,
        max_turns: int | None = None,
        **settings: Any,
    ) -> None:
        words = KNOWN.get(env, Words(f"Get the highest return in {env}.", ()))
        self.repeat = words.repeat if repeat is None else repeat
        if self.repeat < 1:
            raise ConfigError(f"repeat must be >= 1, got {repeat}")
        if bins < 3 or bins % 2 == 0:
            raise ConfigError(f"bins must be an odd number >= 3, so that one of them is the middle, got {bins}")
        if size is not None and size < 8:
            raise ConfigError(f"size must be at least 8 pixels, got {size}")
        spec = find(env)
        limit = spec.max_episode_steps or TURNS * self.repeat
        turns = math.ceil(limit / self.repeat) if max_turns is None else max_turns
        super().__init__(max_turns=turns, **settings)
        self.inner = _make(spec, options or {})
        self.goal = goal or words.goal
        self.size = size
        rule = words.success if success is None else success
        self.success = spec.reward_threshold if rule is None else rule
        names = tuple(actions or words.actions)
        space = self.inner.action_space
        if isinstance(space, gym.spaces.Discrete):
            self._values = _discrete(space, names or _meanings(self.inner, int(space.n)))
            self.action_format = ActionSet(*(verb(name, "Do this.") for name in self._values))
        elif isinstance(space, gym.spaces.Box) and space.is_bounded():
            self._bins = _binned(space, names, bins)
            self.action_format = ActionSet(
                verb("act", _explain(self._bins), **{name: Param("int", default=bins // 2) for name in self._bins})
            )
        else:
            raise ConfigError(f"the action space must be Discrete or a bounded Box; that of {env} is {space}")
        times = f" Each action lasts {self.repeat} steps." if self.repeat > 1 else ""
        self.instructions = f"Act in {env}, which the picture shows.{times}"

    def begin(self, rng: np.random.Generator) -> Observation:
        """Reset the environment to a seed of this split."""
        self._return = 0.0
        self._seen, _ = self.inner.reset(seed=int(rng.integers(2**31)))
        return Observation.of(self.goal, self._picture())

    def act(self, action: Call) -> Outcome:
        """Do it `repeat` times, or until the environment ends its episode."""
        chosen = self._chosen(action)
        reward, terms = 0.0, dict[str, float]()
        info: Mapping[str, Any] = {}
        terminated = truncated = False
        for _ in range(self.repeat):
            try:
                self._seen, gained, terminated, truncated, info = self.inner.step(chosen)
                reward += float(gained)
            except Exception as error:  # whatever it is, the environment broke and not the agent
                raise WorldFailure(f"{type(error).__name__}: {error}") from error
            for name, part in info.items():
                if name.startswith("reward_") and isinstance(part, (int, float, np.number)):
                    terms[name] = terms.get(name, 0.0) + float(part)
            if terminated or truncated or self._reached(info):
                break
        if not math.isfinite(reward):
            raise WorldFailure(f"the reward must be finite, got {reward}")
        self._return += reward
        rest = reward - sum(terms.values())
        if not terms or abs(rest) > 1e-9:
            terms["task"] = rest
        said = f"Reward {reward:.4g}, return {self._return:.4g}."
        return Outcome(
            Observation.of(said, self._picture()), reward, terms, self._ended(bool(terminated), bool(truncated), info)
        )

    def state(self) -> Any:
        """A digest of what the environment observes, to three decimals, and the return so far."""
        space = self.inner.observation_space
        flat = gym.spaces.flatten(space, self._seen) if space.is_np_flattenable else self._picture().pixels
        return [digest_of(np.round(np.asarray(flat, float), 3) + 0.0), round(self._return, 3)]

    def sample_action(self, rng: random.Random) -> str:
        """A random one; each bin is as likely as the others."""
        if hasattr(self, "_bins"):
            return f"act({', '.join(str(rng.randrange(len(values))) for values in self._bins.values())})"
        return super().sample_action(rng)

    def close(self) -> None:
        """Close the environment and what it renders with."""
        self.inner.close()

    def _chosen(self, action: Call) -> Any:
        if not hasattr(self, "_bins"):
            return self._values[action.verb]
        space: Any = self.inner.action_space
        args: Mapping[str, Any] = action.args
        most = len(next(iter(self._bins.values()))) - 1
        wrong = [f"{name}={index}" for name, index in args.items() if not 0 <= index <= most]
        if wrong:
            raise ActionError(f"each number must be 0 to {most}, got {', '.join(wrong)}")
        flat = [self._bins[name][index] for name, index in args.items()]
        return np.array(flat, space.dtype).reshape(space.shape)

    def _reached(self, info: Mapping[str, Any]) -> bool:
        """Whether a key of `info` says that the goal is reached."""
        if isinstance(self.success, (int, float)):
            return False
        keys = ("success", "is_success") if self.success is None else (self.success,)
        return any(bool(info.get(key)) for key in keys)

    def _ended(self, terminated: bool, truncated: bool, info: Mapping[str, Any]) -> Cause | None:
        """A goal that is reached ends the task; else the two endings stay what the environment calls them."""
        last = terminated or truncated or self._turn + 1 >= self.max_turns
        if isinstance(self.success, (int, float)):
            won = last and self._return >= self.success
        else:
            won = (terminated and self.success == "terminated") or self._reached(info)
        if won:
            return Cause.GOAL
        if terminated or (truncated and self.max_turns == 1):
            return Cause.FAILED
        return Cause.HORIZON if truncated else None

    def _picture(self) -> Image:
        try:
            pixels: Any = self.inner.render()
        except gym.error.DependencyNotInstalled as error:
            raise ConfigError(f"{self.inner.spec.id} cannot be drawn: {error}; {FIXES['gymnasium']}") from error  # type: ignore[union-attr]
        if not isinstance(pixels, np.ndarray):
            raise ConfigError(f"render() must return a picture, H x W x 3 of uint8, got {type(pixels).__name__}")
        if self.size is None or max(pixels.shape[:2]) == self.size:
            return Image(np.ascontiguousarray(pixels))
        from PIL import Image as Pillow

        scale = self.size / max(pixels.shape[:2])
        height, width = (max(1, round(extent * scale)) for extent in pixels.shape[:2])
        return Image(np.asarray(Pillow.fromarray(pixels).resize((width, height), Pillow.Resampling.BOX)))


def find(id: str) -> gym.envs.registration.EnvSpec:
    """The registration of an environment; gymnasium-robotics and metaworld are imported for those they add."""
    if ":" in id:
        module, name = id.split(":", 1)
        raise ConfigError(f"env must be a registered id, got {id!r}: write {module}:saccade/Gym-v0 with env={name!r}")
    for package in (None, "gymnasium_robotics", "metaworld"):
        if package and not importlib.util.find_spec(package):
            continue
        if package:
            _choose_renderer()
            try:
                importlib.import_module(package)
            except Exception as error:
                raise ConfigError(f"{package} cannot be imported ({error}): {FIXES[package]}") from error
        with suppress(gym.error.Error):
            return gym.spec(id)
    others = [str(each) for each in gym.registry if not str(each).startswith("saccade/")]
    known: list[str] = difflib.get_close_matches(id, others, n=5)
    raise ConfigError(
        f"unknown Gymnasium environment {id!r}; {near(id, known, 'like it')}. Those of gymnasium-robotics and "
        "metaworld need the package: saccade[robotics] or saccade[metaworld]"
    )


def _make(spec: gym.envs.registration.EnvSpec, options: Mapping[str, Any]) -> gym.Env[Any, Any]:
    _choose_renderer()
    package = str(spec.entry_point).partition(".")[0].partition(":")[0]
    try:
        inner = gym.make(spec, render_mode="rgb_array", disable_env_checker=True, **options)
    except Exception as error:  # missing packages, wrong versions and unknown options: each environment has its own
        fix = f"; {FIXES[package]}" if package in FIXES else ""
        raise ConfigError(f"{spec.id} cannot be made ({type(error).__name__}: {error}){fix}") from error
    if inner.render_mode != "rgb_array":
        raise ConfigError(f"{spec.id} cannot render rgb_array, only {inner.metadata.get('render_modes')}")
    return inner


def _choose_renderer() -> None:
    """MuJoCo reads the variable once, at its import; whoever does not use MuJoCo needs no OpenGL."""
    from saccade.envs.embodied.observe import choose_renderer

    if sys.platform.startswith("linux") and not os.environ.get("MUJOCO_GL"):
        with suppress(ConfigError):
            os.environ["MUJOCO_GL"] = choose_renderer()


def _meanings(inner: gym.Env[Any, Any], count: int) -> tuple[str, ...]:
    """What the environment calls its actions, as Atari's do, or numbers."""
    known: list[str] = getattr(inner.unwrapped, "get_action_meanings", lambda: [])()
    return tuple(name.lower() for name in known) or tuple(f"action_{index}" for index in range(count))


def _discrete(space: Any, names: Sequence[str]) -> dict[str, int]:
    """Name -> action."""
    _check_names(names, int(space.n), "actions")
    return {name: int(space.start) + index for index, name in enumerate(names)}


def _binned(space: Any, names: Sequence[str], bins: int) -> dict[str, list[float]]:
    """Name of a dimension -> the values of its bins."""
    low, high = (bound.ravel().astype(float) for bound in (space.low, space.high))
    names = names or [f"a{index}" for index in range(low.size)]
    _check_names(names, low.size, "dimensions")
    values = np.linspace(low, high, bins, axis=1)
    return dict(zip(names, values.tolist(), strict=True))


def _check_names(names: Sequence[str], count: int, what: str) -> None:
    if len(names) != count or len(set(names)) != count or not all(name.isidentifier() for name in names):
        raise ConfigError(f"actions must name the {count} {what}, each with a word of its own, got {list(names)}")


def _explain(bins: Mapping[str, Sequence[float]]) -> str:
    values = next(iter(bins.values()))
    if all(each == values for each in bins.values()):
        ends = f"0 ({values[0]:g}) to {len(values) - 1} ({values[-1]:g})"
    else:
        ends = f"0 (its least) to {len(values) - 1} (its most)"
    return f"Set each to a whole number from {ends}; {len(values) // 2} is the middle."
