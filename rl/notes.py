"""What is told of rollouts: token notes for the replay, and the metrics of a batch of episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from saccade.agents.chat import Chat
from saccade.agents.thoughts import judged
from saccade.agents.trajectory import Trajectory
from saccade.rl.gae import Floats


def token_notes(trajectory: Trajectory, chat: Chat, advantages: Floats | None = None) -> list[dict[str, Any]]:
    """What the replay shows of each turn's tokens."""
    notes: list[dict[str, Any]] = []
    start = 0
    lengths = trajectory.prompt_tokens()
    for turn, count in enumerate(trajectory.tokens_per_turn()):
        note: dict[str, Any] = {}
        for number, sample in enumerate(trajectory.samples):
            here = sample.turns == turn
            if here.any():
                note = {
                    "tokens": chat.pieces(sample.ids[here].tolist()),
                    "logprobs": sample.logprobs[here].tolist(),
                    "versions": sample.versions[here].tolist(),
                }
                if len(trajectory.samples) > 1:
                    note |= {"sample": number, "prompt_tokens": int(lengths[turn])}
        if advantages is not None and note:
            note["advantages"] = advantages[start : start + int(count)].tolist()
        start += int(count)
        notes.append(note)
    return notes


def rollout_metrics(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    """How episodes ended; of those that were not lost, return, success, lengths, malformed replies, right thoughts."""
    causes = Counter(trajectory.episode.cause for trajectory in trajectories)
    metrics = {f"ended/{cause}": count / len(trajectories) for cause, count in causes.items()}
    trajectories = [trajectory for trajectory in trajectories if trajectory.episode.rule.in_baseline]
    valid = [trajectory.episode for trajectory in trajectories]
    if not valid:
        return metrics
    steps = [step for episode in valid for step in episode.steps]
    thoughts = judged(valid)
    by_env: dict[str, list[bool]] = {}
    for episode in valid:
        by_env.setdefault(episode.task.id, []).append(episode.success)
    return (
        metrics
        | {f"success/{name}": float(np.mean(found)) for name, found in by_env.items()}
        | ({"thought/accuracy": float(np.mean(thoughts))} if thoughts else {})
        | {
            "return": float(np.mean([episode.total_reward for episode in valid])),
            "turns": float(np.mean([len(episode.steps) for episode in valid])),
            "reply_tokens": float(np.mean([t.tokens_per_turn().sum() for t in trajectories if t.samples])),
            "prompt_tokens": float(np.mean([count for t in trajectories for count in t.prompt_tokens()] or [0.0])),
            "samples": float(np.mean([sum(s.action_mask.any() for s in t.samples) for t in trajectories if t.samples])),
            "malformed_replies": 1.0 - float(np.mean([ok for t in trajectories for ok in t.well_formed])),
            "malformed_actions": float(np.mean([s.action is None or s.action_error is not None for s in steps])),
        }
    )
