"""Options that a server or a library knows and we do not: a JSON object in one string."""

from __future__ import annotations

import json
from typing import Any

from saccade.envs.errors import ConfigError


def read_options(text: str) -> dict[str, Any]:
    """The options; `ConfigError` unless `text` is empty or a JSON object."""
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise ConfigError(f"options must be a JSON object, got {text!r}: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"options must be a JSON object, got {text!r}")
    return found
