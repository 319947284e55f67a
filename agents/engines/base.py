"""The `Engine` protocol: tokens and media in, sampled tokens with their log-probabilities out.

    completion = await engine.generate(Prompt(ids, media), SamplingParams(max_tokens=16), seed=7, key="task 3/0")

The stored log-probability is that of the distribution that was sampled from: log_softmax(mask(logits) / T), with
vision and control tokens masked. The learner recomputes exactly this; `agents/engines/sampling.py` is the one
definition of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from saccade.agents.modality import Medium
from saccade.envs.errors import ConfigError, SaccadeError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Prompt:
    """What the model reads: every token id, with placeholders expanded, and the media in order of appearance."""

    ids: tuple[int, ...]
    media: tuple[Medium, ...] = ()


@dataclass(frozen=True)
class SamplingParams:
    """How a reply is drawn.

    Attributes:
        max_tokens: longest reply, its end-of-turn token included.
        temperature: divides the logits; 0 takes the most probable token (log-probabilities are then those at 1).
        stop: token ids that end a reply; they belong to it.
        banned: token ids that are never sampled and have probability 0 on both sides.
        pattern: a regular expression that well-formed replies match; only an engine that is told to forces it.
    """

    max_tokens: int = 64
    temperature: float = 1.0
    stop: tuple[int, ...] = ()
    banned: tuple[int, ...] = ()
    pattern: str = ""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ConfigError(f"max_tokens must be >= 1, got {self.max_tokens}")
        if self.temperature < 0:
            raise ConfigError(f"temperature must be >= 0 (0 is greedy), got {self.temperature}")


class StopReason(StrEnum):
    """Why a reply ended."""

    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"


@dataclass(frozen=True)
class Completion:
    """A sampled reply.

    Attributes:
        ids: the sampled tokens, exactly; the stop token included when there is one.
        logprobs: of each token under the distribution it was drawn from.
        versions: weight version that drew each token.
        stop_reason: `ABORT` means that the engine lost the request: nothing here may be trained on.
        prompt_ids: the prompt as the engine saw it, for the assertion that it is the ledger's.
        failure: what happened, for `ABORT`.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    versions: tuple[int, ...]
    stop_reason: StopReason
    prompt_ids: tuple[int, ...]
    failure: str | None = None

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.logprobs) == len(self.versions):
            raise ValueError(
                f"a completion needs one log-probability and one version a token, got {len(self.ids)} tokens, "
                f"{len(self.logprobs)} log-probabilities, {len(self.versions)} versions"
            )


SCRIPTED = -1
"""Weight version of tokens that no model drew."""


def scripted(ids: list[int], prompt: Prompt) -> Completion:
    """A completion that was written, not sampled."""
    zeros = (0.0,) * len(ids)
    return Completion(tuple(ids), zeros, (SCRIPTED,) * len(ids), StopReason.STOP, prompt.ids)


class ContextFull(SaccadeError):  # noqa: N818 - an ending of an episode, as `Cause.CONTEXT`
    """The engine takes no prompt of this length: the episode ends with cause `context`."""


class Engine(Protocol):
    """What every engine does."""

    version: int
    """Weight version; it grows by one with every update."""

    async def generate(self, prompt: Prompt, params: SamplingParams, seed: int, key: str) -> Completion:
        """Draw one reply.

        Args:
            prompt: what to continue.
            params: how to draw.
            seed: names the stream of random numbers of this reply.
            key: canonical order among requests that wait at the same time.
        """

    def participant(self) -> AbstractContextManager[None]:
        """Held by each episode loop while it runs: a deterministic engine waits for all of them."""

    def update(self, weights: Iterable[tuple[str, Tensor]], version: int) -> None:
        """Take a stream of full named tensors as the new weights."""

    def close(self) -> None:
        """Free what the engine holds."""
