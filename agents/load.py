"""Loading a checkpoint for acting: the backbone, its chat, and how it was taught to read and write.

    backbone, chat = load_model("runs/digits/model")
    backbone, chat = load_model("Qwen/Qwen3-VL-2B-Instruct")

    backbone, chat = load_model("runs/digits/adapter")        # a peft adapter folder: its base, with it merged in

A model folder may hold `saccade.json`, the `AgentConfig` that it was trained with, so that nobody has to remember it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import torch

from saccade.agents.agent import AgentConfig
from saccade.agents.backbone import Backbone
from saccade.agents.chat import Chat
from saccade.agents.context import ContextConfig
from saccade.agents.lora import base_of, merge
from saccade.agents.torchvision import mend
from saccade.envs.errors import ConfigError, near

AGENT_FILE = "saccade.json"
SHIPPED = {"saccade-tiny": Path(__file__).parent / "assets" / "saccade-tiny"}
"""Models that ship with the package, by name: the place of each, whether it is there yet or not."""


def load_model(path: str | Path, device: str = "auto") -> tuple[Backbone, Chat]:
    """Load model, tokenizer, template and media processors from a folder or the hub.

    Args:
        path: the checkpoint, the name of a shipped one, or an adapter folder, which is merged into its base.
        device: a torch device, or `auto` for the GPU where there is one, else the CPU.

    Raises:
        ConfigError: there is no such checkpoint, or it is of no supported class.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    with _loading(path) as place:
        base = base_of(place)
        if base is None:
            return Backbone.from_pretrained(place, device), Chat.from_pretrained(place)
        backbone, chat = load_model(base, device)
        return merge(backbone, place), chat


def load_chat(path: str | Path) -> Chat:
    """Load all but the weights, for an engine that has them itself; errors as of `load_model`."""
    with _loading(plain_place(path)) as place:
        return Chat.from_pretrained(place)


def model_place(path: str | Path) -> str:
    """The folder or hub id that a model's name stands for."""
    return str(SHIPPED.get(str(path), path))


def plain_place(path: str | Path) -> str:
    """The place of a model's full weights: its own, or under an adapter folder that of its base."""
    place = model_place(path)
    base = base_of(place)
    return place if base is None else plain_place(base)


@contextmanager
def _loading(path: str | Path) -> Iterator[str]:
    """Check the place of a model and give it; failures of loading become messages."""
    mend()
    from transformers.utils import logging

    place = model_place(path)
    folder = Path(place)
    looks_local = folder.is_absolute() or place.startswith((".", "runs/")) or folder.exists()
    if looks_local and not (folder / "config.json").is_file() and base_of(folder) is None:
        raise ConfigError(
            f"a model is a folder with a config.json or the id of a hub repository, and {folder} is neither: check the "
            "path, take `saccade-tiny`, or make a tiny model with `saccade tiny`"
        )
    if path not in SHIPPED.values() and not folder.exists() and get_close_matches(str(path), SHIPPED, cutoff=0.8):
        raise ConfigError(f"unknown model {str(path)!r}; {near(str(path), SHIPPED, 'shipped models')}")
    logging.disable_progress_bar()
    try:
        yield place
    except ConfigError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"cannot load the model {place!r}: {error}") from error


def save_agent_config(path: str | Path, config: AgentConfig) -> None:
    """Write down how a model reads and writes, beside its weights."""
    (Path(path) / AGENT_FILE).write_text(json.dumps(dataclasses.asdict(config), indent=1) + "\n")


def saved_agent_config(path: str | Path) -> AgentConfig:
    """How the model of a folder reads and writes; the defaults where nothing is written down."""
    file = Path(model_place(path)) / AGENT_FILE
    if not file.is_file():
        return AgentConfig()
    try:
        fields = json.loads(file.read_text())
        if "context" in fields:
            fields["context"] = ContextConfig(**fields["context"])
        return AgentConfig(**fields)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{file} must hold the fields of AgentConfig as JSON: {error}; remove it or mend it"
        ) from error
