"""Activation checkpointing: a layer keeps its input for the backward pass and computes everything else a second time.

    recompute(model)

The library's own switch drops the key-value cache, through which the rows of a group share their prompt. Here a layer
works on a copy of the cache's entry, so that computing it again appends nothing twice; sampling and scoring, which need
no gradient, are left as they are.
"""

from __future__ import annotations

import copy
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recompute(model: nn.Module) -> None:
    """Checkpoint the activations of all transformer layers of a model, text and encoders."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    for layer in model.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.forward = MethodType(_forward, layer)


def _forward(layer: Any, *args: Any, past_key_values: Any = None, **kwargs: Any) -> Any:
    """In place of a layer's `forward`."""
    plain = type(layer).forward
    if past_key_values is not None:
        kwargs["past_key_values"] = past_key_values
    if not (layer.training and torch.is_grad_enabled()):
        return plain(layer, *args, **kwargs)
    if past_key_values is None:
        return checkpoint(lambda *inputs: plain(layer, *inputs, **kwargs), *args, use_reentrant=False)

    index = layer.self_attn.layer_idx
    past = copy.copy(past_key_values.layers[index])

    def run(*inputs: Tensor) -> tuple[Any, Tensor, Tensor]:
        scratch = copy.copy(past_key_values)
        scratch.layers = [*past_key_values.layers]
        scratch.layers[index] = copy.copy(past)  # appending makes new tensors: the past stays as it is
        out = plain(layer, *inputs, **(kwargs | {"past_key_values": scratch}))
        return out, scratch.layers[index].keys, scratch.layers[index].values

    out, keys, values = checkpoint(run, *args, use_reentrant=False)
    grown = past_key_values.layers[index]
    if not grown.is_initialized:
        grown.lazy_initialization(keys, values)
    grown.keys, grown.values = keys, values
    return out
