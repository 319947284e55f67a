"""Tokens that an agent was given and wrote, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saccade.envs.errors import ConfigError


@dataclass(frozen=True)
class Usage:
    """Tokens of one reply, or of several.

    Attributes:
        prompt_tokens: what the model read; each turn reads the whole conversation again.
        reply_tokens: what it wrote.
        cached_tokens: of `prompt_tokens`, those that an API took from its cache.
    """

    prompt_tokens: int = 0
    reply_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.reply_tokens + other.reply_tokens,
            self.cached_tokens + other.cached_tokens,
        )

    @property
    def total(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.reply_tokens

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Usage:
        """Read what `vars` gives; keys that are missing count 0, others are ignored."""
        return cls(*(int(data.get(name) or 0) for name in ("prompt_tokens", "reply_tokens", "cached_tokens")))


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, in whatever currency."""

    input: float = 0.0
    """Of prompts."""
    output: float = 0.0
    """Of replies."""
    cached: float | None = None
    """Of those tokens of prompts that the server took from its cache; by default as others."""

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached"):
            if (getattr(self, name) or 0.0) < 0:
                raise ConfigError(f"prices.{name} must be >= 0, got {getattr(self, name)}")

    def cost(self, usage: Usage) -> float:
        """The price of some tokens."""
        cached = self.input if self.cached is None else self.cached
        fresh = usage.prompt_tokens - usage.cached_tokens
        return (fresh * self.input + usage.cached_tokens * cached + usage.reply_tokens * self.output) / 1e6
