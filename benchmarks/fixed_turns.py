"""Episodes of fixed lengths, for measuring: a world of so many turns, and a trainer whose replies never stop early.

trainer = fixed_trainer(folder, turns=4, tokens=24, tasks=8, group=8)
metrics = trainer.update(0)          # 8 x 8 episodes of 4 replies of 24 tokens, a picture before each

The picture after a reply depends on the reply, as in a world that reacts: only the first is shared by a group.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
from learner_peer import AGAIN, FIRST, SYSTEM, mark, picture

import saccade.rl.trainer as training
from saccade.agents.engines.base import Completion, StopReason
from saccade.agents.engines.sampling import banned_mask
from saccade.agents.engines.transformers import TransformersEngine
from saccade.agents.load import saved_agent_config
from saccade.agents.runner import RunnerConfig
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause
from saccade.envs.observation import Image, Observation
from saccade.rl.config import TrainConfig
from saccade.rl.learner import LearnerConfig

MODEL = "saccade-tiny"
LEARNER = LearnerConfig(learning_rate=1e-5, kl_coef=0.0)


class Anything:
    """Whatever was said, unread."""

    help = ""

    def parse(self, text: str) -> str:
        """The text."""
        return text

    def sample(self, rng: random.Random, size: tuple[int, int]) -> str:
        """A digit."""
        return rng.choice("0123456789")


class FixedTurns(LanguageEnv):
    """So many turns with a picture each; more different characters in a reply are worth more."""

    instructions = SYSTEM
    action_format = Anything()

    def __init__(self, *, turns: int = 1, **settings):
        super().__init__(**{"max_turns": turns} | settings)

    def begin(self, rng):
        """The picture that the seed names."""
        self.key, self.left = str(int(rng.integers(2**31))), self.max_turns
        return Observation.of(Image(picture(self.key)), FIRST)

    def act(self, action):
        """Another picture, named by the reply."""
        self.key, self.left = action, self.left - 1
        ended = None if self.left else Cause.FAILED
        return Outcome(Observation.of(Image(picture(self.key)), AGAIN), reward=mark(action), ended=ended)

    def state(self):
        """What is shown."""
        return [self.key, self.left]


class SlowTurns(FixedTurns):
    """Episodes of 1 to `turns` turns, after each of which the world takes its time: `latency` seconds on average."""

    def __init__(self, *, turns: int = 8, latency: float = 0.05, **settings):
        super().__init__(turns=turns, **settings)
        self.latency = latency

    def begin(self, rng):
        """How long everything will take is drawn here: equal seeds, equal waits."""
        seen = super().begin(rng)
        self.left = int(rng.integers(1, self.max_turns + 1))
        self.draws = rng.standard_exponential(self.left + 1).tolist()
        time.sleep(self.latency * self.draws[-1])
        return seen

    def act(self, action):
        """The next picture, later."""
        time.sleep(self.latency * self.draws[self.left - 1])
        return super().act(action)


gym.register("FixedTurns-v0", entry_point=FixedTurns)
gym.register("SlowTurns-v0", entry_point=SlowTurns)


class FixedLength(TransformersEngine):
    """Counts a reply as finished after `max_tokens`; its stop token is never drawn."""

    def _completion(self, tokens, logprobs, params, prompt_ids):
        versions = (self.version,) * len(tokens)
        return Completion(tuple(tokens), tuple(logprobs), versions, StopReason.STOP, prompt_ids)


def fixed_trainer(
    folder: str | Path,
    turns: int,
    tokens: int,
    tasks: int,
    group: int,
    model: str = MODEL,
    learner: LearnerConfig = LEARNER,
    steps: int = 1000,
) -> training.Trainer:
    """A trainer of GRPO whose episodes all have `turns` replies of `tokens` tokens."""
    agent = replace(saved_agent_config(model), reply_format="plain", explain=False, max_reply_tokens=tokens)
    config = TrainConfig(
        model=model,
        envs=(f"fixed_turns:FixedTurns-v0?turns={turns}",),
        run=str(folder),
        steps=steps,
        tasks_per_step=tasks,
        group_size=group,
        advantage="grpo",
        agent=agent,
        runner=RunnerConfig(concurrency=tasks * group),
        learner=learner,
    )
    training.TransformersEngine = FixedLength  # type: ignore[misc] - a setting that only a measurement wants
    trainer = training.Trainer(config)
    training.TransformersEngine = TransformersEngine  # type: ignore[misc]
    chat, device = trainer.chat, trainer.learner.backbone.device
    chat.banned = tuple(sorted({*chat.banned, chat.stop}))
    trainer.learner.banned = banned_mask(chat.banned, chat.vocabulary, device)
    return trainer


def close(trainer: training.Trainer) -> None:
    """End its threads."""
    trainer.runner.close()
    trainer.engine.close()
