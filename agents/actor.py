"""What the runner asks of an agent: of one that remembers an episode as tokens, and of one that remembers messages.

P is what its engine is asked with, C what the engine answers: the runner hands both on without looking inside.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import gymnasium as gym

if TYPE_CHECKING:
    from saccade.agents.agent import AgentConfig
    from saccade.agents.coordinates import CoordinateCodec
    from saccade.agents.formats import Reply, ReplyFormat
    from saccade.agents.trajectory import Sample
    from saccade.agents.usage import Usage
    from saccade.envs.observation import Observation

P = TypeVar("P")
C = TypeVar("C")


class Actor(Protocol[P, C]):
    """An agent: an engine, and a manner of reading and writing."""

    config: AgentConfig
    format: ReplyFormat
    codec: CoordinateCodec

    def enter(self, env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
        """The world as this agent acts in it."""

    def begin(self, env: gym.Env[Any, Any]) -> Conversation[P, C]:
        """Open a new episode of `env`."""

    async def draw(self, prompt: P, seed: int, key: str) -> C:
        """Let the engine answer; `seed` names its random numbers, `key` its place among requests that wait.

        Raises:
            ContextFull: the engine takes no prompt of this length.
        """

    def participant(self) -> AbstractContextManager[None]:
        """Held by each episode loop while it runs: a deterministic engine waits for all of them."""


class Conversation(Protocol[P, C]):
    """One episode in the eyes of an agent.

    Attributes:
        system: what the system turn says.
        size: width and height of the last picture seen; places in replies refer to it.
        raw: the last reply as text.
        usage: tokens of each reply so far.
    """

    system: str
    size: tuple[int, int]
    raw: str
    usage: list[Usage]

    @property
    def agent(self) -> Actor[P, C]:
        """Whose episode it is."""

    @property
    def turn(self) -> int:
        """Number of the next reply."""

    def observe(self, observation: Observation) -> P | None:
        """Take an observation in and return the prompt; `None`, and nothing taken in, if it does not fit."""

    def show_final(self, observation: Observation) -> bool:
        """Take in an observation that no reply follows, for its value; false if it has none or does not fit."""

    def hear(self, completion: C) -> Reply:
        """Take a reply in as it was drawn, and read it: thought, and action in pixels."""

    def script(self, thought: str, action: str, prompt: P) -> C:
        """A reply that says this, in pixels, as the engine would have drawn it."""

    def samples(self) -> tuple[Sample, ...]:
        """What can be trained on; nothing where the tokens are not ours."""
