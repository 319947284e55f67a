"""Verification: play the recorded actions again, and compare everything that the world said.

    report = verify(store)
    print(report)
    assert report.ok

Texts, rewards, endings, state keys and causes must be equal; pictures too where the environment promises the same
pixels. A turn whose action never reached the world ends the comparison, and what a broken world did on its last turn
is not expected again. Only environments that are registered are made: a store cannot name code to import.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium as gym

from saccade.envs import turns, wrappers
from saccade.envs.episode import Cause, observation_to_json
from saccade.envs.errors import ConfigError, SaccadeError, near
from saccade.envs.observation import Part
from saccade.envs.replay.record import Record
from saccade.envs.replay.store import ReplayStore, libraries
from saccade.envs.task import TaskSpec

_OPEN_ENVIRONMENTS = 8
_WORLD_CAUSES = {Cause.GOAL, Cause.FAILED, Cause.GAVE_UP, Cause.HORIZON}
_SHOWN = 20


@dataclass(frozen=True)
class Mismatch:
    """One difference between what was recorded and what happened again.

    Attributes:
        episode: the episode's id.
        step: the turn; the number of steps stands for the final observation, `None` for the episode as a whole.
        what: `text`, `image`, `reward`, `terminated`, `state_key`, `cause`, `media`, `world`, ...
        recorded, replayed: the two values.
    """

    episode: str
    step: int | None
    what: str
    recorded: Any
    replayed: Any

    def __str__(self) -> str:
        place = f"episode {self.episode}" + ("" if self.step is None else f", step {self.step}")
        if self.what in ("media", "world"):  # there is nothing to compare: `replayed` says what went wrong
            return f"{place}: {self.what}: {self.replayed}"
        return f"{place}: {self.what}: recorded {_short(self.recorded)}, replayed {_short(self.replayed)}"


@dataclass
class VerifyReport:
    """What `verify` found.

    Attributes:
        episodes, steps: how many were played again.
        skipped: episodes that could not be, with the reason.
        mismatches: every difference, in order.
        damaged: lines of the store that cannot be read.
        changed: libraries whose version is not the recorded one: name -> (recorded, here).
    """

    episodes: int = 0
    steps: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    mismatches: list[Mismatch] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether everything that was played again came out as recorded, and every line could be read."""
        return not self.mismatches and not self.damaged

    def __str__(self) -> str:
        verdict = "identical" if self.ok else "NOT identical"
        lines = [f"{verdict}: {self.episodes} episodes, {self.steps} steps played again; {len(self.skipped)} skipped"]
        lines += [f"  {mismatch}" for mismatch in self.mismatches[:_SHOWN]]
        if len(self.mismatches) > _SHOWN:
            lines.append(f"  ... and {len(self.mismatches) - _SHOWN} more mismatches")
        if self.damaged:
            lines.append(f"  damaged lines: {', '.join(map(str, self.damaged[:_SHOWN]))}")
        lines += [f"  skipped {id}: {reason}" for id, reason in self.skipped[:_SHOWN]]
        if self.mismatches and self.changed:
            changes = ", ".join(f"{name} {was} -> {now}" for name, (was, now) in self.changed.items())
            lines.append(f"  other versions than recorded: {changes}")
        return "\n".join(lines)


def verify(
    store: ReplayStore,
    records: Iterable[Record] | None = None,
    progress: Callable[[int], None] | None = None,
) -> VerifyReport:
    """Play episodes again and compare.

    Args:
        store: where the episodes and their pictures are.
        records: which ones; all by default.
        progress: called after each episode with the number done.

    Returns:
        The report; nothing is raised for a mismatch, nor for a world that breaks.
    """
    here = libraries()
    before = store.meta.get("libraries", {})
    report = VerifyReport(
        changed={name: (was, here.get(name, "none")) for name, was in before.items() if here.get(name) != was}
    )
    worlds = _Worlds()
    media = _MediaCheck(store)
    try:
        for done, record in enumerate(store.records() if records is None else records, 1):
            replay = _Replay(record, report)
            try:
                replay.compare_media(media)
                replay.run(worlds)
            except Exception as error:  # a world that breaks, or cannot be made from its settings, is a finding
                replay.differs(None, "world", str(record.cause), f"{type(error).__name__}: {error}")
                worlds.drop(record.task)
            if progress is not None:
                progress(done)
    finally:
        worlds.close()
    report.damaged = sorted(store.damaged)
    return report


class _Replay:
    """One episode, played again."""

    def __init__(self, record: Record, report: VerifyReport) -> None:
        self.record = record
        self.report = report

    def differs(self, step: int | None, what: str, recorded: Any, replayed: Any) -> None:
        self.report.mismatches.append(Mismatch(self.record.id, step, what, recorded, replayed))

    def compare(self, step: int | None, what: str, recorded: Any, replayed: Any) -> None:
        if _json(recorded) != _json(replayed):
            self.differs(step, what, recorded, replayed)

    def compare_media(self, media: _MediaCheck) -> None:
        seen = [(step["index"], step["observation"]) for step in self.record.steps]
        for index, parts in [*seen, (len(seen), self.record.data["final"] or [])]:
            for part in parts:
                if damage := media.damage(part):
                    self.differs(index, "media", _digest(part), damage)

    def run(self, worlds: _Worlds) -> None:
        steps = self.record.steps
        if steps and steps[0]["index"] != 0:
            parent = self.record.data["parent"]
            self.report.skipped.append((self.record.id, f"it begins at step {steps[0]['index']} of {parent}"))
            return
        if not steps:
            self.report.skipped.append((self.record.id, f"it ended before its first step ({self.record.cause})"))
            return
        env = worlds.get(self.record.task)
        if view := self.record.data["info"].get(wrappers.KEY):
            env = wrappers.named_view(view)(env)
        if limit := self.record.data["info"].get(turns.KEY):
            env = turns.Turns(env, limit)
        _, info = env.reset(seed=self.record.task.seed)
        self.report.episodes += 1
        for step in steps:
            index = step["index"]
            self.compare_view(env, index, step["observation"])
            self.compare(index, "state_key", step["state_key"], info["state_key"])
            broke = self.record.cause is Cause.INFRA and step is steps[-1]
            if step["action"] is None or broke:
                return
            _, reward, terminated, truncated, info = env.step(step["action"])
            self.report.steps += 1
            for what, value in [
                ("reward", reward),
                ("terminated", terminated),
                ("truncated", truncated),
                ("reward_terms", info["reward_terms"]),
                ("action_error", info["action_error"]),
            ]:
                self.compare(index, what, step[what], value)
            if (terminated or truncated) and step is not steps[-1]:
                self.differs(index, "length", f"{len(steps)} steps", f"ended here ({info['cause']})")
                return
        if self.record.data["final"] is not None:
            self.compare_view(env, len(steps), self.record.data["final"])
        if self.record.cause in _WORLD_CAUSES and (steps[-1]["terminated"] or steps[-1]["truncated"]):
            self.compare(None, "cause", str(self.record.cause), info["cause"])
            self.compare(None, "success", self.record.success, info["success"])

    def compare_view(self, env: gym.Env[Any, Any], step: int, recorded: list[dict[str, Any]]) -> None:
        same_pixels = env.get_wrapper_attr("deterministic_pictures")
        replayed = observation_to_json(env.get_wrapper_attr("view"), _hash)
        kinds = [_kind(part) for part in recorded], [_kind(part) for part in replayed]
        if kinds[0] != kinds[1]:
            self.differs(step, "parts", *kinds)
            return
        for kind, old, new in zip(kinds[0], recorded, replayed, strict=True):
            if kind == "text" or same_pixels:
                self.compare(step, kind, old[kind], new[kind])


class _Worlds:
    """Environments by `TaskSpec.env_key`; the least recently used are closed."""

    def __init__(self) -> None:
        self.open: OrderedDict[str, gym.Env[Any, Any]] = OrderedDict()

    def get(self, task: TaskSpec) -> gym.Env[Any, Any]:
        bare = _bare(task)
        if bare.id not in gym.registry:
            known = [each for each in gym.registry if each.startswith("saccade/")]
            raise ConfigError(
                f"environment {task.id!r} is not registered; import the module that registers it first; "
                f"{near(bare.id, known, 'registered')}"
            )
        if bare.env_key not in self.open:
            self.open[bare.env_key] = bare.make()
        self.open.move_to_end(bare.env_key)
        if len(self.open) > _OPEN_ENVIRONMENTS:
            self.open.popitem(last=False)[1].close()
        return self.open[bare.env_key]

    def drop(self, task: TaskSpec) -> None:
        if env := self.open.pop(_bare(task).env_key, None):
            env.close()

    def close(self) -> None:
        while self.open:
            self.open.popitem()[1].close()


class _MediaCheck:
    """Whether the files of media hold what their names say; each is read once."""

    def __init__(self, store: ReplayStore) -> None:
        self.store = store
        self.known: dict[str, str] = {}

    def damage(self, part: Mapping[str, Any]) -> str:
        """What is wrong with the file of a part; empty for nothing."""
        digest = _digest(part)
        if digest is None:
            return ""
        if digest not in self.known:
            try:
                self.known[digest] = ""
                match _kind(part):
                    case "image":
                        self.store.image(digest)
                    case "video":
                        self.store.video(digest, part["fps"])
                    case "audio":
                        self.store.audio(digest, part["rate"])
            except SaccadeError as error:
                self.known[digest] = str(error)
        return self.known[digest]


def _bare(task: TaskSpec) -> TaskSpec:
    """The task without the module of its id: a store from a stranger must not choose which modules are imported."""
    return replace(task, id=task.id.rpartition(":")[2])


def _kind(part: Mapping[str, Any]) -> str:
    return next((kind for kind in ("text", "image", "video", "audio") if kind in part), "unknown")


def _digest(part: Mapping[str, Any]) -> str | None:
    kind = _kind(part)
    return None if kind in ("text", "unknown") else part[kind]


def _hash(part: Part) -> str:
    return part.digest  # type: ignore[union-attr]  # text is never hashed


def _json(value: Any) -> Any:
    """A value as the store would give it back: a float that is not finite is `None`."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _json(each) for key, each in value.items()}
    return value


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 120 else f"{shown[:80]} ... ({len(shown)} characters)"
