"""The learner: rows in, new weights out. Forward, backward, optimiser, precision; nothing about episodes.

    learner = Learner(backbone, chat, LearnerConfig(learning_rate=2e-4))
    metrics = learner.step(rows)
    engine.update(learner.weights(), version)

Rules that scale-out needs hold from the first day: the weights of tokens are fixed over the whole batch before the
first backward pass, so the gradient does not depend on how rows are cut into micro-batches; a step whose gradient is
not finite is skipped and counted; weights leave as a stream of full named tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saccade.agents.backbone import Backbone, Encoded
from saccade.agents.chat import Chat
from saccade.agents.engines.sampling import banned_mask
from saccade.agents.lora import LoRAConfig
from saccade.envs.errors import ConfigError
from saccade.rl.backward import LossOf, accumulate
from saccade.rl.batch import LOGITS_BYTES, Batching, MicroBatch, Row, batches, by_episode, read, score, states
from saccade.rl.critic import Critic, CriticConfig, explained_variance
from saccade.rl.kl import KLConfig, KLController
from saccade.rl.losses import DIVERGENCES, LOG_RATIO_LIMIT, Clip, k3, make_loss, token_weights
from saccade.rl.mismatch import CorrectionConfig, importance
from saccade.rl.optimizers import Optimizer, check_optimizer
from saccade.rl.prepare import check_precision, prepare
from saccade.rl.ranks import Ranks
from saccade.rl.reference import Reference


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
    """Policy loss: `clipped` (PPO), `gspo`, `cispo` or `reinforce`."""
    clip: Clip = field(default_factory=Clip)
    """Bounds of the probability ratio."""
    kl_coef: float = 0.03
    """Weight of the KL divergence to the reference, at the start; 0 keeps no reference."""
    kl: KLConfig = field(default_factory=KLConfig)
    """Which reference and which estimate of the divergence, where it acts, and how its weight changes."""
    entropy_coef: float = 0.0
    """Weight of the entropy bonus."""
    aggregation: str = "token-mean"
    """How tokens are averaged: `token-mean`, `sequence-mean`, or `constant` (over episodes, by `constant_length`)."""
    constant_length: int = 0
    """Tokens that every episode is divided by, for `constant`: the most that it can have."""
    correction: CorrectionConfig = field(default_factory=CorrectionConfig)
    """What is done about a sampler that differs from the learner."""
    critic: CriticConfig = field(default_factory=CriticConfig)
    """Who says what a state is worth, for the advantages that need it."""
    micro_batch_tokens: int = 16384
    """Largest micro-batch in tokens, padding included; changes memory, never the gradient."""
    lora: LoRAConfig = field(default_factory=LoRAConfig)
    """An adapter that is trained instead of the weights."""
    freeze_vision: bool = False
    """Whether the encoders of pictures and sounds stand still, projector included; each update asks them once."""
    precision: str = "float32"
    """Of weights and activations, the embedded engine's too; `bfloat16` keeps float32 masters in the optimiser."""
    activation_checkpointing: bool = False
    """Whether layers compute their activations again in the backward pass: less memory, more work."""
    packing: bool = False
    """Several samples behind each other in one row of the forward pass; changes speed, never the gradient."""
    logits_bytes: int = LOGITS_BYTES
    """Largest matrix of logits; more action tokens are projected in chunks, and again in the backward pass."""

    def __post_init__(self) -> None:
        for name in ("learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be > 0, got {getattr(self, name)}")
        for name in ("passes", "logits_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be >= 1, got {getattr(self, name)}")
        check_optimizer(self.optimizer)
        if self.kl_coef < 0 or self.entropy_coef < 0:
            raise ConfigError(f"kl_coef and entropy_coef must be >= 0, got {self.kl_coef} and {self.entropy_coef}")
        KLController(self.kl, self.kl_coef)
        Batching(self.micro_batch_tokens, self.packing)
        make_loss(self.loss)
        token_weights([1], self.aggregation, self.constant_length)
        if self.constant_length and self.aggregation != "constant":
            raise ConfigError(f"constant_length is for aggregation 'constant', got {self.aggregation!r}: leave it out")
        check_precision(self.precision)
        if self.freeze_vision and self.lora.vision and self.lora.rank:
            raise ConfigError("lora.vision trains an adapter in the tower that freeze_vision freezes: choose one")

    @property
    def batching(self) -> Batching:
        """How rows are cut into micro-batches."""
        return Batching(self.micro_batch_tokens, self.packing)


@dataclass(frozen=True)
class Part:
    """The weights of an optimiser, stepped at a rate; their gradient has a norm of its own."""

    optimizer: Optimizer
    rate: float


class Learner:
    """Trains a backbone, and a critic if there is one.

    Args:
        backbone: the model; it may be the engine's own. It is changed as `config` says: precision, adapter.
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
        self.divergence = DIVERGENCES[config.kl.estimator]
        self.banned = banned_mask(chat.banned, backbone.vocabulary, backbone.device)
        prepare(backbone, config)
        self.parameters = {name: each for name, each in backbone.model.named_parameters() if each.requires_grad}
        self.optimizer = Optimizer(config.optimizer, self.parameters, config.betas, config.weight_decay)
        self.kl = KLController(config.kl, config.kl_coef)
        needed, masters = self.kl.needed, self.optimizer.masters
        self.reference = Reference(backbone, self.parameters, masters, config.kl) if needed else None
        self.critic = Critic(config.critic, backbone, config.betas) if config.critic.kind != "none" else None
        self._targets = 1
        self._spread = 1.0

    def step(self, rows: Sequence[Row]) -> dict[str, float]:
        """`passes` optimiser steps on all rows; returns the metrics of the last, the mismatch of the first.

        Args:
            rows: with advantages, and with values and targets where there is a critic; their `weight` is set here,
                from all of them.
        """
        with self.backbone.keeping():
            return self._step(rows)

    def _step(self, rows: Sequence[Row]) -> dict[str, float]:
        rows, metrics = self._correct(rows)
        rows = self._weigh(rows, self.config.aggregation)
        if metrics and not self._total(sum(row.taught for row in rows)):
            return metrics
        critic = self.critic
        waiting = critic is not None and critic.pretraining
        if critic is not None:
            metrics |= self._begin_critic(critic, rows)
        if self.reference is not None and not self.kl.in_reward and not waiting:  # once for all passes
            found = self.logprobs(rows, self.reference)
            rows = [replace(row, reference=each.cpu().numpy()) for row, each in zip(rows, found, strict=True)]
        first: dict[str, float] = {}
        for _ in range(self.config.passes):
            if critic is not None and (waiting or not critic.shared):
                metrics |= self._step_critic(critic, rows)
            if not waiting:
                latest = self._step_policy(rows, self._policy_loss)
                metrics |= latest
                first = first or latest
        if "policy/kl" in first:
            if self.config.kl.control != "fixed":
                metrics["policy/kl_coef"] = self.kl.coefficient(self.done)
            self.kl.observe(first["policy/kl"], self._total(len(by_episode(rows))))
        return metrics | {name: value for name, value in first.items() if name.startswith("mismatch/")}

    def imitate(self, rows: Sequence[Row]) -> dict[str, float]:
        """One optimiser step of supervised learning: cross-entropy of the action tokens."""
        rows = self._weigh(rows, "token-mean")
        return self._step_policy(rows, self._imitation_loss)

    def logprobs(self, rows: Sequence[Row], reference: Reference | None = None) -> list[Tensor]:
        """Log-probabilities of each row's action tokens, in the order of `rows`.

        Args:
            rows: what to score.
            reference: under whose weights; by default the current ones.
        """
        backbone = self.backbone
        found: dict[int, Tensor] = {}
        with torch.no_grad(), reference.worn() if reference else nullcontext():
            encoded = backbone.encode([self.chat.media.process(medium) for row in rows for medium in row.sample.media])
            for part, batch in batches(rows, backbone, self.chat.media, self.config.batching):
                scores = score(backbone, batch, self.banned, self.temperature, encoded, self.config.logits_bytes)[0]
                found |= zip(map(id, part), torch.split(scores, [row.tokens for row in part]), strict=True)
        return [found[id(row)] for row in rows]

    def values(self, rows: Sequence[Row]) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
        """What the critic says before each action token of each row, and behind its last token (NaN: no such state)."""
        assert self.critic is not None
        return self.critic.values(rows, self.chat.media, self.config.batching)

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Full named tensors, for engines; an adapter is merged into them."""
        return self.backbone.weights()

    @property
    def done(self) -> float:
        """Share of all optimiser steps that are done."""
        return self.steps / self.total_steps

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to `final_learning_rate` of the peak."""
        config = self.config
        if step < config.warmup:
            return config.learning_rate * (step + 1) / config.warmup
        done = min((step - config.warmup) / max(self.total_steps - config.warmup, 1), 1.0)
        share = config.final_learning_rate + (1 - config.final_learning_rate) * 0.5 * (1 + math.cos(math.pi * done))
        return config.learning_rate * share

    def _correct(self, rows: Sequence[Row]) -> tuple[Sequence[Row], dict[str, float]]:
        """Score all rows before the first step, and weigh the difference from the sampler."""
        if self.config.correction.kind == "none":
            return rows, {}
        out = list(rows)
        scored = [found.cpu().numpy() for found in self.logprobs(rows)]
        for members in by_episode(rows):
            old = np.concatenate([scored[index] for index in members])
            sampled = np.concatenate([rows[index].sample.logprobs[rows[index].sample.action_mask] for index in members])
            weights = importance(old, sampled, self.config.correction)
            ends = np.cumsum([rows[index].tokens for index in members])[:-1]
            for index, own in zip(members, np.split(weights, ends), strict=True):
                out[index] = replace(rows[index], old=scored[index], importance=own)
        kept, tokens = self._total(sum(row.taught for row in out)), self._total(sum(row.tokens for row in out))
        return out, {"mismatch/masked": 1 - kept / tokens}

    def _weigh(self, rows: Sequence[Row], aggregation: str) -> list[Row]:
        """Set the weight of each row's tokens, from the episodes of all ranks: each counts once, however many rows."""
        episodes = by_episode(rows)
        lengths = [sum(rows[index].taught for index in members) for members in episodes]
        mine = float(sum(lengths) if aggregation == "token-mean" else sum(length > 0 for length in lengths))
        found = self.ranks.total({"rows": mine, "idle": float(not rows)})
        if self.ranks.size > 1 and found["idle"]:  # it would have no metrics to add up, and the others would wait
            raise ConfigError(f"each of {self.ranks.size} ranks needs a row, {found['idle']:g} of them got none")
        share = mine / max(found["rows"], 1.0)
        if aggregation == "constant":  # those weights do not sum to 1; metrics are means all the same
            self._spread = self.config.constant_length * found["rows"] / max(self._total(sum(lengths)), 1)
        weights = token_weights(lengths, aggregation, self.config.constant_length)
        of = {index: weight for members, weight in zip(episodes, weights, strict=True) for index in members}
        return [replace(row, weight=of[index] * share) for index, row in enumerate(rows)]

    def _total(self, count: int) -> int:
        """A count over all ranks."""
        return round(self.ranks.total({"count": float(count)})["count"])

    def _begin_critic(self, critic: Critic, rows: Sequence[Row]) -> dict[str, float]:
        """Fix the denominator of the value loss; how good the values of the rollouts were."""
        values, targets = (
            np.concatenate([np.zeros(0), *(part for part in parts if part is not None)])
            for parts in ([row.values for row in rows], [row.targets for row in rows])
        )
        if not len(values) == len(targets) == sum(row.tokens for row in rows):
            raise ConfigError("with a critic every row needs values and targets: see saccade.rl.credit.consult")
        self._targets = max(self._total(int(np.count_nonzero(~np.isnan(targets)))), 1)
        critic.updates += 1
        return {
            "critic/explained_variance": explained_variance(values, targets),
            "critic/value": float(values.mean()),
        }

    def _step_policy(self, rows: Sequence[Row], loss_of: LossOf) -> dict[str, float]:
        """One optimiser step of the policy, and of the head of a critic that shares its backbone."""
        rate = self.learning_rate(self.steps)
        parts = [Part(self.optimizer, rate)]
        if self.critic is not None and self.critic.shared:
            parts.append(Part(self.critic.optimizer, self.critic.config.learning_rate))
        sums, norms = self._descend(self.backbone, rows, loss_of, parts)
        self.steps += 1
        if self.reference is not None:
            self.reference.follow()
        return sums | {
            "learner/gradient_norm": norms[0],
            "learner/learning_rate": rate,
            "learner/skipped_steps": float(self.skipped),
        }

    def _step_critic(self, critic: Critic, rows: Sequence[Row]) -> dict[str, float]:
        """One optimiser step of the critic alone; the backbone that it shares stands still."""

        def loss_of(batch: MicroBatch, encoded: Encoded) -> tuple[Tensor, dict[str, Tensor]]:
            with torch.set_grad_enabled(not critic.shared):
                before, _ = states(critic.backbone, batch, encoded)
            return critic.loss(before, batch, 1 / self._targets)

        part = Part(critic.optimizer, critic.config.learning_rate)
        sums, norms = self._descend(critic.backbone, rows, loss_of, [part])
        return sums | {"critic/gradient_norm": norms[0]}

    def _descend(
        self, backbone: Backbone, rows: Sequence[Row], loss_of: LossOf, parts: Sequence[Part]
    ) -> tuple[dict[str, float], list[float]]:
        """One step down the gradient of all rows of all ranks; none, and counted, where it is not finite."""
        for part in parts:
            part.optimizer.zero_grad()
        dropout = self.config.lora.dropout > 0
        backbone.model.train()
        with torch.random.fork_rng(enabled=dropout):
            if dropout:  # a resumed run drops the same
                torch.manual_seed(self.steps * self.ranks.size + self.ranks.rank)
            sums = accumulate(backbone, self.chat.media, rows, self.config.batching, loss_of)
        backbone.model.eval()
        if self.ranks.size > 1:
            sums = self._gather(sums, parts)
        clip = torch.nn.utils.clip_grad_norm_
        found = [clip(part.optimizer.masters.values(), self.config.max_grad_norm) for part in parts]
        finite = all(bool(torch.isfinite(norm)) for norm in found)
        if finite:
            for part in parts:
                part.optimizer.step(part.rate)
        else:
            self.skipped += 1
        return sums, [float(norm) if finite else 0.0 for norm in found]

    def _gather(self, sums: dict[str, float], parts: Sequence[Part]) -> dict[str, float]:
        """Add up gradients and metrics of all ranks."""
        gradients = []
        for part in parts:
            for parameter in part.optimizer.masters.values():
                if parameter.grad is None:  # a rank without pictures has no gradient of the vision tower
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        self.ranks.sum(gradients)
        return self.ranks.total(sums)

    def _policy_loss(self, batch: MicroBatch, encoded: Encoded) -> tuple[Tensor, dict[str, Tensor]]:
        before, _ = states(self.backbone, batch, encoded)
        logprobs, entropy = read(
            self.backbone, before, batch.targets, self.banned, self.temperature, self.config.logits_bytes
        )
        policy = self.loss(logprobs, batch.old, batch.advantages, batch.sequences, self.config.clip)
        own = policy.loss if batch.importance is None else policy.loss * batch.importance
        per_token = own - self.config.entropy_coef * entropy
        gap = (logprobs - batch.sampled).detach()
        weights = batch.weights * self._spread
        metrics = {
            "policy/loss": (own.detach() * batch.weights).sum(),
            "policy/clip_fraction": (policy.clipped * weights).sum(),
            "policy/entropy": (entropy.detach() * weights).sum(),
            # On the first pass over fresh rollouts these compare the sampler with the learner.
            "mismatch/kl": (k3(batch.sampled, logprobs.detach()) * weights).sum(),
            "mismatch/max": gap.abs().max(),
            "mismatch/ess_inverse": (weights * (2 * gap.clamp(max=LOG_RATIO_LIMIT)).exp()).sum(),
        }
        if batch.importance is not None:
            metrics["mismatch/importance"] = (batch.importance * weights).sum()
        if batch.reference is not None:
            divergence = self.divergence(logprobs, batch.reference)
            per_token = per_token + self.kl.coefficient(self.done) * divergence
            metrics["policy/kl"] = (divergence.detach() * weights).sum()
        loss = (per_token * batch.weights).sum()
        if self.critic is not None and self.critic.shared:
            of_values, more = self.critic.loss(before, batch, 1 / self._targets)
            loss = loss + self.critic.config.coef * of_values
            metrics |= more
        return loss, metrics

    def _imitation_loss(self, batch: MicroBatch, encoded: Encoded) -> tuple[Tensor, dict[str, Tensor]]:
        logprobs, _ = score(self.backbone, batch, self.banned, 1.0, encoded, self.config.logits_bytes)
        loss = -(logprobs * batch.weights).sum()
        return loss, {"sft/loss": loss.detach()}
