"""The agent of a model behind an API: it remembers an episode as messages, not as tokens.

    agent = MessageAgent(APIEngine("gpt-x", config), AgentConfig(max_reply_tokens=1024))
    trajectories = Runner(agent).run(jobs)

It reads and writes as every agent does (reply format, coordinates), and runs in the same runner. What it cannot give is
a ledger: its trajectories hold no samples, and nothing can be trained on them. World text travels as text; whether it
can forge a turn is up to the server's own template.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import gymnasium as gym

from saccade.agents.agent import AgentConfig, Manner
from saccade.agents.engines.api import APIEngine
from saccade.agents.engines.api_chat import Answer, Message, Messages, user_message
from saccade.agents.engines.base import SamplingParams, StopReason
from saccade.agents.formats import Reply
from saccade.agents.trajectory import Sample
from saccade.agents.usage import Usage
from saccade.envs.actions import ActionFormat
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Observation


class MessageAgent(Manner):
    """A chat server with a way of writing.

    Args:
        engine: draws replies.
        config: reading and writing; `max_context` counts tokens as the server does.
    """

    def __init__(self, engine: APIEngine, config: AgentConfig) -> None:
        super().__init__(config)
        if config.context.kind != "all":
            raise ConfigError(
                f"context.kind must be 'all' for a model behind an API, got {config.context.kind!r}: what its prompts "
                "show is counted in tokens that only the server has"
            )
        self.engine = engine

    def begin(self, env: gym.Env[Any, Any]) -> MessageSession:
        """Open a conversation for a new episode of `env`."""
        return MessageSession(self, env)

    async def draw(self, prompt: Messages, seed: int, key: str) -> Answer:
        """Let the server answer."""
        params = SamplingParams(self.config.max_reply_tokens, self.config.temperature)
        return await self.engine.generate(prompt, params, seed, key)

    def participant(self) -> AbstractContextManager[None]:
        """Held by each episode loop while it runs."""
        return self.engine.participant()


class MessageSession:
    """One episode in the eyes of such an agent.

    Attributes:
        messages: everything so far.
        turn: number of the next reply.
        size: width and height of the last picture seen; places in replies refer to it.
        raw: the last reply as text.
        usage: tokens of each reply so far, as the server counts them.
    """

    def __init__(self, agent: MessageAgent, env: gym.Env[Any, Any]) -> None:
        self.agent = agent
        self.system = agent.system_text(env)
        self.messages: list[Message] = [{"role": "system", "content": self.system}]
        self.turn = 0
        self._actions: ActionFormat = env.get_wrapper_attr("action_format")
        self.size = (1, 1)
        self.raw = ""
        self.usage: list[Usage] = []

    def observe(self, observation: Observation) -> Messages | None:
        """Append an observation and return all messages; `None`, and nothing appended, where no reply would fit.

        Tokens of what was not sent yet are unknown: what counts is the conversation up to the last reply.
        """
        config = self.agent.config
        if self.usage and self.usage[-1].total + config.max_reply_tokens > config.max_context:
            return None
        self.messages.append(user_message(observation))
        if observation.images:
            self.size = observation.images[-1].size
        return tuple(self.messages)

    def show_final(self, observation: Observation) -> bool:
        """Nobody values what an API model saw."""
        return False

    def hear(self, completion: Answer) -> Reply:
        """Append a reply exactly as it came, and read it: thought, and action in pixels."""
        self.messages.append({"role": "assistant", "content": completion.text})
        self.turn += 1
        self.usage.append(completion.usage)
        self.raw = completion.text
        return self.agent.read(self.raw, self._actions, self.size)

    def script(self, thought: str, action: str, prompt: Messages) -> Answer:
        """An answer that says this, in pixels; it costs nothing."""
        return Answer(self.agent.spell(thought, action, self._actions, self.size), StopReason.STOP)

    def samples(self) -> tuple[Sample, ...]:
        """None: the tokens are the server's."""
        return ()
