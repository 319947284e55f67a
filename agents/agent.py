"""The agent: observation -> prompt -> engine -> reply -> action, with the ledger as its only memory.

agent = Agent(engine, chat, AgentConfig())
session = agent.begin(env)
prompt = session.observe(env.get_wrapper_attr("view"))
reply = session.hear(await engine.generate(prompt, agent.params, seed, key))
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from saccade.agents.chat import Chat
from saccade.agents.coordinates import make_codec
from saccade.agents.engines.base import Completion, Engine, Prompt, SamplingParams, scripted
from saccade.agents.formats import Reply, make_format
from saccade.agents.ledger import Ledger
from saccade.agents.trajectory import Sample
from saccade.agents.usage import Usage
from saccade.envs.actions import ActionFormat
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Observation


@dataclass(frozen=True)
class AgentConfig:
    """How an agent reads and writes."""

    reply_format: str = "think-answer"
    """`think-answer` or `plain`."""
    coordinates: str = "pixels"
    """`pixels`, `thousand` or `location-tokens`: how the model writes places."""
    max_reply_tokens: int = 64
    """Longest reply; one that is cut ends the episode with cause `length`."""
    max_context: int = 4096
    """Longest ledger; an observation that would not leave room for a reply ends the episode with cause `context`."""
    temperature: float = 1.0
    """Sampling temperature; 0 is greedy."""
    explain: bool = True
    """Whether the system turn spells out actions, reply format and coordinates after the environment's instructions."""

    def __post_init__(self) -> None:
        if self.max_context <= self.max_reply_tokens:
            raise ConfigError(
                f"max_context must be larger than max_reply_tokens, got {self.max_context} <= {self.max_reply_tokens}"
            )


class Manner:
    """How an agent reads and writes: what every agent shares, whatever its engine is given.

    Args:
        config: reading and writing.
    """

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.format = make_format(config.reply_format)
        self.codec = make_codec(config.coordinates)

    def system_text(self, env: gym.Env[Any, Any]) -> str:
        """What the system turn says."""
        instructions: str = env.get_wrapper_attr("instructions")
        if not self.config.explain:
            return instructions
        lines = [instructions, env.get_wrapper_attr("action_format").help, self.codec.help, self.format.help]
        return "\n".join(line for line in lines if line)

    def read(self, raw: str, actions: ActionFormat, size: tuple[int, int]) -> Reply:
        """A reply taken apart, its places in pixels of a picture of `size`."""
        reply = self.format.read(raw)
        return Reply(
            self.codec.decode_text(reply.thought, size),
            self.codec.decode_action(reply.action, actions, size),
            reply.well_formed,
        )

    def spell(self, thought: str, action: str, actions: ActionFormat, size: tuple[int, int]) -> str:
        """The reply that `read` would take apart into this thought and this action."""
        return self.format.write(self.codec.encode_text(thought, size), self.codec.encode_action(action, actions, size))


class Agent(Manner):
    """An engine with a chat template and a way of writing.

    Args:
        engine: draws replies.
        chat: builds tokens.
        config: reading and writing.
    """

    def __init__(self, engine: Engine, chat: Chat, config: AgentConfig) -> None:
        super().__init__(config)
        self.engine = engine
        self.chat = chat

    @property
    def params(self) -> SamplingParams:
        """The sampling parameters of this agent's requests."""
        return SamplingParams(
            max_tokens=self.config.max_reply_tokens,
            temperature=self.config.temperature,
            stop=(self.chat.stop,),
            banned=self.chat.banned,
        )

    def begin(self, env: gym.Env[Any, Any]) -> Session:
        """Open a ledger for a new episode of `env`."""
        return Session(self, env)

    async def draw(self, prompt: Prompt, seed: int, key: str) -> Completion:
        """Let the engine answer."""
        return await self.engine.generate(prompt, self.params, seed, key)

    def participant(self) -> AbstractContextManager[None]:
        """Held by each episode loop while it runs."""
        return self.engine.participant()


class Session:
    """One episode in the eyes of an agent.

    Attributes:
        ledger: everything so far, in tokens.
        turn: number of the next reply.
        size: width and height of the last picture seen; places in replies refer to it.
        raw: the last reply as text.
        usage: tokens of each reply so far.
    """

    def __init__(self, agent: Agent, env: gym.Env[Any, Any]) -> None:
        self.agent = agent
        self.system = agent.system_text(env)
        self.ledger: Ledger = agent.chat.open(self.system)
        self.turn = 0
        self._actions: ActionFormat = env.get_wrapper_attr("action_format")
        self.size = (1, 1)
        self.raw = ""
        self.usage: list[Usage] = []

    def observe(self, observation: Observation) -> Prompt | None:
        """Append an observation and return the prompt; `None`, and nothing appended, if it does not fit."""
        config, chat = self.agent.config, self.agent.chat
        room = config.max_context - config.max_reply_tokens - len(self.ledger.ids)
        if chat.cost(self.ledger, observation) > room:
            return None
        chat.observe(self.ledger, observation, self.turn)
        if observation.images:
            self.size = observation.images[-1].size
        return self.ledger.prompt()

    def show_final(self, observation: Observation) -> bool:
        """Append an observation that no reply follows, for its value; false, and nothing appended, if it does not fit.

        It may take the room that is kept for replies.
        """
        chat = self.agent.chat
        if len(self.ledger.ids) + chat.cost(self.ledger, observation) > self.agent.config.max_context:
            return False
        chat.observe(self.ledger, observation, self.turn)
        return True

    def hear(self, completion: Completion) -> Reply:
        """Append a reply exactly as sampled, and read it: thought, and action in pixels."""
        self.ledger.append_action(completion, self.turn)
        self.turn += 1
        self.usage.append(Usage(len(completion.prompt_ids), len(completion.ids)))
        self.raw = self.agent.chat.decode(completion.ids)
        return self.agent.read(self.raw, self._actions, self.size)

    def write(self, thought: str, action: str) -> list[int]:
        """Encode a demonstrated turn as this agent would have sampled it, the stop token included."""
        text = self.agent.spell(thought, action, self._actions, self.size)
        return [*self.agent.chat.encode(text), self.agent.chat.stop]

    def script(self, thought: str, action: str, prompt: Prompt) -> Completion:
        """A completion that says this, in pixels."""
        return scripted(self.write(thought, action), prompt)

    def samples(self) -> tuple[Sample, ...]:
        """The ledger as one training sample; none before the first reply."""
        return (self.ledger.sample(),) if self.turn else ()
