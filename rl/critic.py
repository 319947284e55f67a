"""The critic of PPO: what is still to come, from the state before each action token.

A linear head on hidden states, of the policy's own backbone (`shared`) or of a copy with weights of its own
(`separate`). The head begins at zero, so that the first advantages are plain returns.

    critic = Critic(CriticConfig("separate"), backbone)
    values, tails = critic.values(rows, media, batching)     # before the update; they are kept with the rows
    loss = critic.loss(states, batch, share=1 / targets)   # in it

Shapes: N action tokens of a (micro-)batch, B rows, D width.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from saccade.agents.backbone import Backbone
from saccade.agents.media import Media
from saccade.envs.errors import ConfigError, near
from saccade.rl.batch import Batching, MicroBatch, Row, batches, states
from saccade.rl.gae import Floats
from saccade.rl.losses import value_loss
from saccade.rl.optimizers import Optimizer

KINDS = ("none", "shared", "separate")


@dataclass(frozen=True)
class CriticConfig:
    """Who says what a state is worth."""

    kind: str = "none"
    """`none`; `shared` (a head on the policy's backbone), or `separate` (a model of its own, a copy at the start)."""
    learning_rate: float = 1e-3
    """Of the head, and of the whole of a separate critic; constant."""
    coef: float = 0.5
    """Weight of the value loss beside the policy's, where they share a backbone."""
    clip: float = 0.5
    """How far a value may move from the one of the rollouts before its loss holds it back; 0 is off."""
    pretrain: int = 0
    """Updates at the start in which only the critic learns; of a shared one, only the head."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"unknown critic.kind {self.kind!r}; {near(self.kind, KINDS, 'kinds of critic')}")
        if not self.learning_rate > 0:
            raise ConfigError(f"critic.learning_rate must be > 0, got {self.learning_rate}")
        if self.coef < 0 or self.clip < 0 or self.pretrain < 0:
            raise ConfigError(
                f"critic.coef, clip and pretrain must be >= 0, got {self.coef}, {self.clip} and {self.pretrain}"
            )


class Critic:
    """Values of states.

    Args:
        config: of which kind.
        policy: the backbone that is shared or copied.
        betas: of AdamW.

    Attributes:
        updates: how many updates it has learned from.
    """

    def __init__(self, config: CriticConfig, policy: Backbone, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        self.config = config
        self.shared = config.kind == "shared"
        self.backbone = policy if self.shared else type(policy)(copy.deepcopy(policy.model))
        width = policy.model.config.get_text_config().hidden_size
        self.head = torch.nn.Linear(width, 1, device=policy.device)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)
        named = [] if self.shared else self.backbone.model.named_parameters()
        # The output layer has nothing to say.
        own = {name: weight for name, weight in named if weight.requires_grad and not name.startswith("lm_head")}
        self.parameters: dict[str, Tensor] = own | {f"head.{name}": p for name, p in self.head.named_parameters()}
        self.optimizer = Optimizer("adamw", self.parameters, betas, weight_decay=0.0)
        self.updates = 0

    @property
    def pretraining(self) -> bool:
        """Whether only the critic learns yet."""
        return self.updates < self.config.pretrain

    def read(self, states: Tensor) -> Tensor:
        """Values of hidden states, [..., D] to [...]."""
        found: Tensor = self.head(states.float()).squeeze(-1)
        return found

    def values(self, rows: Sequence[Row], media: Media, batching: Batching) -> tuple[list[Floats], Floats]:
        """Values before the action tokens of each row, and behind its last token, [rows]; without gradient.

        The latter is the value of a final observation; NaN where the row ends with an action.
        """
        found: dict[int, Floats] = {}
        tails: dict[int, float] = {}
        with torch.no_grad():
            encoded = self.backbone.encode([media.process(medium) for row in rows for medium in row.sample.media])
            for part, batch in batches(rows, self.backbone, media, batching):
                before, behind = states(self.backbone, batch, encoded)
                split = torch.split(self.read(before).double().cpu(), [row.tokens for row in part])
                for row, values, tail in zip(part, split, self.read(behind).tolist(), strict=True):
                    found[id(row)] = values.numpy()
                    tails[id(row)] = tail if row.sample.tail else np.nan
        return [found[id(row)] for row in rows], np.array([tails[id(row)] for row in rows])

    def loss(self, states_ND: Tensor, batch: MicroBatch, share: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Value loss of a micro-batch, and its metrics.

        Args:
            states_ND: hidden states before the action tokens, [N, D].
            batch: with the values of the rollouts and the targets.
            share: one over the number of targets of the whole batch.
        """
        assert batch.values is not None and batch.value_targets is not None
        known = ~batch.value_targets.isnan()
        values, old, targets = self.read(states_ND)[known], batch.values[known], batch.value_targets[known]
        loss = value_loss(values, old, targets, self.config.clip).sum() * share
        moved = (values.detach() - old).abs()
        clipped = (moved > self.config.clip).sum() * share if self.config.clip else torch.zeros(())
        return loss, {"critic/loss": loss.detach(), "critic/clip_fraction": clipped}


def explained_variance(values: Floats, targets: Floats) -> float:
    """1 - Var(targets - values) / Var(targets), over known targets: 1 is perfect, 0 a constant; 0 if no two differ."""
    known = ~np.isnan(targets)
    values, targets = values[known], targets[known]
    spread = float(np.var(targets)) if len(targets) else 0.0
    return 1.0 - float(np.var(targets - values)) / spread if spread > 1e-12 else 0.0
