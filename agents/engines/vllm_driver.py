"""What `Core` asks of a running vLLM, wherever it runs, and what it is asked to draw.

There are two: `InProcess` (`vllm_step.py`) steps vLLM's `LLMEngine` in this process, `OwnProcess` (`vllm_async.py`) is
vLLM's `AsyncLLM`, whose model runs in processes of its own. Everything here is called in one event loop.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from saccade.agents.engines.base import Completion
from saccade.agents.engines.vllm_weights import Weights

if TYPE_CHECKING:
    from vllm import RequestOutput
    from vllm import SamplingParams as VLLMSamplingParams


@dataclass(eq=False)
class Request:
    """One reply to draw.

    Attributes:
        input: the prompt as vLLM's engine input.
        params: how to draw.
        id: its name in the engine.
        reply: where it is delivered.
    """

    input: Any
    params: VLLMSamplingParams
    id: str = ""
    reply: Future[Completion] = field(default_factory=Future)


class Driver(Protocol):
    """A running vLLM."""

    pace: float
    """Seconds from one `step` to the next."""

    @property
    def dead(self) -> bool:
        """Whether a process of it died."""

    async def draw(self, request: Request) -> RequestOutput | None:
        """Draw a whole reply, beside others; `None` if `pause` took it out. Cancelled, it is withdrawn.

        Raises:
            ValueError, TypeError, VLLMClientError: vLLM refuses this request; others go on.
        """

    async def step(self) -> None:
        """Called again and again while replies are drawn; returns when the model has ended a step."""

    async def pause(self) -> None:
        """Take out all replies that are being drawn, and draw none before `resume`."""

    async def load(self, weights: Weights) -> None:
        """Replace all weights, and label what they sample; called between `pause` and `resume`."""

    async def reset_caches(self) -> bool:
        """Empty the three caches that new weights make wrong: pictures' tensors, their embeddings, keys and values.

        False where blocks of keys and values are still in use.
        """

    async def resume(self) -> None:
        """Draw again."""

    async def sleep(self) -> None:
        """Free the accelerator's memory, with weights kept in the host's; called after `pause`."""

    async def wake(self) -> None:
        """Bring the weights back."""

    def close(self) -> None:
        """Stop vLLM and free what it holds."""
