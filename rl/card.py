"""The score card of a model: what it scores on held-out tasks, and what those scores rest on.

    rows = score_card("runs/digits/model", ["saccade/Digits-v0"], tasks=256)
    rows[0].scores["greedy"]      # Interval(mean=0.93, low=0.9, high=0.96, count=256)
    write_card("card", "digits", rows, tasks=256, seed=0)    # card.json and card.md

A policy that needs its pictures falls to chance when they are blank; one that needs its goal falls when that is hidden;
one that needs only the colour of what is named does not fall when shapes are taken from the goal. Equal models, tasks,
seeds and concurrency give equal bytes on one machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from saccade.agents.agent import Agent
from saccade.agents.context import goal_of
from saccade.agents.evaluation import Evaluation, Interval
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.envs.errors import ConfigError
from saccade.envs.task import Split, TaskSource, TaskSpec
from saccade.envs.wrappers import named_view, names_shape
from saccade.rl.display import table
from saccade.rl.evaluate import at_temperature, make_agent

if TYPE_CHECKING:
    from saccade.rl.commands import Card

SPLIT: Split = "test"
CONDITIONS: Mapping[str, tuple[float, str]] = {
    "greedy": (0.0, "full"),
    "sampled": (1.0, "full"),
    "blind": (0.0, "blank"),
    "no goal": (0.0, "no-goal"),
    "colour only": (0.0, "colour-only"),
}
"""Name -> temperature and view. `greedy` comes first: it shows which goals name a shape."""
THOUGHTS = "right thoughts"
"""Share of right thoughts of the greedy replies, over turns with a demonstrated thought."""
COLUMNS = (*CONDITIONS, THOUGHTS)


@dataclass(frozen=True)
class CardRow:
    """The scores of one environment, by the names in `COLUMNS`; `None` where there is nothing to measure."""

    env: str
    scores: Mapping[str, Interval | None]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: shares with 95 % intervals and the number of tasks (or turns) they rest on."""
        scores = {name.replace(" ", "_"): score and score.to_json() for name, score in self.scores.items()}
        return {"env": self.env} | scores


def score_card(
    model: str,
    envs: Sequence[str],
    tasks: int = 256,
    seed: int = 0,
    concurrency: int = 16,
    progress: Callable[[], None] | None = None,
) -> list[CardRow]:
    """Evaluate a model on held-out tasks under every condition.

    Args:
        model: a checkpoint folder or hub id.
        envs: environments, written `saccade/Shapes-v0?level=2`.
        tasks: how many of each; `colour only` takes those whose goal names a shape.
        seed: of the sampling.
        concurrency: episodes in flight; no random number rests on it, but which replies are computed together does.
        progress: called after each condition of each environment.

    Raises:
        ConfigError: an unknown environment or setting, or no task that was not lost to infrastructure.
    """
    if tasks < 1:
        raise ConfigError(f"tasks must be >= 1, got {tasks}")
    sources = [TaskSource.parse(text) for text in envs]
    for source in sources:
        source.check()
    agent = make_agent(model)
    with ExitStack() as stack:
        stack.callback(agent.engine.close)
        runners = {name: _runner(agent, name, concurrency) for name in CONDITIONS}
        for runner in runners.values():
            stack.callback(runner.close)
        return [_row(source, runners, tasks, seed, progress or (lambda: None)) for source in sources]


def markdown(rows: Sequence[CardRow], tasks: int) -> str:
    """The card as a Markdown table; a cell says `n` where it rests on another number than `tasks`."""
    lines = [["environment", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    lines += [[f"`{row.env}`", *_cells(row, tasks)] for row in rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def write_card(out: str | Path, name: str, rows: Sequence[CardRow], tasks: int, seed: int) -> list[Path]:
    """Write the card as JSON and as Markdown, beside each other.

    Args:
        out: where, with or without `.json` or `.md`.
        name: of the model, as the card calls it.
        rows: what `score_card` found.
        tasks: of each environment.
        seed: of the sampling.

    Returns:
        The two files.
    """
    path = Path(out)
    stem = path.name.removesuffix(".json").removesuffix(".md")
    facts = {"model": name, "split": SPLIT, "tasks": tasks, "seed": seed}
    text = f"Success of {name} on {tasks} tasks of the {SPLIT} split, 95 % intervals, seed {seed}:\n\n"
    written = {
        path.with_name(f"{stem}.json"): json.dumps(facts | {"rows": [row.to_json() for row in rows]}, indent=1) + "\n",
        path.with_name(f"{stem}.md"): text + markdown(rows, tasks),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for file, content in written.items():
            file.write_text(content, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"cannot write the card to {path}: {error}; choose another place with --out") from error
    return list(written)


def card_command(command: Card, console: Console) -> int:
    """Score, print the table and write both files."""
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("score card", total=len(command.envs) * len(CONDITIONS))
        rows = score_card(
            command.model, command.envs, command.tasks, command.seed, command.concurrency, lambda: bar.advance(task)
        )
    name = command.name or (Path(command.model).name if Path(command.model).exists() else command.model)
    title = f"Success of {name} on {command.tasks} tasks, {SPLIT} split, 95 % intervals"
    cells = [[row.env, *cell] for row in rows for cell in zip(COLUMNS, _cells(row, command.tasks), strict=True)]
    console.print(table(title, ["environment", "condition", "success"], cells))
    for file in write_card(command.out, name, rows, command.tasks, command.seed):
        console.print(f"card: {file}", highlight=False)
    return 0


def _runner(agent: Agent, condition: str, concurrency: int) -> Runner:
    temperature, view = CONDITIONS[condition]
    return Runner(at_temperature(agent, temperature), RunnerConfig(concurrency=concurrency), wrap=named_view(view))


def _row(
    source: TaskSource, runners: Mapping[str, Runner], tasks: int, seed: int, progress: Callable[[], None]
) -> CardRow:
    specs = [source.task(index, SPLIT) for index in range(tasks)]
    with_shape: list[TaskSpec] = []
    scores: dict[str, Interval | None] = {}
    thoughts: Interval | None = None
    for name, runner in runners.items():
        wanted = with_shape if name == "colour only" else specs
        done = runner.run([Job(spec) for spec in wanted], scope="eval", seed=seed, label=name) if wanted else []
        runner.close()  # or five sets of worlds would be open at once
        found = Evaluation([trajectory.episode for trajectory in done])
        scores[name] = found.success if wanted else None
        if name == "greedy":
            thoughts = found.thoughts
            goals = [(episode.task, goal_of(episode.steps[0].observation)) for episode in found.valid]
            with_shape = [task for task, goal in goals if goal and names_shape(goal.text)]
        progress()
    return CardRow(str(source), scores | {THOUGHTS: thoughts})


def _cells(row: CardRow, tasks: int) -> list[str]:
    return [_cell(row.scores.get(name), tasks) for name in COLUMNS]


def _cell(score: Interval | None, tasks: int) -> str:
    if score is None:
        return "-"
    return str(score) if score.count == tasks else f"{score}, n = {score.count}"
