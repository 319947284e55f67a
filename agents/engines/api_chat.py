"""Chat completions as the OpenAI protocol spells them: observations into messages, responses into answers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saccade.agents.engines.base import StopReason
from saccade.agents.usage import Usage
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation, Text

Message = Mapping[str, Any]
"""`role` and `content`, as the protocol has them."""
Messages = tuple[Message, ...]


@dataclass(frozen=True)
class Answer:
    """A reply of a chat server.

    Attributes:
        text: exactly what came.
        stop_reason: `ABORT` means that the server gave none.
        usage: tokens, as the server counts them.
        failure: what happened, for `ABORT`.
    """

    text: str
    stop_reason: StopReason
    usage: Usage = field(default_factory=Usage)
    failure: str | None = None


def user_message(observation: Observation) -> Message:
    """An observation as a user's turn: its parts in order, pictures as PNG data URLs.

    Raises:
        ConfigError: it holds a video or a sound, which the protocol has no common way to send.
    """
    parts: list[dict[str, Any]] = []
    for part in observation.parts:
        match part:
            case Text(text) if parts and parts[-1]["type"] == "text":
                parts[-1]["text"] += f"\n{text}"
            case Text(text):
                parts.append({"type": "text", "text": text})
            case Image():
                data = base64.b64encode(part.sampled.png()).decode("ascii")
                parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})
            case _:
                raise ConfigError(
                    f"engine 'api' takes text and pictures, and the environment shows {type(part).__name__.lower()}: "
                    "use engine='transformers'"
                )
    if len(parts) == 1 and parts[0]["type"] == "text":
        return {"role": "user", "content": parts[0]["text"]}
    return {"role": "user", "content": parts}


def read_answer(data: Any) -> Answer:
    """The first choice of a chat completion.

    A refusal is text as any other. Halves of surrogate pairs, which JSON can hold and no encoding can, become `?`.

    Raises:
        ValueError: this is no chat completion.
    """
    try:
        choice = data["choices"][0]
        message = choice["message"]
        text = message.get("content") or message.get("refusal") or ""
        text = text.encode(errors="replace").decode()
        stop = StopReason.LENGTH if choice.get("finish_reason") == "length" else StopReason.STOP
        return Answer(text, stop, _usage(data.get("usage") or {}))
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"this is no chat completion ({type(error).__name__}: {error})") from error


def error_message(data: Any, text: str) -> tuple[str, str]:
    """The message and the code of an error response, whatever its form; else its text."""
    error = data.get("error", data) if isinstance(data, Mapping) else data
    if isinstance(error, Mapping) and isinstance(error.get("message"), str):
        return error["message"], str(error.get("code"))
    return error if isinstance(error, str) else text, ""


def says_too_long(status: int, message: str, code: str) -> bool:
    """Whether a refusal means that the prompt is longer than the model's context (OpenAI by code, vLLM in words)."""
    lowered = message.lower()
    words = "context length" in lowered or "context window" in lowered or "prompt is too long" in lowered
    return status in (400, 413, 422) and (code == "context_length_exceeded" or words)


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details") or {}
    return Usage.from_json(
        {
            "prompt_tokens": usage.get("prompt_tokens"),
            "reply_tokens": usage.get("completion_tokens"),
            "cached_tokens": details.get("cached_tokens"),
        }
    )
