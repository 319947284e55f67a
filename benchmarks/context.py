"""What each context policy costs: tokens that a turn reads, and tokens that an episode is trained on.

    python benchmarks/context.py                                    # prints the table
    python benchmarks/context.py --write docs/training-recipes.md   # ... and puts it into the page

Demonstrated episodes are shown to an agent under each policy, so that all see the same worlds; the model is never
asked. `read` is the length of a turn's prompt, `new` the part of it that the last prompt and its reply do not begin
with: what an engine that keeps the keys and values of earlier turns has to compute. `learned from` is the length of an
episode's samples together, which is what the learner computes once more. Tokens are those of `saccade-tiny`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from page import markdown_table, write_section

from saccade.agents.agent import Agent, AgentConfig
from saccade.agents.context import ContextConfig
from saccade.agents.engines.base import scripted
from saccade.agents.engines.transformers import TransformersEngine
from saccade.agents.load import load_model
from saccade.envs.episode import Lesson
from saccade.envs.task import TaskSource

COLUMNS = ("environment", "turns", "context", "read, mean", "read, longest", "new", "samples", "learned from")
TEXT = """`python benchmarks/context.py --write docs/training-recipes.md` wrote this: means over {episodes} demonstrated
episodes of each environment, in tokens of `saccade-tiny`. `read` is a turn's prompt, `new` the part of it that the last
prompt and its reply do not begin with, `learned from` all samples of an episode together.

{table}"""


@dataclass(frozen=True)
class Arguments:
    """What to measure."""

    envs: tuple[str, ...] = ("saccade/ShopOrder-v0", "saccade/GoToRoom-v0")
    """Environments of several turns that can demonstrate."""
    episodes: int = 8
    """Of each."""
    budget: int = 800
    """Tokens of the budget."""
    write: str = ""
    """Markdown page that gets the table."""


def contexts(budget: int) -> dict[str, ContextConfig]:
    """The policies, by the name that the table shows."""
    return {
        "`all`": ContextConfig(),
        "`last-pictures`, 1": ContextConfig("last-pictures", pictures=1),
        "`last-pictures`, 3": ContextConfig("last-pictures", pictures=3),
        f"`budget`, {budget}": ContextConfig("budget", tokens=budget),
        "`memory`": ContextConfig("memory"),
    }


def cost(agent: Agent, env: Any, lessons: Sequence[Lesson]) -> list[float]:
    """Mean and longest prompt, new tokens of a turn, samples of an episode and their tokens."""
    read: list[int] = []
    new: list[int] = []
    samples: list[int] = []
    learned: list[int] = []
    for lesson in lessons:
        session = agent.begin(env)
        known: tuple[int, ...] = ()
        for observation, demo in lesson.turns:
            prompt = session.observe(observation)
            assert prompt is not None, "a demonstration does not fit"
            shared = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(known, prompt.ids, strict=False))
            read.append(len(prompt.ids))
            new.append(len(prompt.ids) - sum(1 for _ in shared))
            reply = scripted(session.write(demo.thought, demo.action), prompt)
            session.hear(reply)
            known = prompt.ids + reply.ids
        found = session.samples()
        samples.append(len(found))
        learned.append(sum(len(sample.ids) for sample in found))
    return [float(np.mean(read)), max(read), float(np.mean(new)), float(np.mean(samples)), float(np.mean(learned))]


def main(arguments: Arguments) -> None:
    backbone, chat = load_model("saccade-tiny")
    engine = TransformersEngine(backbone, chat.media)
    plain = AgentConfig(max_context=1_000_000)
    rows = []
    for text in arguments.envs:
        env: Any = TaskSource.parse(text).task(0).make()
        lessons = [lesson for _, lesson in env.unwrapped.lessons(range(arguments.episodes))]
        turns = float(np.mean([len(lesson.turns) for lesson in lessons]))
        for name, context in contexts(arguments.budget).items():
            agent = Agent(engine, chat, replace(plain, context=context))
            mean, longest, new, samples, learned = cost(agent, env, lessons)
            rows.append([f"`{text}`", f"{turns:.1f}", name, f"{mean:.0f}", f"{longest:.0f}", f"{new:.0f}"])
            rows[-1] += [f"{samples:.1f}", f"{learned:.0f}"]
        env.close()
    engine.close()
    table = markdown_table(list(COLUMNS), rows)
    print(table)
    if arguments.write:
        write_section(Path(arguments.write), "context", TEXT.format(episodes=arguments.episodes, table=table))


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
