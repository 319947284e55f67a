"""The commands of `saccade`: what each is told, and what it does; one frozen dataclass a command."""

from __future__ import annotations

import dataclasses
import sys
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from saccade.agents.agent import AgentConfig
from saccade.agents.engines.api import APIEngineConfig
from saccade.agents.engines.vllm import VLLMEngineConfig
from saccade.envs.errors import ConfigError
from saccade.envs.task import Split, import_module
from saccade.rl.config import TrainConfig
from saccade.rl.display import make_console
from saccade.rl.tiny_start import GrowConfig

if TYPE_CHECKING:
    from saccade.envs.play import Game

CONSOLE = make_console()


def _read_weights(words: list[str]) -> dict[str, float]:
    pairs = [pair.partition("=") for pair in words[0].split(",")]
    try:
        return {name: float(value) for name, _, value in pairs}
    except ValueError as error:
        raise ValueError(f"rewards are written as task=1,brevity=0.1, got {words[0]!r}") from error


REWARD_WEIGHTS = tyro.constructors.PrimitiveConstructorSpec(
    nargs=1,
    metavar="NAME=WEIGHT,...",
    instance_from_str=_read_weights,
    is_instance=lambda weights: isinstance(weights, dict),
    str_from_instance=lambda weights: [",".join(f"{name}={weight}" for name, weight in weights.items())],
)


@dataclass(frozen=True)
class Envs:
    """List the registered environments, find some, or show one."""

    env: Annotated[str | None, tyro.conf.Positional] = None
    """An environment to show, written `saccade/Shapes-v0?level=2`, or a word to look for, such as `count`."""

    def run(self) -> int:
        """Print a table, or one environment's instructions, actions, settings and first observation."""
        from saccade.envs.catalogue import catalogue
        from saccade.envs.gui.miniwob_tasks import TASKS
        from saccade.envs.task import TaskSource, settings_of
        from saccade.rl.display import table

        if self.env is None or not set("/:") & set(self.env):
            found = catalogue(self.env or "")
            if not found:
                CONSOLE.print(f"No environment has {self.env!r} in its name or summary.", highlight=False, markup=False)
                return 2
            rows = [[each.id, each.family, each.summary] for each in found]
            if not self.env:
                rows.append(["saccade/MiniWoB-<task>-v0", "gui", f"{len(TASKS)} tasks: saccade envs MiniWoB"])
            columns = ["id", "family", "what to do"]
            CONSOLE.print(table("Environments", columns, rows, left=len(columns)))
            CONSOLE.print("saccade envs ID shows one; saccade envs WORD finds those with a word in them.")
            return 0
        env = TaskSource.parse(self.env).task(0).make()
        env.reset(seed=0)
        world: Any = env.unwrapped
        demo = next(world.demo(), None)
        for title, text in {
            "instructions": world.instructions,
            "actions": world.action_format.help,
            "settings": ", ".join(settings_of(type(world))),
            "turns": world.max_turns,
            "first observation": f"{world.view.text} {[image.size for image in world.view.images]}",
            "demonstration": f"{demo.thought} -> {demo.action}" if demo else "none",
        }.items():
            CONSOLE.print(f"[bold]{title}:[/] {escape_markup(str(text))}", highlight=False)
        env.close()
        return 0


@dataclass(frozen=True)
class Tiny(GrowConfig):
    """Warm-start a model on demonstrations: a new tiny one, from nothing downloaded, or a given one."""

    def run(self) -> int:
        """Grow, and say how far it came."""
        from saccade.rl.tiny_start import grow

        def report(step: int, metrics: dict[str, float]) -> None:
            success = {name.rsplit("/", 1)[-1]: round(v, 3) for name, v in metrics.items() if "success" in name}
            CONSOLE.print(f"step {step}: loss {metrics['sft/loss']:.3f}, sampled success {success}", highlight=False)

        grow(GrowConfig(**_fields(self, GrowConfig)), report)
        CONSOLE.print(
            f"The model is in {self.out}; train it with: saccade train --model {self.out} --envs ...", markup=False
        )
        return 0


@dataclass(frozen=True)
class Train(TrainConfig):
    """Train a policy by reinforcement learning on streams of tasks."""

    rewards: Annotated[Mapping[str, float], REWARD_WEIGHTS] = field(default_factory=lambda: {"task": 1.0})
    """Weights of the rewards `task`, `valid_action`, `format` and `brevity`, written `task=1,brevity=0.1`."""
    resume: bool = False
    """Go on from the newest checkpoint of the run folder."""

    def go(self) -> int:
        """Train, and print held-out success before and after."""
        from saccade.rl.display import ProgressDisplay, share, table
        from saccade.rl.trainer import Trainer

        config = TrainConfig(**_fields(self, TrainConfig))
        trainer = Trainer(config, self.resume)
        with ProgressDisplay(config.steps, config.run, trainer.start, CONSOLE) as display:
            result = trainer.run(display.report)
        rows = [
            [name, after.success, before.success, after.against(before), share(after.thoughts), share(before.thoughts)]
            for name, after in result.after.items()
            if (before := result.before.get(name))
        ]
        columns = ["environment", "after", "before", "paired", "right thoughts after", "before"]
        CONSOLE.print(table("Held-out success, 95 % intervals", columns, rows))
        CONSOLE.print(f"replay:      saccade replay {config.run}", markup=False)
        CONSOLE.print(f"tensorboard: tensorboard --logdir {config.run}", markup=False)
        return 0


@dataclass(frozen=True)
class Eval:
    """Evaluate a policy on held-out tasks."""

    envs: tuple[str, ...]
    """Environments, written `saccade/Shapes-v0?level=2`."""
    model: str | None = None
    """`saccade-tiny`, a checkpoint folder or a hub id; needed unless `policy` is `demo` or `random`."""
    policy: str = "engine"
    """`engine` samples from the model; `demo` follows the environment's solution; `random` acts by chance."""
    tasks: int = 128
    """Tasks of each environment."""
    samples: int = 1
    """Tries of each task where replies are sampled: with several, pass@k is estimated."""
    split: Split = "test"
    """`test` is held out from training."""
    greedy: bool = False
    """Only take the likeliest tokens; by default a model is evaluated greedy, and sampled at its own temperature."""
    temperature: float | None = None
    """Only sample at this temperature; 0 is greedy."""
    view: str = "full"
    """What is shown: `full`, `blank` (white pictures), `no-goal`, or `colour-only` (no shape words in the goal)."""
    blind: bool = False
    """The same as `--view blank`: what remains is what can be known without looking."""
    seed: int = 0
    """Of the sampling."""
    concurrency: int = 16
    """Episodes in flight."""
    engine: str = "transformers"
    """Who draws replies: `transformers`, bit for bit the same again, `vllm`, within 1e-4 of it in float32, or `api`,
    any server that speaks OpenAI's chat completions, where `model` is a name that it knows."""
    vllm: VLLMEngineConfig = field(default_factory=VLLMEngineConfig)
    """How vLLM runs, where it is the engine."""
    api: APIEngineConfig = field(default_factory=APIEngineConfig)
    """Which server, and how it is treated, where `engine` is `api`."""
    agent: AgentConfig | None = None
    """How the agent reads and writes; by default as its model folder says (`saccade.json`)."""
    store: str | None = None
    """Folder for a replay of all episodes, each written when it ends, and for `results.json`."""
    resume: bool = False
    """Go on with the evaluation in `store`: what was played there counts; what a failure had voided is played again."""
    json: str | None = None
    """File for the results as JSON."""

    def run(self) -> int:
        """Run the tasks and print success with intervals."""
        from saccade.rl.evaluate import evaluate_command

        return evaluate_command(self, CONSOLE)


@dataclass(frozen=True)
class Card:
    """Score a model on held-out tasks, and what its scores rest on: its score card, as JSON and Markdown."""

    model: Annotated[str, tyro.conf.Positional]
    """`saccade-tiny`, a checkpoint folder or a hub id."""
    envs: tuple[str, ...]
    """Environments, written `saccade/Shapes-v0?level=2`."""
    tasks: int = 256
    """Held-out tasks of each environment."""
    seed: int = 0
    """Of the sampling."""
    concurrency: int = 16
    """Episodes in flight; replies keep their random numbers, whatever it is."""
    out: str = "card"
    """Where to write, without an ending: `card` becomes `card.json` and `card.md`."""
    name: str = ""
    """What the card calls the model; by default its hub id, or the last part of its path."""

    def run(self) -> int:
        """Score, print the table and write both files."""
        from saccade.rl.card import card_command

        return card_command(self, CONSOLE)


@dataclass(frozen=True)
class Play:
    """Play an environment yourself, in a browser or in the terminal; the episodes are recorded."""

    env: Annotated[str, tyro.conf.Positional]
    """An environment, written `saccade/Shapes-v0?level=2`."""
    seed: int = 0
    """Of the first task; the next one has the next seed."""
    split: Split = "train"
    """`test` is held out from training."""
    out: str = "runs/play"
    """Folder for the replay; episodes are added to those that were played there before."""
    episodes: int | None = None
    """Stop after so many; by default with Ctrl-C, in the terminal also with `:quit` or Ctrl-D."""
    terminal: bool = False
    """Play in the terminal: an action a line, the picture in `now.png` of the folder."""
    port: int = 8800
    """Of the page; 0 for any that is free."""
    open: bool = True
    """Open the page in the default browser."""

    def run(self) -> int:
        """Play, and say where the episodes are."""
        from saccade.envs.play import Game
        from saccade.envs.replay import ReplayStore
        from saccade.envs.task import TaskSource

        source = TaskSource.parse(self.env)
        source.check()
        folder = Path(self.out)
        with ReplayStore.create(folder / "replay", run_id="play") as store:

            def make() -> Game:
                return Game(source, store, seed=self.seed, split=self.split, episodes=self.episodes)

            with suppress(KeyboardInterrupt):
                self._in_terminal(make, folder) if self.terminal else self._in_window(make)
            if next(store.records(), None):
                CONSOLE.print(f"replay: saccade replay {folder}", highlight=False, markup=False, soft_wrap=True)
        return 0

    def _in_terminal(self, make: Callable[[], Game], folder: Path) -> None:
        from saccade.envs.play_terminal import play_in_terminal

        def tell(text: str) -> None:
            CONSOLE.print(text, highlight=False, markup=False, soft_wrap=True)

        with closing(make()) as game:
            play_in_terminal(game, folder, lambda: input("> "), tell)

    def _in_window(self, make: Callable[[], Game]) -> None:
        from saccade.envs.play_window import Window

        with Window(make, self.port) as window:
            CONSOLE.print(f"{window.url} (stop with Ctrl-C)", highlight=False, soft_wrap=True)
            if self.open and sys.stdout.isatty():
                webbrowser.open(window.url)
            window.serve()


@dataclass(frozen=True)
class Replay:
    """Open the episodes of a run in a browser, or execute them again and compare."""

    run_folder: Annotated[str, tyro.conf.Positional]
    """A run folder, or a replay store."""
    verify: bool = False
    """Execute the recorded actions in fresh environments and compare pictures, rewards and endings."""
    modules: tuple[str, ...] = ()
    """Modules that register environments of your own, for verification."""
    last: int | None = None
    """Only the last episodes; the page shows 64 unless told, verification takes all."""
    update: int | None = None
    """Only episodes of this update."""
    phase: str | None = None
    """Only `train`, `before`, `eval`, `after` or `play` episodes."""
    out: str | None = None
    """Where to write the page; by default replay.html in the run folder."""
    serve: int | None = None
    """Serve the page on this port instead, written anew at every reload: watch a run while it trains. Needs the
    `viewer` extra."""
    open: bool = True
    """Open the page in the default browser."""

    def run(self) -> int:
        """Write the page, or verify."""
        from rich.progress import Progress

        from saccade.envs.replay import ReplayStore, verify, write_html

        if self.last is not None and self.last < 1:
            raise ConfigError(f"--last must be >= 1, got {self.last}; leave it out for all (the page shows 64)")
        folder = Path(self.run_folder)
        store = ReplayStore.open(folder / "replay" if (folder / "replay").is_dir() else folder)
        if self.serve is not None:
            from saccade.envs.replay.serve import serve

            CONSOLE.print(f"http://127.0.0.1:{self.serve} (stop with Ctrl-C)", highlight=False)
            serve(store, self.serve, limit=self.last or 64, phase=self.phase, update=self.update)
            return 0
        records = list(store.records(phase=self.phase, update=self.update, last=self.last))
        if not records:
            raise ConfigError(f"{store.path} holds no such episode: check --update, --phase and --last")
        if self.verify:
            for module in self.modules:
                import_module(module)
            with Progress(console=CONSOLE) as bar:
                task = bar.add_task("verify", total=len(records))
                report = verify(store, records, progress=lambda done: bar.update(task, completed=done))
            CONSOLE.print(str(report), highlight=False, markup=False)
            return 0 if report.ok else 1
        page = write_html(store, self.out or folder / "replay.html", records, limit=self.last or 64)
        CONSOLE.print(f"replay: {page}", highlight=False, markup=False)
        if self.open and sys.stdout.isatty():
            webbrowser.open(page.resolve().as_uri())
        return 0


@dataclass(frozen=True)
class Doctor:
    """Check this machine, and optionally a model and an environment, before a long run."""

    model: str | None = None
    """A checkpoint to check: its template, whether sampler and learner agree, and whether the picture matters."""
    env: str | None = None
    """An environment to check, and to check the model on (`saccade/Shapes-v0` unless told)."""

    def run(self) -> int:
        """Print one line a check; exit status 1 if one failed."""
        from saccade.rl.doctor import examine

        return 0 if examine(self.model, self.env, CONSOLE) else 1


def _fields(command: Any, cls: type[Any]) -> dict[str, Any]:
    return {field.name: getattr(command, field.name) for field in dataclasses.fields(cls)}


def escape_markup(text: str) -> str:
    """Text that `rich` prints as it is."""
    from rich.markup import escape

    return escape(text)
