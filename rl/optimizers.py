"""Optimisers by name: one object that steps all weights, and whose moments have the names of the weights.

    optimizer = Optimizer("muon", dict(model.named_parameters()), betas=(0.9, 0.98), weight_decay=0.01)
    optimizer.step(learning_rate=2e-3)

`adamw` is AdamW for all weights. `muon` moves the matrices inside the layers along the nearest orthogonal matrix to
their momentum (Muon, Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) and leaves embeddings, biases,
norms and convolutions to AdamW. It is meant for learning from nothing.

Weights in 16 bits have a master copy in float32 here, which is what is stepped; gradients are added up beside it in
float32, each as soon as it is there, and the weights are the masters rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from saccade.envs.errors import ConfigError, near

OPTIMIZERS = ("adamw", "muon")
MASTER = "master"
MATRIX_RATE = 5.0
"""Learning rate of Muon, in units of AdamW's: its steps are 1 / sqrt(width) an element at rate 1, AdamW's about 1."""


class Optimizer:
    """Steps a model's weights.

    Args:
        name: one of `OPTIMIZERS`.
        parameters: weights by name.
        betas: moments of AdamW.
        weight_decay: decoupled, in units of the learning rate.

    Attributes:
        masters: what is stepped and has the gradient, by the same names: the weights, or float32 copies of them.
    """

    def __init__(
        self, name: str, parameters: Mapping[str, Tensor], betas: tuple[float, float], weight_decay: float
    ) -> None:
        check_optimizer(name)
        self.parameters = dict(parameters)
        self.masters = {key: master(weight) for key, weight in parameters.items()}
        matrices = [weight for key, weight in self.masters.items() if name == "muon" and is_matrix(key, weight)]
        taken = set(map(id, matrices))
        rest = [weight for weight in self.masters.values() if id(weight) not in taken]
        self._parts: list[tuple[float, torch.optim.Optimizer]] = []
        if matrices:
            self._parts.append((MATRIX_RATE, torch.optim.Muon(matrices, weight_decay=weight_decay / MATRIX_RATE)))
        if rest:
            adamw = torch.optim.AdamW(rest, betas=betas, weight_decay=weight_decay, fused=True)
            self._parts.append((1.0, adamw))

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for _, part in self._parts:
            part.zero_grad(set_to_none=True)
        for weight in self.parameters.values():
            weight.grad = None

    def step(self, learning_rate: float) -> None:
        """Move the weights along their gradients."""
        for scale, part in self._parts:
            for group in part.param_groups:
                group["lr"] = learning_rate * scale
            part.step()
        for key, weight in self.parameters.items():
            if self.masters[key] is not weight:
                weight.data.copy_(self.masters[key])

    def moments(self) -> dict[str, Tensor]:
        """Everything that the next step depends on beside weights and gradients, by `weight|moment`."""
        masters = {
            f"{name}|{MASTER}": weight for name, weight in self.masters.items() if weight is not self.parameters[name]
        }
        return masters | {
            f"{name}|{key}": value.contiguous()
            for name, weight in self.masters.items()
            for _, part in self._parts
            for key, value in part.state.get(weight, {}).items()
        }

    def restore(self, moments: Mapping[str, Tensor]) -> None:
        """Put back what `moments` returned.

        Raises:
            ConfigError: it is of another optimiser, of another precision, or of other weights.
        """
        states: dict[str, dict[str, Any]] = {}
        for key, value in moments.items():
            name, _, moment = key.partition("|")
            if name not in self.parameters:
                raise ConfigError(f"the moments are of another model: it has no weight {name!r}")
            states.setdefault(name, {})[moment] = value.to(self.masters[name].device)
        for name, weight in self.masters.items():
            found = states.setdefault(name, {}).pop(MASTER, None)
            if (found is None) != (weight is self.parameters[name]):
                raise ConfigError(f"the moments of {name!r} are of another precision: go on with the one of the start")
            if found is not None:
                weight.copy_(found)
        for name, state in states.items():
            weight = self.masters[name]
            if not state:  # a weight that never had a gradient
                continue
            part = next(part for _, part in self._parts if any(weight is w for w in part.param_groups[0]["params"]))
            if ("momentum_buffer" in state) != isinstance(part, torch.optim.Muon):
                raise ConfigError(f"the moments of {name!r} are of another optimiser: go on with the one of the start")
            part.state[weight] = state


def master(weight: Tensor) -> Tensor:
    """The weight itself, or of one in 16 bits a float32 copy that its gradients are handed on to."""
    if weight.dtype not in (torch.bfloat16, torch.float16):
        return weight
    copy = weight.detach().float()

    def hand_on(weight: Tensor) -> None:
        assert weight.grad is not None
        copy.grad = weight.grad.float() if copy.grad is None else copy.grad.add_(weight.grad)
        weight.grad = None

    leaf: Any = weight  # PyTorch gives the method no types
    leaf.register_post_accumulate_grad_hook(hand_on)
    return copy


def is_matrix(name: str, weight: Tensor) -> bool:
    """Whether a weight maps one hidden space to another: what Muon is for."""
    return weight.ndim == 2 and not any(part in name for part in ("embed", "lm_head"))


def check_optimizer(name: str) -> None:
    """Raise `ConfigError` for an unknown name."""
    if name not in OPTIMIZERS:
        raise ConfigError(f"unknown optimizer {name!r}; {near(name, OPTIMIZERS, 'optimizers')}")
