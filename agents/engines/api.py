"""The API engine: any server that speaks OpenAI's chat completions, for evaluation and for collecting data.

    engine = APIEngine("gpt-x", APIEngineConfig(base_url="https://api.openai.com/v1"))
    answer = await engine.generate(messages, SamplingParams(max_tokens=512), seed=7, key="task 3/0")

Messages in, text out: such a model gives us neither token ids nor the log-probabilities of what it was sampled from, so
nothing here can be trained on. A server that fails is asked again, patiently; one that stays away gives an aborted
answer, which ends its episode with cause `engine`. The key comes from an environment variable and goes into one header:
it is in no configuration, message, log or replay.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import os
import random
import re
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from saccade.agents.engines.api_chat import Answer, Messages, error_message, read_answer, says_too_long
from saccade.agents.engines.base import ContextFull, SamplingParams, StopReason
from saccade.agents.engines.options import read_options
from saccade.agents.engines.pace import Pace, backoff, told_to_wait
from saccade.agents.usage import Prices
from saccade.envs.errors import ConfigError

if TYPE_CHECKING:
    import httpx2

_LOG = logging.getLogger(__name__)
PASSING = (408, 409, 425, 429)
"""Statuses below 500 that are worth another attempt."""
SEEDS = 2**31
"""Seeds are below: every server takes those."""


@dataclass(frozen=True)
class APIEngineConfig:
    """Which server, and how it is treated."""

    base_url: str = ""
    """Where the protocol begins, such as `https://api.openai.com/v1` or `http://127.0.0.1:8000/v1`."""
    key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; without one, none is sent."""
    max_concurrent: int = 16
    """Most requests at once."""
    requests_per_minute: float = 0.0
    """Most requests a minute, spread evenly; 0 for no limit."""
    tokens_per_minute: float = 0.0
    """Most tokens a minute, prompts and replies together; 0 for no limit."""
    timeout: float = 120.0
    """Seconds that one request may take, from its first byte to the answer's last."""
    retries: int = 6
    """How often a request that failed (408, 409, 425, 429, 5xx, no or a broken answer) is sent again."""
    backoff: float = 1.0
    """Bound of the first pause, in seconds; it doubles each time, and the pause is a random part of it."""
    max_wait: float = 60.0
    """Longest pause; a server that asks for a longer one (`Retry-After`) is given up for this reply."""
    prices: Prices = field(default_factory=Prices)
    """What tokens cost."""
    options: str = ""
    """Further fields of each request as JSON; `null` leaves one out: `{"seed": null, "reasoning_effort": "low"}`."""

    def __post_init__(self) -> None:
        if self.max_concurrent < 1:
            raise ConfigError(f"max_concurrent must be >= 1, got {self.max_concurrent}")
        for name in ("requests_per_minute", "tokens_per_minute", "retries", "backoff", "max_wait"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be >= 0, got {getattr(self, name)}")
        if self.timeout <= 0:
            raise ConfigError(f"timeout must be > 0, got {self.timeout}")
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.key_env):
            raise ConfigError("key_env must name an environment variable in capitals; the key is its value")
        read_options(self.options)


class APIEngine:
    """Draws replies from a chat server.

    Args:
        model: its name there.
        config: which server.

    Raises:
        ConfigError: there is no usable address or key, or `httpx2` is not installed.
    """

    def __init__(self, model: str, config: APIEngineConfig) -> None:
        self.model = model
        self.config = config
        self._url = _endpoint(config.base_url)
        self._key = _key(config.key_env)
        self._options = read_options(config.options)
        self._requests = Pace(config.requests_per_minute)
        self._tokens = Pace(config.tokens_per_minute)
        self._answers = self._spent = 0
        self._client, self._failures = _client(self._key, config.max_concurrent)
        self._loop = asyncio.new_event_loop()
        self._free = asyncio.Semaphore(config.max_concurrent)
        self._thread = threading.Thread(target=self._loop.run_forever, name="saccade-api", daemon=True)
        self._thread.start()

    async def generate(self, prompt: Messages, params: SamplingParams, seed: int, key: str) -> Answer:
        """Draw one reply; `key` names the jitter of its pauses.

        Raises:
            ConfigError: the server refuses, and has answered nothing yet: a setting is wrong.
            ContextFull: the messages are longer than the model's context.
        """
        body = {
            "model": self.model,
            "messages": prompt,
            "max_tokens": params.max_tokens,
            "temperature": params.temperature,
            "seed": seed % SEEDS,
        } | self._options
        body = {name: value for name, value in body.items() if value is not None}
        work = self._draw(body, params.max_tokens, random.Random(key))
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def participant(self) -> AbstractContextManager[None]:
        """Nobody is waited for."""
        return nullcontext()

    def close(self) -> None:
        """Drop what is under way and close the connections."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _draw(self, body: dict[str, Any], longest: int, chance: random.Random) -> Answer:
        content = json.dumps(body).encode("ascii")
        for attempt in range(1 + self.config.retries):
            try:
                found, told = await self._try(content, longest)
            except TimeoutError:
                found, told = f"no answer within {self.config.timeout:g} s", 0.0
            except self._failures as failure:
                found, told = self._clean(f"{type(failure).__name__}: {failure}"), 0.0
            if isinstance(found, Answer):
                return found
            if attempt == self.config.retries or told > self.config.max_wait:
                break
            if told:
                self._requests.hold(time.monotonic() + told)
            pause = told + backoff(attempt, self.config.backoff, self.config.max_wait, chance.random())
            _LOG.info("asking %s again in %.1f s: %s", self._url, pause, found)
            await asyncio.sleep(pause)
        return Answer("", StopReason.ABORT, failure=f"{self._url} gave no reply in {attempt + 1} attempts: {found}")

    async def _try(self, content: bytes, longest: int) -> tuple[Answer | str, float]:
        """Send one request when the limits allow it: the answer or what is wrong, and seconds to wait after that."""
        async with self._free:
            expected = self._spent / self._answers if self._answers else float(longest)
            now = time.monotonic()
            await asyncio.sleep(max(self._requests.take(1, now), self._tokens.take(expected, now)) - now)
            spent = 0
            try:
                async with asyncio.timeout(self.config.timeout):
                    response = await self._client.post(self._url, content=content)
                found = self._read(response)
                spent = found.usage.total if isinstance(found, Answer) else 0
            finally:
                self._tokens.correct(spent - expected)
        return found, told_to_wait(response.headers.get("retry-after"), datetime.datetime.now(datetime.UTC))

    def _read(self, response: httpx2.Response) -> Answer | str:
        """The answer, or what is wrong with a response that is worth another attempt."""
        status = response.status_code
        try:
            data = json.loads(response.text)
        except (ValueError, RecursionError):
            data = None
        message, code = error_message(data, response.text)
        said = self._clean(f"{status} {message}")[:500]
        if status == 200:
            try:
                answer = read_answer(data)
            except ValueError as error:
                return f"{error}: {said}"
            self._answers += 1
            self._spent += answer.usage.total
            return answer
        if status >= 500 or status in PASSING:
            return said
        if says_too_long(status, message, code):
            raise ContextFull(said)
        if not self._answers:  # nothing ever worked: a setting is wrong
            raise ConfigError(f"{self._url} refuses: {said}; {self._hint(status, response)}")
        return Answer("", StopReason.ABORT, failure=f"{self._url} refused: {said}")

    def _hint(self, status: int, response: httpx2.Response) -> str:
        if status in (401, 403):
            has = "check the key in" if self._key else "no key was sent: set"
            return f"{has} the environment variable {self.config.key_env}"
        if status in (404, 405):
            return f"check the model's name ({self.model!r}) and api.base_url, which usually ends in /v1"
        if 300 <= status < 400:
            return f"it moved to {self._clean(response.headers.get('location', ''))!r}: give that as api.base_url"
        return "a field that the server does not take is left out by api.options, such as '{\"seed\": null}'"

    def _clean(self, text: str) -> str:
        """What a server or a library says, without the key, which both may repeat."""
        return text.replace(self._key, "***") if self._key else text

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.aclose()


def _endpoint(base_url: str) -> str:
    if not base_url:
        raise ConfigError(
            "engine 'api' needs the address of a server: api.base_url (--api.base-url), such as "
            "https://api.openai.com/v1 or http://127.0.0.1:8000/v1"
        )
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"api.base_url must be an address such as http://127.0.0.1:8000/v1: {error}") from error
    if parts.username or parts.password or parts.query:
        raise ConfigError("api.base_url must hold no key, name or password: keys come from the variable api.key_env")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"api.base_url must begin with http:// or https:// and name a host, got {base_url!r}")
    return f"{base_url.rstrip('/')}/chat/completions"


def _key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise ConfigError(f"{variable} must hold a key of visible ASCII characters: set it again")
    return key


def _client(key: str, connections: int) -> tuple[httpx2.AsyncClient, type[Exception]]:
    """The HTTP client, and what it raises when a request fails; it follows no redirect: the key goes to one place."""
    try:
        import httpx2
    except ImportError as error:
        raise ConfigError("engine 'api' needs httpx2: pip install 'saccade[api]'") from error
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    client = httpx2.AsyncClient(headers=headers, timeout=None, limits=limits, follow_redirects=False)
    return client, httpx2.RequestError
