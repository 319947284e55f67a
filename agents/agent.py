"""The agent: observation -> prompt -> engine -> reply -> action; its context policy says what a prompt shows.

agent = Agent(engine, chat, AgentConfig())
session = agent.begin(env)
prompt = session.observe(env.get_wrapper_attr("view"))
reply = session.hear(await engine.generate(prompt, agent.params, seed, key))
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium as gym

from saccade.agents.chat import Chat
from saccade.agents.context import ContextConfig, Turn, View, make_context
from saccade.agents.coordinates import make_codec
from saccade.agents.engines.base import Completion, Engine, Prompt, SamplingParams, scripted
from saccade.agents.formats import TYPED, Reply, make_format
from saccade.agents.ledger import Kind, Ledger
from saccade.agents.trajectory import Sample, merge
from saccade.agents.usage import Usage
from saccade.envs.actions import ActionFormat
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
    """Longest prompt with its reply; where what the context shows leaves no room for one, the episode ends with cause
    `context`."""
    context: ContextConfig = field(default_factory=ContextConfig)
    """What of the past a prompt shows."""
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
        room = self.max_context - self.max_reply_tokens
        if self.context.tokens > room:
            raise ConfigError(
                f"context.tokens must be <= max_context - max_reply_tokens = {room}, got {self.context.tokens}: no "
                "prompt may be so long; lower it, or raise max_context"
            )

    @property
    def max_prompt(self) -> int:
        """Longest prompt in tokens: the context's budget, or what `max_context` leaves beside a reply."""
        return self.context.tokens or self.max_context - self.max_reply_tokens


class Manner:
    """How an agent reads and writes: what every agent shares, whatever its engine is given.

    Args:
        config: reading and writing.
    """

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.format = make_format(config.reply_format, config.actions_per_turn)
        self.codec = make_codec(config.coordinates)

    def enter(self, env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
        """The world as this agent acts in it: where a reply may hold several actions or none, in whole turns."""
        return Turns(env, self.config.actions_per_turn) if self.format.strict else env

    def system_text(self, env: gym.Env[Any, Any]) -> str:
        """What the system turn says."""
        instructions: str = env.get_wrapper_attr("instructions")
        if not self.config.explain:
            return instructions
        return "\n".join(line for line in (instructions, *self.helps(env.get_wrapper_attr("action_format"))) if line)

    def helps(self, actions: ActionFormat) -> list[str]:
        """What the system turn explains, in lines: actions, places, the form of a reply."""
        return self.format.explain(actions, self.codec.help)

    def read(self, raw: str, actions: ActionFormat, size: tuple[int, int]) -> Reply:
        """A reply taken apart, its places in pixels of a picture of `size`."""
        reply = self.format.read(raw, actions)
        said = [self.codec.decode_action(each, actions, size) for each in (reply.action, *reply.rest)]
        action = write_turn(said, reply.error) if self.format.strict else said[0]
        return Reply(self.codec.decode_text(reply.thought, size), action, reply.well_formed)

    def spell(self, thought: str, action: str, actions: ActionFormat, size: tuple[int, int]) -> str:
        """The reply that `read` would take apart into this thought and this action."""
        said = self.codec.encode_action(action, actions, size)
        return self.format.write(self.codec.encode_text(thought, size), said, actions)


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
        self.chat = chat.thinking(config.thinking)
        self.context = make_context(config.context)

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

    def begin(self, env: gym.Env[Any, Any]) -> Session:
        """Open a ledger for a new episode of `env`.

        Raises:
            ConfigError: replies hold thoughts, which the chat template would take out of earlier turns.
        """
        one_turn = env.has_wrapper_attr("max_turns") and env.get_wrapper_attr("max_turns") == 1
        if not one_turn and "</think>" in self.format.write("thought", "action"):
            self.chat.template.require_thoughts()
        return Session(self, env)

    def helps(self, actions: ActionFormat) -> list[str]:
        """What the system turn explains, the memory's block included."""
        return [*super().helps(actions), self.context.help]

    async def draw(self, prompt: Prompt, seed: int, key: str) -> Completion:
        """Let the engine answer."""
        return await self.engine.generate(prompt, self.params, seed, key)

    def participant(self) -> AbstractContextManager[None]:
        """Held by each episode loop while it runs."""
        return self.engine.participant()


class Session:
    """One episode in the eyes of an agent.

    Attributes:
        ledger: what the last prompt showed and what was answered, in tokens; everything so far, unless the context
            policy hides something.
        past: the turns so far, as the world showed them.
        size: width and height of the last picture seen; places in replies refer to it.
        raw: the last reply as text.
        usage: tokens of each reply so far.
    """

    def __init__(self, agent: Agent, env: gym.Env[Any, Any]) -> None:
        self.agent = agent
        self.system = agent.system_text(env)
        self.ledger: Ledger = agent.chat.open(self.system)
        self.past: list[Turn] = []
        self._earlier: list[Ledger] = []
        self._shown: tuple[Turn, ...] = ()  # the turns in the ledger
        self._observed = Observation(())
        self._view = View((), self._observed)
        self._actions: ActionFormat = env.get_wrapper_attr("action_format")
        self.size = (1, 1)
        self.raw = ""
        self.usage: list[Usage] = []

    @property
    def turn(self) -> int:
        """Number of the next reply."""
        return len(self.past)

    def observe(self, observation: Observation) -> Prompt | None:
        """Show an observation and return the prompt; `None`, and nothing changed, if it does not fit."""
        if not self._show(observation, self.agent.config.max_prompt):
            return None
        if observation.images:
            self.size = observation.images[-1].size
        return self.ledger.prompt()

    def show_final(self, observation: Observation) -> bool:
        """Show an observation that no reply follows, for its value; false, and nothing changed, if it does not fit.

        It may take the room that is kept for replies.
        """
        return self._show(observation, self.agent.config.max_context)

    def hear(self, completion: Completion) -> Reply:
        """Append a reply exactly as sampled, and read it: thought, and action in pixels."""
        self.ledger.append_action(completion, self.turn)
        self.usage.append(Usage(len(completion.prompt_ids), len(completion.ids)))
        self.raw = self.agent.chat.decode(completion.ids)
        shown = Turn(self.turn, self._view.now, completion.ids, self.raw)
        self._shown = (*self._view.past, shown)
        self.past.append(replace(shown, observation=self._observed))
        text, sound = self.agent.context.read(self.raw)
        reply = self.agent.read(text, self._actions, self.size)
        return replace(reply, well_formed=reply.well_formed and sound)

    def samples(self) -> tuple[Sample, ...]:
        """What there is to train on: one sample, several where what was shown of the past has changed, or none yet."""
        return merge([ledger.sample() for ledger in (*self._earlier, self.ledger)]) if self.turn else ()

    def write(self, thought: str, action: str) -> list[int]:
        """Encode a demonstrated turn as this agent would have sampled it, the stop token included."""
        text = self.agent.spell(thought, action, self._actions, self.size)
        said = self.agent.codec.encode_action(action, self._actions, self.size)
        return self.agent.chat.reply(self.agent.context.write(text, said))

    def script(self, thought: str, action: str, prompt: Prompt) -> Completion:
        """A completion that says this, in pixels."""
        return scripted(self.write(thought, action), prompt)

    def _show(self, observation: Observation, limit: int) -> bool:
        """Show an observation as the context policy wants it; false, and nothing changed, beyond `limit` tokens."""
        chat = self.agent.chat
        view = self.agent.context.choose(self.past, observation, self._size)
        ledger = self._ledger(view.past)
        if len(ledger.ids) + chat.cost(ledger, view.now) > limit:
            return False
        if ledger is not self.ledger:
            self._earlier.append(self.ledger)
            self.ledger = ledger
        chat.observe(ledger, view.now, self.turn)
        self._observed, self._view = observation, view
        return True

    def _size(self, view: View) -> int:
        """Tokens of the prompt that shows a view."""
        ledger = self._ledger(view.past)
        return len(ledger.ids) + self.agent.chat.cost(ledger, view.now)

    def _ledger(self, past: tuple[Turn, ...]) -> Ledger:
        """A ledger that holds these turns: the present one where it does, else a new one."""
        if past == self._shown:
            return self.ledger
        chat = self.agent.chat
        ledger = chat.open(self.system)
        for turn in past:
            chat.observe(ledger, turn.observation, turn.index)
            ledger.append(Kind.REPLY, turn.reply, turn.index)
        return ledger
