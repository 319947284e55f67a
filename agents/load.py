"""Loading a checkpoint for acting: the backbone and its chat."""

from __future__ import annotations

from pathlib import Path

from saccade.agents.backbone import Backbone
from saccade.agents.chat import Chat
from saccade.envs.errors import ConfigError


def load_model(path: str | Path) -> tuple[Backbone, Chat]:
    """Load model, tokenizer, template and image processor from a folder or the hub.

    Raises:
        ConfigError: there is no such checkpoint, or it is of no supported class.
    """
    from transformers.utils import logging

    folder = Path(path)
    looks_local = folder.is_absolute() or str(path).startswith((".", "runs/")) or folder.exists()
    if looks_local and not (folder / "config.json").is_file():
        raise ConfigError(
            f"a model is a folder with a config.json or the id of a hub repository, and {folder} is neither: check the "
            "path, or make a tiny model with `saccade tiny`"
        )
    logging.disable_progress_bar()
    try:
        return Backbone.from_pretrained(path), Chat.from_pretrained(path)
    except OSError as error:
        raise ConfigError(f"cannot load the model {str(path)!r}: {error}") from error
