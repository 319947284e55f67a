"""The agent: observation -> prompt -> engine -> reply -> action, with the ledger as its only memory.

agent = Agent(engine, chat, AgentConfig())
session = agent.begin(env)
prompt = session.observe(env.get_wrapper_attr("view"))
reply = session.hear(await engine.generate(prompt, agent.params, seed, key))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from saccade.agents.chat import Chat
from saccade.agents.coordinates import make_codec
from saccade.agents.engines.base import Completion, Engine, Prompt, SamplingParams
from saccade.agents.formats import TYPED, Reply, make_format
from saccade.agents.ledger import Ledger
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Observation
from saccade.envs.turns import MAX_ACTIONS, Turns, write_turn


@dataclass(frozen=True)
class AgentConfig:
    """How an agent reads and writes."""

    reply_format: str = "think-answer"
    """`think-answer`, `no-think`, `plain`, `tool-call` or `json`; docs/formats.md shows each."""
    actions_per_turn: int = 1
    """Most actions of a reply, done in order until one ends the episode or cannot be done; for the world each is a turn
    of its own."""
    coordinates: str = "pixels"
    """`pixels`, `thousand` or `location-tokens`: how the model writes places."""
    max_reply_tokens: int = 64
    """Longest reply; one that is cut ends the episode with cause `length`."""
    max_context: int = 4096
    """Longest ledger; an observation that would not leave room for a reply ends the episode with cause `context`."""
    temperature: float = 1.0
    """Sampling temperature; 0 is greedy."""
    thinking: str = "default"
    """`on` or `off` for chat templates that know `enable_thinking`; `default` leaves it to them."""
    explain: bool = True
    """Whether the system turn spells out actions, reply format and coordinates after the environment's instructions."""

    def __post_init__(self) -> None:
        if self.max_context <= self.max_reply_tokens:
            raise ConfigError(
                f"max_context must be larger than max_reply_tokens, got {self.max_context} <= {self.max_reply_tokens}"
            )
        if not 1 <= self.actions_per_turn <= MAX_ACTIONS:
            raise ConfigError(f"actions_per_turn must be from 1 to {MAX_ACTIONS}, got {self.actions_per_turn}")
        if self.reply_format in TYPED and self.coordinates == "location-tokens":
            raise ConfigError(
                f"reply_format {self.reply_format!r} writes places as numbers, and coordinates is 'location-tokens': "
                "use 'pixels' or 'thousand'"
            )


class Agent:
    """An engine with a chat template and a way of writing.

    Args:
        engine: draws replies.
        chat: builds tokens.
        config: reading and writing.
    """

    def __init__(self, engine: Engine, chat: Chat, config: AgentConfig) -> None:
        self.engine = engine
        self.chat = chat.thinking(config.thinking)
        self.config = config
        self.format = make_format(config.reply_format, config.actions_per_turn)
        self.codec = make_codec(config.coordinates)

    @property
    def params(self) -> SamplingParams:
        """The sampling parameters of this agent's requests."""
        return SamplingParams(
            max_tokens=self.config.max_reply_tokens,
            temperature=self.config.temperature,
            stop=(self.chat.stop,),
            banned=self.chat.banned,
            pattern=self.format.pattern,
        )

    def enter(self, env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
        """The world as this agent acts in it: where a reply may hold several actions or none, in whole turns."""
        return Turns(env, self.config.actions_per_turn) if self.format.strict else env

    def begin(self, env: gym.Env[Any, Any]) -> Session:
        """Open a ledger for a new episode of `env`.

        Raises:
            ConfigError: replies hold thoughts, which the chat template would take out of earlier turns.
        """
        one_turn = env.has_wrapper_attr("max_turns") and env.get_wrapper_attr("max_turns") == 1
        if not one_turn and "</think>" in self.format.write("thought", "action"):
            self.chat.template.require_thoughts()
        return Session(self, env)

    def system_text(self, env: gym.Env[Any, Any]) -> str:
        """What the system turn says."""
        instructions: str = env.get_wrapper_attr("instructions")
        if not self.config.explain:
            return instructions
        lines = [instructions, *self.format.explain(env.get_wrapper_attr("action_format"), self.codec.help)]
        return "\n".join(line for line in lines if line)


class Session:
    """One episode in the eyes of an agent.

    Attributes:
        ledger: everything so far, in tokens.
        turn: number of the next reply.
        size: width and height of the last picture seen; places in replies refer to it.
        raw: the last reply as text.
    """

    def __init__(self, agent: Agent, env: gym.Env[Any, Any]) -> None:
        self.agent = agent
        self.system = agent.system_text(env)
        self.ledger: Ledger = agent.chat.open(self.system)
        self.turn = 0
        self._actions = env.get_wrapper_attr("action_format")
        self.size = (1, 1)
        self.raw = ""

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
        self.raw = self.agent.chat.decode(completion.ids)
        reply, codec = self.agent.format.read(self.raw, self._actions), self.agent.codec
        actions = [codec.decode_action(each, self._actions, self.size) for each in (reply.action, *reply.rest)]
        action = write_turn(actions, reply.error) if self.agent.format.strict else actions[0]
        return Reply(codec.decode_text(reply.thought, self.size), action, reply.well_formed)

    def write(self, thought: str, action: str) -> list[int]:
        """Encode a demonstrated turn as this agent would have sampled it, the stop token included."""
        codec = self.agent.codec
        text = self.agent.format.write(
            codec.encode_text(thought, self.size), codec.encode_action(action, self._actions, self.size), self._actions
        )
        return self.agent.chat.reply(text)
