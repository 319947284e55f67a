"""The policy that the divergence is measured from: other weights that the trained model puts on to score.

    reference = Reference(backbone, parameters, masters, KLConfig(reference="average"))
    with reference.worn():
        ...                  # the model is the reference
    reference.follow()       # after each optimiser step

Only weights that are trained are held a second time. Where those are an adapter and the reference is the start, nothing
is: the start is the model without its adapter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from saccade.agents.backbone import Backbone
from saccade.rl.kl import KLConfig


class Reference:
    """Weights beside the trained ones.

    Args:
        backbone: the trained model.
        parameters: its trained weights by name.
        masters: the same in the optimiser's precision; what an average follows.
        config: which reference.

    Attributes:
        weights: what is held, by name; in float32 an average, else as trained; empty where the adapter is switched off.
    """

    def __init__(
        self, backbone: Backbone, parameters: Mapping[str, Tensor], masters: Mapping[str, Tensor], config: KLConfig
    ) -> None:
        self.moving = config.reference == "average"
        self._decay = config.decay
        self._parameters = parameters
        self._masters = masters
        self._adapter = None if self.moving else backbone.adapter
        held = masters if self.moving else parameters if self._adapter is None else {}
        self.weights = {name: weight.detach().clone() for name, weight in held.items()}

    @contextmanager
    def worn(self) -> Iterator[None]:
        """Inside, the model has the weights of the reference; it must not be trained meanwhile."""
        if self._adapter is not None:
            with self._adapter.off():
                yield
            return
        trained = {name: parameter.data for name, parameter in self._parameters.items()}
        try:
            for name, parameter in self._parameters.items():
                parameter.data = self.weights[name].to(parameter.dtype)
            yield
        finally:
            for name, parameter in self._parameters.items():
                parameter.data = trained[name]

    def follow(self) -> None:
        """Move an average towards the trained weights: it keeps `decay` of itself."""
        if self.moving:
            with torch.no_grad():
                for name, mean in self.weights.items():
                    mean.lerp_(self._masters[name], 1 - self._decay)
