"""A task, named completely: which environment, with which settings, from which split, at which seed."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import gymnasium as gym

from saccade.envs.errors import ConfigError, near

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class TaskSpec:
    """Everything that is needed to meet the same task again.

    Attributes:
        id: a registered id, such as `saccade/Shapes-v0`.
        seed: names one task; train and test draw from disjoint streams even at equal seeds.
        split: `train` or `test`.
        kwargs: settings of the environment, JSON values only.
    """

    id: str
    seed: int
    split: Split = "train"
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_split(self.split)
        _check_no_split(self.id, self.kwargs)
        if self.seed < 0:
            raise ConfigError(f"seed must be >= 0, got {self.seed}")

    @property
    def env_key(self) -> str:
        """Equal for tasks that one environment instance can serve in turn."""
        return json.dumps([self.id, self.split, dict(self.kwargs)], sort_keys=True)

    @property
    def key(self) -> str:
        """Equal for equal tasks: canonical JSON."""
        return json.dumps([self.id, self.split, dict(self.kwargs), self.seed], sort_keys=True)

    def make(self) -> gym.Env[Any, Any]:
        """Create the environment (not yet reset to the seed)."""
        return make(self.id, split=self.split, **self.kwargs)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"id": self.id, "seed": self.seed, "split": self.split, "kwargs": dict(self.kwargs)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskSpec:
        """The inverse of `to_json`."""
        return cls(data["id"], data["seed"], data["split"], data["kwargs"])


def check_split(split: str) -> None:
    """Raise `ConfigError` unless `split` is one of `SPLITS`."""
    if split not in SPLITS:
        raise ConfigError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")


def _check_no_split(id: str, kwargs: Mapping[str, Any]) -> None:
    if "split" in kwargs:
        raise ConfigError(
            "split is no setting of a task: training takes `train`, evaluation `test`; "
            f"remove split={kwargs['split']!r} from {id}"
        )


def make(id: str, **kwargs: Any) -> gym.Env[Any, Any]:
    """`gymnasium.make`, with an error that suggests the id or the setting that was probably meant."""
    check(id, kwargs)
    return gym.make(id, **kwargs)


def check(id: str, kwargs: Mapping[str, Any]) -> None:
    """Raise `ConfigError` unless the id is registered, its environment has these settings, and it needs no others."""
    made = class_of(id)
    allowed = settings_of(made)
    for name in kwargs:
        if name not in allowed:
            raise ConfigError(f"{id} has no setting {name!r}; {near(name, allowed, 'settings')}")
    given = {*kwargs, *gym.spec(id.rpartition(":")[2]).kwargs}
    for name in needed_by(made):
        if name not in given:
            raise ConfigError(f"{id} needs the setting {name!r}; write {id}?{name}=..., or give it by keyword")


def prefetch(tasks: Iterable[TaskSpec]) -> int:
    """Let environments prepare the first pictures of tasks that are about to be met; how many were made."""
    by_env: dict[str, list[TaskSpec]] = {}
    for task in tasks:
        by_env.setdefault(task.env_key, []).append(task)
    made = 0
    for group in by_env.values():
        cls = class_of(group[0].id)
        if hasattr(cls, "prefetch"):
            seeds = dict.fromkeys(task.seed for task in group)
            made += cls.prefetch(seeds, group[0].split, **group[0].kwargs)
    return made


def class_of(id: str) -> Any:
    """The class or function behind an id, or behind `module:id`, which is imported for it.

    Raises:
        ConfigError: there is no such id or module.
    """
    module, colon, name = id.rpartition(":")
    if colon:
        import_module(module)
    try:
        entry = gym.spec(name).entry_point
    except gym.error.Error as error:
        known = [each for each in gym.registry if each.startswith("saccade/")]
        raise ConfigError(f"unknown environment id {id!r}; {near(name, known, 'registered')}") from error
    return gym.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry


def import_module(name: str) -> None:
    """Import a module of the user's, or say what is wrong with it."""
    try:
        importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f"cannot import the module {name!r}: {error}; is its folder on PYTHONPATH?") from error


def settings_of(cls: Any) -> list[str]:
    """The keyword arguments that an environment class takes, those of its bases included."""
    bases = [base for base in getattr(cls, "__mro__", [cls]) if "__init__" in vars(base) and base is not object]
    names: list[str] = []
    for base in bases:
        parameters = inspect.signature(base.__init__).parameters.values()
        names += [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in names]
    return names


def needed_by(cls: Any) -> list[str]:
    """The keyword arguments without which an environment class cannot be made."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]


@dataclass(frozen=True)
class TaskSource:
    """A stream of tasks: an environment and its settings, written `saccade/Shapes-v0?level=2&question=count`."""

    id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_no_split(self.id, self.kwargs)

    @classmethod
    def parse(cls, text: str) -> TaskSource:
        """Read `id?name=value&name=value`; values are JSON where they can be, else strings."""
        id, _, query = text.partition("?")
        kwargs: dict[str, Any] = {}
        for pair in query.split("&") if query else []:
            name, equals, value = pair.partition("=")
            if not name or not equals:
                raise ConfigError(f"settings are written id?name=value&name=value, got {pair!r} in {text!r}")
            try:
                kwargs[name] = json.loads(value)
            except json.JSONDecodeError:
                kwargs[name] = value
        return cls(id, kwargs)

    def __str__(self) -> str:
        plain = {name: value if isinstance(value, str) else json.dumps(value) for name, value in self.kwargs.items()}
        query = "&".join(f"{name}={value}" for name, value in plain.items())
        return f"{self.id}?{query}" if query else self.id

    def check(self) -> None:
        """Raise `ConfigError` unless the environment and its settings exist."""
        check(self.id, self.kwargs)

    def task(self, seed: int, split: Split = "train") -> TaskSpec:
        """The task of that seed."""
        return TaskSpec(self.id, seed, split, self.kwargs)
