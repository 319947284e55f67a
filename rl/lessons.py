"""Lessons into training rows: a demonstrated episode, and each caption as a question of its own.

A demonstration becomes exactly the tokens that a sampled reply would have been: the same agent, chat and ledger
write it.

    tutor = Tutor(agent)
    rows = [row for _, lesson in env.unwrapped.lessons(range(32)) for row in tutor.rows(env, lesson)]
    learner.imitate(rows)
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from saccade.agents.agent import Agent
from saccade.agents.engines.base import scripted
from saccade.agents.ledger import Ledger
from saccade.agents.trajectory import Sample
from saccade.envs.episode import Lesson
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation
from saccade.rl.batch import Row

CAPTION_REQUEST = "Describe the picture."


class Tutor:
    """Writes lessons as an agent would say them.

    Args:
        agent: whose way of reading and writing is taught; its engine is never asked.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def rows(self, env: gym.Env[Any, Any], lesson: Lesson, captions: int = 1_000) -> list[Row]:
        """A row for each sample of the episode, and the first captions that differ, at most `captions` of them.

        Raises:
            ConfigError: the lesson does not fit into the agent's context.
        """
        session = self.agent.begin(env)
        captioned: dict[str, Sample] = {}
        for observation, demo in lesson.turns:
            prompt = session.observe(observation)
            if prompt is None:
                raise ConfigError(
                    f"a lesson of {len(lesson.turns)} turns does not fit into {self.agent.config.max_context} tokens: "
                    "raise agent.max_context"
                )
            session.hear(scripted(session.write(demo.thought, demo.action), prompt))
            if demo.caption and observation.images and demo.caption not in captioned and len(captioned) < captions:
                text = self.agent.codec.encode_text(demo.caption, session.size)
                captioned[demo.caption] = self.caption(observation.images[-1], text)
        return [row_of(sample) for sample in (*session.samples(), *captioned.values())]

    def caption(self, image: Image, text: str) -> Sample:
        """A question about the whole picture, as a ledger."""
        chat = self.agent.chat
        ledger: Ledger = chat.open(CAPTION_REQUEST)
        chat.observe(ledger, Observation.of(image), turn=0)
        ledger.append_action(scripted(chat.reply(self.agent.format.write("", text)), ledger.prompt()), turn=0)
        return ledger.sample()


def row_of(sample: Sample) -> Row:
    """A sample whose tokens are all to be learned."""
    return Row(sample, np.ones(int(sample.action_mask.sum())))
