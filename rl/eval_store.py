"""The episodes of an evaluation that may be interrupted: each is stored when it ends, and played once.

    with EvalStore.open("runs/eval", settings, resume=True) as store:
        jobs = [job for job in jobs if job.episode_id(SCOPE, "greedy") not in store.finished]
        runner.stream(jobs, lambda _, done: store.add(done, chat), SCOPE, seed, "greedy")

Episodes are named by label, task and sample, so that more tasks, tries or environments can be added to what is there.
What is held in memory is without pictures: an evaluation may be larger than that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from saccade.agents.chat import Chat
from saccade.agents.trajectory import Trajectory
from saccade.agents.usage import Usage
from saccade.envs.episode import RULES, Episode
from saccade.envs.errors import ConfigError
from saccade.envs.replay import ReplayStore
from saccade.envs.replay.files import write_atomically
from saccade.envs.wrappers import KEY as VIEW
from saccade.rl.notes import token_notes

SETTINGS, RESULTS, PHASE = "evaluation.json", "results.json", "eval"


@dataclass(frozen=True)
class Finished:
    """What an evaluation keeps of an episode: the episode without its observations, and its tokens."""

    episode: Episode
    usage: Usage


class EvalStore:
    """Finished episodes by id, in memory and, where there is a folder, on disk.

    Args:
        replay: where they are written; `None` for nowhere.
        view: the name of the view that they are played in, which a replay must know to execute them again.
    """

    def __init__(self, replay: ReplayStore | None, view: str = "full") -> None:
        self.replay = replay
        self._note = {} if view == "full" else {VIEW: view}
        self.finished: dict[str, Finished] = {}
        if replay is None:
            return
        for record in replay.records(phase=PHASE):
            usage = sum((Usage.from_json(turn) for turn in record.turns), Usage())
            self.finished[record.id] = Finished(record.episode(None), usage)

    @classmethod
    def open(cls, folder: str | None, run_id: str, settings: Mapping[str, Any], resume: bool) -> EvalStore:
        """Start an evaluation, or go on with one.

        Args:
            folder: where; `None` for memory only.
            run_id: of the replay.
            settings: JSON values that decide what an episode is; an evaluation goes on with equal ones only.
            resume: whether there may be one already. Its void episodes are dropped, to be played again.

        Raises:
            ConfigError: there is one and `resume` is off, or it has other settings.
        """
        if folder is None:
            if resume:
                raise ConfigError("--resume needs the folder of the evaluation that was interrupted: --store FOLDER")
            return cls(None)
        file = Path(folder) / SETTINGS
        if file.exists():
            if not resume:
                raise ConfigError(
                    f"{folder} holds an evaluation already: go on with it (--resume), or choose another one (--store)"
                )
            _check(file, settings)
        replay = ReplayStore.create(folder, run_id=run_id)
        write_atomically(file, [json.dumps(settings, indent=1).encode(), b"\n"])
        replay.drop(lambda record: record.phase == PHASE and not RULES[record.cause].in_baseline)
        return cls(replay, str(settings.get("view", "full")))

    def add(self, trajectory: Trajectory, chat: Chat | None) -> None:
        """Keep an episode that ended; `chat` spells its tokens, where they are ours."""
        episode = trajectory.episode
        if self._note:
            episode = replace(episode, info={**episode.info, **self._note})
        if self.replay is not None:
            notes = token_notes(trajectory, chat) if chat else [{} for _ in episode.steps]
            usage = [asdict(each) for each in trajectory.usage]
            turns = [note | tokens for note, tokens in zip(notes, usage, strict=True)]
            self.replay.add(episode, turns, phase=PHASE)
        total = sum(trajectory.usage, Usage())
        self.finished[episode.id] = Finished(episode.without_observations(), total)

    def close(self) -> None:
        """Close the files."""
        if self.replay is not None:
            self.replay.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check(file: Path, settings: Mapping[str, Any]) -> None:
    try:
        old = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the settings of the evaluation in {file}: {error}") from error
    for name, value in json.loads(json.dumps(settings)).items():
        if old.get(name) != value:
            raise ConfigError(
                f"the evaluation in {file.parent} was started with {name}={old.get(name)!r}, now it is {value!r}: "
                "go on with the old value, or choose another folder (--store)"
            )
