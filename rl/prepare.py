"""What of a model is trained, in which precision, and what it keeps for the backward pass.

prepare(backbone, LearnerConfig(precision="bfloat16", lora=LoRAConfig(rank=16)))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from saccade.agents.backbone import Backbone
from saccade.agents.lora import attach
from saccade.envs.errors import ConfigError, near
from saccade.rl.recompute import recompute

if TYPE_CHECKING:
    from saccade.rl.learner import LearnerConfig

PRECISIONS = ("float32", "bfloat16")


def prepare(backbone: Backbone, config: LearnerConfig) -> None:
    """Change a model in place as a configuration says; weights that need no gradient afterwards are not trained."""
    if config.precision == "bfloat16":
        backbone.model.to(torch.bfloat16)
    if config.lora.rank:
        attach(backbone, config.lora)
    if config.freeze_vision:
        for encoder in backbone.encoders:
            encoder.requires_grad_(False)
    if config.activation_checkpointing:
        recompute(backbone.model)
    backbone.model.eval()  # new layers come in training mode, and would drop while the policy is scored


def check_precision(name: str) -> None:
    """Raise `ConfigError` for an unknown name."""
    if name not in PRECISIONS:
        raise ConfigError(f"unknown precision {name!r}; {near(name, PRECISIONS, 'precisions')}")
