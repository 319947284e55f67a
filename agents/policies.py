"""Who answers a prompt: an engine, the environment's own demonstration, or chance.

All three go through the same runner, agent and ledger, so that a demonstration becomes exactly the tokens that a
sampled reply would have been, and every table can show a random agent beside a trained one.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol, TypeVar

import gymnasium as gym

from saccade.agents.actor import Conversation
from saccade.envs.episode import Demo
from saccade.envs.errors import ConfigError

R = TypeVar("R")
P = TypeVar("P")
C = TypeVar("C")
InWorld = Callable[[Callable[[], R]], Awaitable[R]]
"""Runs a function in the thread that owns the environment."""


class Policy(Protocol):
    """Answers prompts of one episode."""

    async def reply(self, session: Conversation[P, C], prompt: P, seed: int, key: str) -> C:
        """Answer one prompt."""


class EnginePolicy:
    """The model answers."""

    async def reply(self, session: Conversation[P, C], prompt: P, seed: int, key: str) -> C:
        """Sample from the agent's engine."""
        return await session.agent.draw(prompt, seed, key)


class DemoPolicy:
    """The environment's own solution answers; `captions` collects what it says of each picture."""

    def __init__(self, env: gym.Env[Any, Any], in_world: InWorld[Any]) -> None:
        self._env: Any = env.unwrapped
        self._in_world = in_world
        self._demo: Iterator[Demo] | None = None
        self.captions: list[str] = []

    async def reply(self, session: Conversation[P, C], prompt: P, seed: int, key: str) -> C:
        """Write the next demonstrated turn."""
        demo = await self._in_world(self._next)
        self.captions.append(session.agent.codec.encode_text(demo.caption, session.size))
        return session.script(demo.thought, demo.action, prompt)

    def _next(self) -> Demo:
        if self._demo is None:
            self._demo = self._env.demo()
        demo: Demo | None = next(self._demo, None)
        if demo is None:
            raise ConfigError(f"{type(self._env).__name__} has no demonstration for this state")
        return demo


class RandomPolicy:
    """A random well-formed action answers."""

    def __init__(self, env: gym.Env[Any, Any], in_world: InWorld[str]) -> None:
        self._env: Any = env.unwrapped
        self._in_world = in_world

    async def reply(self, session: Conversation[P, C], prompt: P, seed: int, key: str) -> C:
        """Write a random action."""
        action = await self._in_world(lambda: self._env.sample_action(random.Random(seed)))
        return session.script("", action, prompt)
