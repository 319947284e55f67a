"""A LoRA adapter in a model (Hu et al., arXiv 2106.09685), through peft: few weights that learn, the base stands still.

    adapter = attach(backbone, LoRAConfig(rank=16))     # from now on also `backbone.adapter`
    with adapter.off():
        ...                                             # the base, bit for bit
    dict(adapter.merged())                              # full tensors under the names of a plain checkpoint
    adapter.save("runs/digits/adapter", base="saccade-tiny")
    backbone, chat = load_model("runs/digits/adapter")  # the base with the adapter merged into it

The adapter begins at zero: the model with it is the model without, bit for bit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from saccade.envs.errors import ConfigError, near

if TYPE_CHECKING:
    from saccade.agents.backbone import Backbone

NAME = "default"
"""What peft calls an adapter that was given no name."""
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""The files of peft's folders."""


@dataclass(frozen=True)
class LoRAConfig:
    """Which layers get an adapter, and how large; needs peft (`pip install 'saccade[lora]'`)."""

    rank: int = 0
    """Inner width of the adapter; 0 trains all weights instead."""
    alpha: int = 32
    """What the adapter adds is scaled by alpha / rank."""
    dropout: float = 0.0
    """Share of an adapter's inputs that is dropped in training; above 0 the policy that learns is not quite the one
    that sampled."""
    targets: str = ".*"
    """Regular expression for the last part of a linear layer's name, such as `(q|k|v|o)_proj`."""
    vision: bool = False
    """Whether matching layers of the vision (and audio) encoders get one too."""
    seed: int = 0
    """Of the adapter's first weights."""

    def __post_init__(self) -> None:
        if self.rank < 0 or self.alpha <= 0:
            raise ConfigError(f"lora needs rank >= 0 and alpha > 0, got {self.rank} and {self.alpha}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"lora.dropout must be in [0, 1), got {self.dropout}")
        try:
            re.compile(self.targets)
        except re.error as error:
            raise ConfigError(f"lora.targets must be a regular expression, got {self.targets!r}: {error}") from error


class Adapter:
    """An adapter that a model wears; made by `attach`.

    Args:
        model: the model, with peft's layers in it.
    """

    def __init__(self, model: Any) -> None:
        from peft.tuners.lora import LoraLayer

        self.model = model
        self.layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}

    @contextmanager
    def off(self) -> Iterator[None]:
        """Inside, the model is its base."""
        for layer in self.layers.values():
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in self.layers.values():
                layer.enable_adapters(True)

    @torch.no_grad()
    def merged(self) -> Iterator[tuple[str, Tensor]]:
        """Full tensors with the adapter added, one by one, under the names of a plain checkpoint; the model stays."""
        for name, weight in self.model.named_parameters():
            place, inside, kind = name.rpartition(".base_layer.")
            if inside:
                own = weight.detach()
                yield f"{place}.{kind}", own + self.layers[place].get_delta_weight(NAME) if kind == "weight" else own
            elif ".lora_" not in name:
                yield name, weight.detach()

    def save(self, path: str | Path, base: str) -> None:
        """Write a peft adapter folder.

        Args:
            path: the folder.
            base: the checkpoint that the adapter belongs to; it is found again by this name.
        """
        from peft.functional import get_peft_model_state_dict
        from safetensors.torch import save_file

        folder = Path(path)
        config = self.model.peft_config[NAME]
        config.save_pretrained(folder)
        written = json.loads((folder / ADAPTER_CONFIG).read_text())
        written |= {"base_model_name_or_path": base, "inference_mode": True}
        written["target_modules"] = sorted(written["target_modules"])
        (folder / ADAPTER_CONFIG).write_text(json.dumps(written, indent=2) + "\n")
        weights = get_peft_model_state_dict(self.model).items()
        save_file({f"base_model.model.{name}": each.contiguous() for name, each in weights}, folder / ADAPTER_WEIGHTS)


def attach(backbone: Backbone, config: LoRAConfig) -> Adapter:
    """Put a new adapter into a model; only its weights are trained from now on.

    Raises:
        ConfigError: peft is not installed, the model wears one already, or no layer fits.
    """
    if backbone.adapter is not None:
        raise ConfigError("this model wears an adapter already: load it anew to train another one")
    try:
        from peft import LoraConfig
        from peft.functional import inject_adapter_in_model
    except ImportError as error:
        raise ConfigError(f"LoRA needs peft: pip install 'saccade[lora]' ({error})") from error

    targets = targets_of(backbone, config)
    settings = LoraConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=targets, bias="none"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        inject_adapter_in_model(settings, backbone.model)
    backbone.adapter = Adapter(backbone.model)
    assert backbone.adapter.layers.keys() == set(targets)
    return backbone.adapter


def targets_of(backbone: Backbone, config: LoRAConfig) -> list[str]:
    """Names of the layers that get an adapter; never the output layer, which may be the embedding."""
    encoders = {id(module) for encoder in backbone.encoders for module in encoder.modules()}
    linear = [
        name
        for name, module in backbone.model.named_modules()
        if isinstance(module, nn.Linear) and name != "lm_head" and (config.vision or id(module) not in encoders)
    ]
    found = [name for name in linear if re.fullmatch(config.targets, name.rpartition(".")[2])]
    if not found:
        known = sorted({name.rpartition(".")[2] for name in linear})
        raise ConfigError(
            f"lora.targets {config.targets!r} fits no linear layer{'' if config.vision else ' of the text model'}; "
            f"{near(config.targets, known, 'layers')}"
        )
    return found


def base_of(place: str | Path) -> str | None:
    """The checkpoint that an adapter folder belongs to; `None` where this is no adapter folder."""
    file = Path(place) / ADAPTER_CONFIG
    if not file.is_file():
        return None
    try:
        base = json.loads(file.read_text())["base_model_name_or_path"]
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{file} names no base model: set base_model_name_or_path ({error})") from error
    return str(base)


def merge(backbone: Backbone, place: str | Path) -> Backbone:
    """The base with the adapter of a folder merged into its weights; a plain model again."""
    try:
        from peft import PeftModel
    except ImportError as error:
        raise ConfigError(f"an adapter folder needs peft: pip install 'saccade[lora]' ({error})") from error

    if not (Path(place) / ADAPTER_WEIGHTS).is_file():  # an older one is pickled
        raise ConfigError(f"{place} has no {ADAPTER_WEIGHTS}: save the adapter as safetensors")
    worn = PeftModel.from_pretrained(backbone.model, str(place))
    return type(backbone)(worn.merge_and_unload())
