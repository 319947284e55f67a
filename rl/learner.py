"""The learner: rows in, new weights out. Forward, backward, optimiser, precision; nothing about episodes.

    learner = Learner(backbone, chat, LearnerConfig(learning_rate=2e-4))
    metrics = learner.step(rows)
    engine.update(learner.weights(), version)

Rules that scale-out needs hold from the first day: the weights of tokens are fixed over the whole batch before the
first backward pass, so the gradient does not depend on how rows are cut into micro-batches; a step whose gradient is
not finite is skipped and counted; weights leave as a stream of full named tensors.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from saccade.agents.backbone import Backbone, Encoded
from saccade.agents.chat import Chat
from saccade.agents.engines.sampling import banned_mask
from saccade.agents.media import Features
from saccade.envs.errors import ConfigError
from saccade.rl.batch import MicroBatch, Row, collate, cut, score
from saccade.rl.looks import Looks
from saccade.rl.losses import Clip, k3, make_loss, token_weights
from saccade.rl.optimizers import Optimizer, check_optimizer
from saccade.rl.ranks import Ranks


@dataclass(frozen=True)
class LearnerConfig:
    """How weights change."""

    learning_rate: float = 2e-4
    """Peak learning rate."""
    final_learning_rate: float = 0.1
    """Share of the peak that is left at the end; falls along a cosine."""
    warmup: int = 10
    """Steps until the peak is reached."""
    optimizer: str = "adamw"
    """`adamw`, or `muon` for learning from nothing."""
    betas: tuple[float, float] = (0.9, 0.99)
    """AdamW moments."""
    weight_decay: float = 0.0
    """AdamW weight decay."""
    max_grad_norm: float = 0.5
    """The gradient is scaled down to this norm."""
    passes: int = 1
    """Optimiser steps on the rollouts of an update; from the second on the policy has moved and the clip can bind."""
    loss: str = "clipped"
    """Policy loss: `clipped` (PPO) or `reinforce`."""
    clip: Clip = field(default_factory=Clip)
    """Bounds of the probability ratio."""
    kl_coef: float = 0.03
    """Weight of the k3 KL divergence to the start of training; 0 keeps no reference."""
    entropy_coef: float = 0.0
    """Weight of the entropy bonus."""
    aggregation: str = "token-mean"
    """How tokens are averaged: `token-mean` or `sequence-mean`."""
    micro_batch_tokens: int = 16384
    """Largest micro-batch in tokens, padding included; changes memory, never the gradient."""

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate must be > 0, got {self.learning_rate}")
        check_optimizer(self.optimizer)
        if self.passes < 1:
            raise ConfigError(f"passes must be >= 1, got {self.passes}")
        if self.kl_coef < 0 or self.entropy_coef < 0:
            raise ConfigError("kl_coef and entropy_coef must be >= 0")
        make_loss(self.loss)
        token_weights([1], self.aggregation)


class Learner:
    """Trains a backbone.

    Args:
        backbone: the model; it may be the engine's own.
        chat: gives banned tokens and media.
        config: how weights change.
        total_steps: length of the learning-rate schedule.
        temperature: of the sampler, whose distribution is the one that is trained.
        ranks: the processes that learn together. Each calls `step` or `imitate` with rows of its own, at least one;
            the gradient is that of all their rows in one batch, and their weights stay equal.
    """

    def __init__(
        self,
        backbone: Backbone,
        chat: Chat,
        config: LearnerConfig,
        total_steps: int,
        temperature: float = 1.0,
        ranks: Ranks | None = None,
    ) -> None:
        self.backbone = backbone
        self.chat = chat
        self.config = config
        self.total_steps = max(total_steps, 1)
        self.temperature = temperature
        self.ranks = ranks or Ranks()
        self.steps = 0
        self.skipped = 0
        self.loss = make_loss(config.loss)
        self.banned = banned_mask(chat.banned, backbone.vocabulary, backbone.device)
        self.parameters = dict(backbone.model.named_parameters())
        self.optimizer = Optimizer(config.optimizer, self.parameters, config.betas, config.weight_decay)
        self.reference = self._freeze(backbone) if config.kl_coef else None

    def step(self, rows: Sequence[Row]) -> dict[str, float]:
        """`passes` optimiser steps on all rows; returns the metrics of the last, the mismatch of the first.

        Args:
            rows: with advantages; their `weight` is set here, from all of them.
        """
        rows = self._weigh(rows, self.config.aggregation)
        if self.reference is not None:  # it does not change: once for all passes
            found = self.logprobs(rows, self.reference)
            rows = [replace(row, reference=each.cpu().numpy()) for row, each in zip(rows, found, strict=True)]
        first = metrics = self._optimise(rows, self._policy_loss)
        for _ in range(self.config.passes - 1):
            metrics = self._optimise(rows, self._policy_loss)
        return metrics | {name: value for name, value in first.items() if name.startswith("mismatch/")}

    def imitate(self, rows: Sequence[Row]) -> dict[str, float]:
        """One optimiser step of supervised learning: cross-entropy of the action tokens."""
        rows = self._weigh(rows, "token-mean")
        return self._optimise(rows, self._imitation_loss)

    def logprobs(self, rows: Sequence[Row], backbone: Backbone | None = None) -> list[Tensor]:
        """Log-probabilities of each row's action tokens, in the order of `rows`.

        Args:
            rows: what to score.
            backbone: under whose weights; by default the current ones of the trained model.
        """
        backbone = backbone or self.backbone
        found: dict[int, Tensor] = {}
        with torch.no_grad():
            encoded = backbone.encode(self._features(rows))
            for part in cut(rows, self.config.micro_batch_tokens):
                batch = collate(part, backbone, self.chat.media)
                scores = score(backbone, batch, self.banned, self.temperature, encoded)[0]
                found |= zip(map(id, part), torch.split(scores, [row.tokens for row in part]), strict=True)
        return [found[id(row)] for row in rows]

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Full named tensors, for engines."""
        yield from ((name, parameter.detach()) for name, parameter in self.parameters.items())

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to `final_learning_rate` of the peak."""
        config = self.config
        if step < config.warmup:
            return config.learning_rate * (step + 1) / config.warmup
        done = min((step - config.warmup) / max(self.total_steps - config.warmup, 1), 1.0)
        share = config.final_learning_rate + (1 - config.final_learning_rate) * 0.5 * (1 + math.cos(math.pi * done))
        return config.learning_rate * share

    def _weigh(self, rows: Sequence[Row], aggregation: str) -> list[Row]:
        """Set the weight of each row's tokens, from the rows of all ranks."""
        lengths = [row.tokens for row in rows]
        mine = float(sum(lengths) if aggregation == "token-mean" else len(lengths))
        found = self.ranks.total({"rows": mine, "idle": float(not rows)})
        if self.ranks.size > 1 and found["idle"]:  # it would have no metrics to add up, and the others would wait
            raise ConfigError(f"each of {self.ranks.size} ranks needs a row, {found['idle']:g} of them got none")
        share = mine / max(found["rows"], 1.0)
        weights = token_weights(lengths, aggregation)
        return [replace(row, weight=weight * share) for row, weight in zip(rows, weights, strict=True)]

    def _optimise(self, rows: Sequence[Row], loss_of: Any) -> dict[str, float]:
        self.backbone.model.train()
        self.optimizer.zero_grad()
        sums: dict[str, float] = {}
        looks = Looks(self.backbone, self._features(rows))
        for part in cut(rows, self.config.micro_batch_tokens):
            batch = collate(part, self.backbone, self.chat.media)
            loss, metrics = loss_of(batch, looks.encoded)
            loss.backward()
            for name, value in metrics.items():
                merge = max if name.endswith("/max") else float.__add__
                sums[name] = merge(sums.get(name, 0.0), float(value))
        looks.backward()
        if self.ranks.size > 1:
            sums = self._gather(sums)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.config.max_grad_norm)
        rate = self.learning_rate(self.steps)
        finite = bool(torch.isfinite(norm))
        if finite:
            self.optimizer.step(rate)
        else:
            self.skipped += 1
        self.steps += 1
        return sums | {
            "learner/gradient_norm": float(norm) if finite else 0.0,
            "learner/learning_rate": rate,
            "learner/skipped_steps": float(self.skipped),
        }

    def _features(self, rows: Sequence[Row]) -> list[Features]:
        """The media of some rows."""
        return [self.chat.media.process(medium) for row in rows for medium in row.sample.media]

    def _gather(self, sums: dict[str, float]) -> dict[str, float]:
        """Add up gradients and metrics of all ranks."""
        gradients = []
        for parameter in self.parameters.values():
            if parameter.grad is None:  # a rank without pictures has no gradient of the vision tower
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        self.ranks.sum(gradients)
        return self.ranks.total(sums)

    def _policy_loss(self, batch: MicroBatch, encoded: Encoded) -> tuple[Tensor, dict[str, Tensor]]:
        logprobs, entropy = score(self.backbone, batch, self.banned, self.temperature, encoded)
        policy = self.loss(logprobs, batch.old, batch.advantages, self.config.clip)
        per_token = policy.loss - self.config.entropy_coef * entropy
        gap = (logprobs - batch.old).detach()
        weights = batch.weights
        metrics = {
            "policy/loss": (policy.loss.detach() * weights).sum(),
            "policy/clip_fraction": (policy.clipped * weights).sum(),
            "policy/entropy": (entropy.detach() * weights).sum(),
            # On the first pass over fresh rollouts these compare the sampler with the learner.
            "mismatch/kl": (k3(batch.old, logprobs.detach()) * weights).sum(),
            "mismatch/max": gap.abs().max(),
            "mismatch/ess_inverse": (weights * (2 * gap).exp()).sum(),
        }
        if batch.reference is not None:
            divergence = k3(logprobs, batch.reference)
            per_token = per_token + self.config.kl_coef * divergence
            metrics["policy/kl"] = (divergence.detach() * weights).sum()
        return (per_token * weights).sum(), metrics

    def _imitation_loss(self, batch: MicroBatch, encoded: Encoded) -> tuple[Tensor, dict[str, Tensor]]:
        logprobs, _ = score(self.backbone, batch, self.banned, 1.0, encoded)
        loss = -(logprobs * batch.weights).sum()
        return loss, {"sft/loss": loss.detach()}

    @staticmethod
    def _freeze(backbone: Backbone) -> Backbone:
        model = copy.deepcopy(backbone.model).eval()
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        return type(backbone)(model)
