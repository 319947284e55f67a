"""`Game`: an environment that a person plays, recorded in a replay store.

    with ReplayStore.create("runs/play/replay", run_id="play") as store:
        game = Game(TaskSource.parse("saccade/Shapes-v0"), store)
        game.demo()         # what the demonstration would do next
        game.act("2")       # the episode ends, and is in the store
        game.view()         # all that there is to show, as JSON values
        game.close()

`play_terminal` and `play_window` show one. Make, use and close a game in one thread: some worlds are bound to theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from saccade.envs.actions import ActionFormat, ActionSet, Verb
from saccade.envs.episode import Demo
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Audio, Image, Observation, Text, Video
from saccade.envs.replay.media import data_uri
from saccade.envs.replay.recorder import RecordEpisodes
from saccade.envs.replay.store import ReplayStore
from saccade.envs.task import Split, TaskSource

KEYS = (
    *("Enter", "Tab", "Shift+Tab", "Escape", "Space", "Backspace", "Delete", "Home", "End", "PageUp", "PageDown"),
    *("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Control+a", "Control+c", "Control+v", "Control+x"),
)
"""Keys that are pressed in a world which takes any."""


@dataclass(frozen=True)
class Hand:
    """What mouse and keyboard mean in an environment: names of verbs, empty where it has none.

    Attributes:
        click: takes a pixel.
        type: takes a text.
        press: takes one of `keys`.
        keys: keys and chords, such as `Enter` and `Control+a`.
    """

    click: str = ""
    type: str = ""
    press: str = ""
    keys: tuple[str, ...] = ()

    @classmethod
    def of(cls, actions: ActionFormat) -> Hand:
        """The hand of an action set; any other format of actions has none."""
        if not isinstance(actions, ActionSet):
            return cls()
        verbs = actions.verbs
        click = _first(verbs.values(), "x", "y")
        type = _first((verbs[name] for name in ("keyboard_type", "type") if name in verbs), "str")
        press = _first((verbs[name] for name in ("keyboard_press", "press") if name in verbs), "str")
        keys = next(iter(verbs[press].params.values())).choices or KEYS if press else ()
        return cls(click, type, press, keys)


@dataclass(frozen=True)
class Move:
    """One turn that was played: the action, its reward, and what was wrong with it."""

    action: str
    reward: float
    error: str | None


@dataclass(frozen=True)
class End:
    """How an episode ended; `failure` is the message of a world that broke."""

    success: bool
    cause: str
    failure: str | None


class Game:
    """An environment that is played by hand, task after task; each episode that is played to its end is stored.

    Args:
        source: the environment and its settings.
        store: where the episodes go, in phase `play`.
        seed: of the first task; the next one has the next seed.
        split: `train` or `test`.
        episodes: how many are played to their end; any number by default.

    Attributes:
        moves: the turns of this episode.
        end: how it ended; `None` while it goes on.
        played: episodes that were played to their end.
    """

    def __init__(
        self,
        source: TaskSource,
        store: ReplayStore,
        *,
        seed: int = 0,
        split: Split = "train",
        episodes: int | None = None,
    ) -> None:
        if episodes is not None and episodes < 1:
            raise ConfigError(f"episodes must be >= 1, got {episodes}")
        self._source = source
        self._split = split
        self._seed = seed - 1
        self._episodes = episodes
        self._env = RecordEpisodes(source.task(seed, split).make(), store)
        self._world: Any = self._env.unwrapped
        self.moves: list[Move] = []
        self.end: End | None = None
        self.played = 0
        try:
            self.new()
        except BaseException:  # nobody else has it to close
            self.close()
            raise

    @property
    def instructions(self) -> str:
        """What the environment asks for in every task."""
        return str(self._world.instructions)

    @property
    def help(self) -> str:
        """What can be done."""
        return str(self._world.action_format.help)

    @property
    def observation(self) -> Observation:
        """What there is to see now, as an agent sees it."""
        seen: Observation = self._env.get_wrapper_attr("view")
        return seen

    @property
    def done(self) -> bool:
        """Whether all episodes were played."""
        return self.played == self._episodes

    @property
    def title(self) -> str:
        """The task, such as `saccade/Shapes-v0?level=2, task 3 of train`."""
        return f"{self._source}, task {self._seed} of {self._split}"

    @property
    def status(self) -> str:
        """How far the episode is."""
        total = sum(move.reward for move in self.moves)
        turn = f"turn {len(self.moves)} of {self._world.max_turns}, return {total:g}"
        if self.end is None:
            return turn
        return f"{'success' if self.end.success else 'no success'} ({self.end.failure or self.end.cause}), {turn}"

    def new(self) -> None:
        """Begin the next task; an episode that is not over is given up, and not stored."""
        if self.done:
            return
        self.end = End(False, "not begun", None)  # should the world break now
        self.moves = []
        self._seed += 1
        self._env.reset(seed=self._seed)
        self._goal = next((part.text for part in self.observation.parts if isinstance(part, Text)), "")
        self.end = None

    def act(self, action: str) -> None:
        """Take a turn; nothing happens once the episode is over."""
        if self.end is not None:
            return
        _, reward, terminated, truncated, info = self._env.step(action)
        self.moves.append(Move(action, reward, info["action_error"]))
        if terminated or truncated:
            self.played += 1
            self.end = End(info["success"], info["cause"] or "horizon", info.get("failure_message"))

    def demo(self) -> Demo | None:
        """What the demonstration would do next; `None` where there is none, or where the episode is over."""
        return None if self.end else next(self._world.demo(), None)

    def view(self) -> dict[str, Any]:
        """All that there is to show, as JSON values; media as data URIs."""
        return {
            "title": self.title,
            "status": self.status,
            "instructions": self.instructions,
            "goal": self._goal,
            "help": self.help,
            "hand": asdict(Hand.of(self._world.action_format)),
            "parts": [_shown(part) for part in self.observation.parts],
            "moves": [asdict(move) for move in self.moves],
            "end": asdict(self.end) if self.end else None,
            "done": self.done,
        }

    def close(self) -> None:
        """Close the environment; an episode that is not over is not stored."""
        self._env.close()


def _first(verbs: Iterable[Verb], *kinds: str) -> str:
    """The first verb whose required parameters are of exactly these kinds; an empty string if there is none."""
    for each in verbs:
        if tuple(param.kind for param in each.params.values() if param.required) == kinds:
            return each.name
    return ""


def _shown(part: Text | Image | Video | Audio) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    return {"sound" if isinstance(part, Audio) else "picture": data_uri(part)}
