"""The training loop: rollouts, credit, one optimiser step, new weights to the engine; everything stored.

    trainer = Trainer(TrainConfig(model="runs/tiny", envs=("saccade/Digits-v0",), steps=60))
    result = trainer.run()
    print(result.before, result.after)

Every random choice is a function of (seed, update), so a run that was killed and resumed ends with the same weights as
one that was not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from saccade.agents.agent import Agent, AgentConfig
from saccade.agents.backbone import Backbone
from saccade.agents.chat import Chat
from saccade.agents.engines.base import Engine
from saccade.agents.engines.transformers import TransformersEngine, TransformersEngineConfig
from saccade.agents.engines.vllm import VLLMEngine
from saccade.agents.evaluation import Evaluation, evaluate
from saccade.agents.load import load_model, model_place, save_agent_config, saved_agent_config
from saccade.agents.runner import Job, Runner
from saccade.agents.trajectory import Trajectory
from saccade.envs.episode import Ending, Episode
from saccade.envs.errors import ConfigError, WorldFailure
from saccade.envs.replay import ReplayStore
from saccade.envs.replay.files import write_atomically
from saccade.envs.task import TaskSource
from saccade.rl.advantages import make_estimator
from saccade.rl.appraisal import value_targets
from saccade.rl.batch import Row
from saccade.rl.checkpoint import CheckpointFolder
from saccade.rl.config import FREE_TO_CHANGE, TrainConfig
from saccade.rl.credit import assign, consult, rollouts_of
from saccade.rl.gae import Floats
from saccade.rl.learner import Learner
from saccade.rl.logs import MetricLog
from saccade.rl.notes import rollout_metrics, token_notes
from saccade.rl.probes import asked, image_effect, moved, serves

Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Result:
    """Held-out evaluations by source, before and after training."""

    before: dict[str, Evaluation]
    after: dict[str, Evaluation]
    folder: Path


class Trainer:
    """Trains one policy on some streams of tasks.

    Args:
        config: the run.
        resume: go on from the newest checkpoint of the run folder; without one, start.

    Raises:
        ConfigError: the run folder holds a run already and `resume` is off, or another run's checkpoint.
    """

    def __init__(self, config: TrainConfig, resume: bool = False) -> None:
        agent_config = config.agent or saved_agent_config(config.model)
        self.config = config = replace(config, agent=agent_config)
        self.folder = Path(config.run)
        for source in config.sources:
            source.check()
        self.estimator = make_estimator(config.advantage)
        self._check_folder(resume)
        backbone, self.chat = load_model(config.model)
        self.engine = make_engine(config, backbone, self.chat, agent_config)
        self.agent = Agent(self.engine, self.chat, agent_config)
        critic = config.learner.critic
        self.runner = Runner(self.agent, config.runner, show_final=critic.kind != "none")
        total = (config.steps - critic.pretrain) * config.learner.passes
        self.learner = Learner(backbone, self.chat, config.learner, total, agent_config.temperature)
        self.checkpoints = CheckpointFolder(self.folder / "checkpoints", config.run_id, config.keep_checkpoints)
        self.start = self._restore() if resume else 0
        self.folder.mkdir(parents=True, exist_ok=True)
        facts = config.to_json() | {"run_id": config.run_id}
        write_atomically(self.folder / "config.json", [json.dumps(facts, indent=1).encode()])

    def run(self, report: Report | None = None) -> Result:
        """Train to the end. `report` is called after each update with its metrics."""
        config = self.config
        with ExitStack() as stack:
            stack.callback(self.runner.close)
            stack.callback(self.engine.close)
            store = stack.enter_context(ReplayStore.create(self.folder / "replay", run_id=config.run_id))
            store.truncate_after(self.start - 1)
            log = stack.enter_context(MetricLog(self.folder, self.start))
            if self.start == 0:
                self._evaluate(store, 0, "before")
            for update in range(self.start, config.steps):
                metrics = self.update(update, store)
                done = update + 1
                if config.eval_every and done % config.eval_every == 0 and done < config.steps:
                    for name, found in self._evaluate(store, update, "eval").items():
                        if found.valid:
                            metrics[f"eval/success/{name}"] = found.success.mean
                        if found.thoughts:
                            metrics[f"eval/thought_accuracy/{name}"] = found.thoughts.mean
                log.write(update, metrics)
                if done % config.checkpoint_every == 0 or done == config.steps:
                    self.checkpoints.save(self.learner, done, config.to_json())
                if report:
                    report(update, metrics)
            after = self._evaluate(store, config.steps, "after")
            before = stored_evaluation(store, "before")
            self.save_model(self.folder / "model")
            if config.learner.lora.rank:
                self.save_adapter(self.folder / "adapter")
        return Result(before, after, self.folder)

    def update(self, update: int, store: ReplayStore | None = None) -> dict[str, float]:
        """One update: rollouts, credit, step, weights to the engine."""
        started = time.perf_counter()
        trajectories = self.runner.run(self.jobs(update), scope=f"train/{update:05d}", seed=self.config.seed)
        rolled = time.perf_counter()
        lost = [each.episode.failure for each in trajectories if each.episode.rule.ending is Ending.ABORTED]
        if len(lost) == len(trajectories):
            raise WorldFailure(f"all {len(lost)} episodes of update {update} were lost; the first one: {lost[0]}")
        config, learner = self.config, self.learner
        rollouts = rollouts_of(trajectories, config.rewards, config.gamma, config.token_gamma, config.gae_lambda)
        rollouts, consulted = consult(trajectories, rollouts, learner)
        targets = value_targets(rollouts, config.advantage) if learner.critic is not None else None
        advantages, rows, metrics = assign(trajectories, rollouts, self.estimator, targets)
        metrics |= consulted
        if rows:
            metrics["probe/image_effect"] = image_effect(learner, rows[:: max(len(rows) // 8, 1)])
            metrics |= learner.step(rows)
            metrics |= self._serve(rows)
        learned = time.perf_counter()
        if store is not None:
            self._store(store, trajectories, advantages, update, "train")
        tokens = sum(int(counts.sum()) for counts in rollouts.tokens)
        return (
            metrics
            | rollout_metrics(trajectories)
            | {
                "rows": float(len(rows)),
                "time/rollout": rolled - started,
                "time/learn": learned - rolled,
                "time/store": time.perf_counter() - learned,
                "tokens_per_second": tokens / max(learned - started, 1e-9),
            }
        )

    def jobs(self, update: int) -> list[Job]:
        """The episodes of one update: `tasks_per_step` tasks, shared out over the sources, `group_size` times each."""
        rng = np.random.default_rng([self.config.seed, update])
        sources = self.config.sources
        jobs = []
        for index in range(self.config.tasks_per_step):
            task = sources[(update * self.config.tasks_per_step + index) % len(sources)].task(int(rng.integers(2**31)))
            jobs += [Job(task, sample, f"{update:05d}|{task.key}") for sample in range(self.config.group_size)]
        return jobs

    def save_model(self, path: Path) -> None:
        """Export the current policy as a plain Hugging Face folder, which `from_pretrained` loads."""
        self.learner.backbone.save_pretrained(path)
        self.chat.save_pretrained(path)
        save_agent_config(path, self.agent.config)

    def save_adapter(self, path: Path) -> None:
        """Export the adapter alone as a peft folder, which `load_model` merges into its base."""
        adapter = self.learner.backbone.adapter
        if adapter is None:
            raise ConfigError("this run trains no adapter: set learner.lora.rank, or export the whole model")
        base = Path(self.config.model)
        adapter.save(path, str(base.resolve()) if base.exists() else self.config.model)
        save_agent_config(path, self.agent.config)

    def _check_folder(self, resume: bool) -> None:
        """Refuse to mix runs in one folder."""
        path = self.folder / "config.json"
        if path.exists() and not resume:
            raise ConfigError(
                f"{self.folder} holds a run already: resume it (--resume), or choose another folder (--run)"
            )
        if path.exists():
            old = json.loads(path.read_text())
            new = json.loads(json.dumps(self.config.to_json()))
            changed = [name for name in new if new[name] != old.get(name) and name not in FREE_TO_CHANGE]
            if changed:
                name = changed[0]
                raise ConfigError(
                    f"{self.folder} was started with {name}={old.get(name)!r}, now it is {new[name]!r}: resume with "
                    "the old value, or choose another folder"
                )

    def _restore(self) -> int:
        found = self.checkpoints.latest()
        if found is None:
            return 0
        found.restore(self.learner)
        self.engine.update(self.learner.weights(), self.learner.steps // self.config.learner.passes)
        return found.update

    def _evaluate(self, store: ReplayStore, update: int, phase: str) -> dict[str, Evaluation]:
        config = self.config
        out = {}
        for source in config.sources:
            found = evaluate(
                self.runner, source, config.eval_tasks, first_seed=config.eval_first, label=f"{phase}/{update}"
            )
            self._store(store, found, None, update, phase)
            out[str(source)] = Evaluation([trajectory.episode for trajectory in found])
        return out

    def _serve(self, rows: Sequence[Row]) -> dict[str, float]:
        """New weights to the engine; one that has its own is asked before and after."""
        engine, learner = self.engine, self.learner
        version = learner.steps // self.config.learner.passes
        if not isinstance(engine, VLLMEngine):
            engine.update(learner.weights(), version)
            return {}
        before = asked(self.agent, rows)
        engine.update(learner.weights(), version)
        after = asked(self.agent, rows)
        return {
            "probe/engine_gap": serves(learner, rows, after, engine.tolerance),
            "probe/engine_moved": moved(learner, rows, before, after, engine.tolerance),
        }

    def _store(
        self,
        store: ReplayStore,
        trajectories: Sequence[Trajectory],
        advantages: Sequence[Floats] | None,
        update: int,
        phase: str,
    ) -> None:
        for index, trajectory in enumerate(trajectories):
            given = advantages[index] if advantages is not None else None
            store.add(trajectory.episode, token_notes(trajectory, self.chat, given), update=update, phase=phase)


def make_engine(config: TrainConfig, backbone: Backbone, chat: Chat, agent: AgentConfig) -> Engine:
    """The engine of a run; transformers samples from the learner's own weights."""
    if config.engine == "vllm":
        return VLLMEngine(model_place(config.model), chat, config.vllm, agent.max_context, backbone.device)
    batching = TransformersEngineConfig(config.max_batch, config.deterministic, config.cache_bytes)
    return TransformersEngine(backbone, chat.media, batching)


def stored_evaluation(store: ReplayStore, phase: str) -> dict[str, Evaluation]:
    """The evaluation that a replay holds, by source."""
    episodes: dict[str, list[Episode]] = {}
    for record in store.records(phase=phase):
        episode = store.episode(record)
        episodes.setdefault(str(TaskSource(episode.task.id, episode.task.kwargs)), []).append(episode)
    return {name: Evaluation(found) for name, found in episodes.items()}
