"""The embedded engine: a Hugging Face model in this process, sharing its weights with the learner.

Waiting requests are batched; equal prompts (the episodes of a group at their first turn) are computed once; every
unique picture, video or sound goes through its encoder once. The keys and values of an episode stay for its next turn
(`turns.py`), of which only what is new is computed. In deterministic mode the same requests give the same tokens and
log-probabilities bit for bit; in fast mode batches depend on timing and log-probabilities agree within 1e-4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from saccade.agents.attention import slides
from saccade.agents.backbone import Backbone, Block, Encoded, pad_block
from saccade.agents.engines.base import Completion, Prompt, SamplingParams, StopReason
from saccade.agents.engines.batcher import Batcher
from saccade.agents.engines.sampling import banned_mask, draw, masked_logprobs, uniforms
from saccade.agents.engines.turns import Kept, Turns, pasts
from saccade.agents.media import Media
from saccade.agents.modality import name_of
from saccade.envs.errors import ConfigError, near


@dataclass(frozen=True)
class TransformersEngineConfig:
    """How requests are batched."""

    max_batch: int = 64
    """Most replies drawn together."""
    deterministic: bool = True
    """Wait for all running episodes and serve them in canonical order."""
    cache_bytes: int = 1 << 30
    """Most memory for the keys and values of earlier turns; with 0 every turn computes its prompt anew, as it does
    under a model with a sliding window, which forgets what a next turn needs."""

    def __post_init__(self) -> None:
        if self.cache_bytes < 0:
            raise ConfigError(f"cache_bytes must be >= 0 (0 keeps nothing), got {self.cache_bytes}")


@dataclass(frozen=True)
class _Request:
    prompt: Prompt
    params: SamplingParams
    seed: int


class TransformersEngine:
    """Samples from a `Backbone`.

    Args:
        backbone: the model; the learner may train the same object, no copy is made.
        media: its media processors.
        config: batching.
    """

    def __init__(self, backbone: Backbone, media: Media, config: TransformersEngineConfig | None = None) -> None:
        self.backbone = backbone
        self.media = media
        self.config = config or TransformersEngineConfig()
        self.version = 0
        self._turns = Turns(0 if slides(backbone.model) else self.config.cache_bytes)
        self._batcher = Batcher(self._serve, self.config.max_batch, self.config.deterministic)

    async def generate(self, prompt: Prompt, params: SamplingParams, seed: int, key: str) -> Completion:
        """Draw one reply."""
        return await self._batcher.submit(_Request(prompt, params, seed), key)

    @contextmanager
    def participant(self) -> Iterator[None]:
        """Held by each episode loop while it runs; with the last one, what was kept for next turns is dropped."""
        try:
            with self._batcher.participant():
                yield
        finally:
            if not self._batcher.participants:  # a batch that is still computed for nobody keeps the old one
                self._turns = Turns(self._turns.capacity)

    def update(self, weights: Iterable[tuple[str, Tensor]], version: int) -> None:
        """Copy new weights in; tensors that are the model's own (a shared learner) cost nothing.

        A model that wears an adapter is its learner's: what it is to serve is in it already, and nothing is merged.
        """
        self._turns.clear()
        self.version = version
        if self.backbone.adapter is not None:
            return
        own = dict(self.backbone.model.named_parameters())
        with torch.no_grad():
            for name, tensor in weights:
                if name not in own:
                    raise ConfigError(f"the model has no weight {name!r}; {near(name, own, 'weights')[:200]}")
                if own[name].data_ptr() != tensor.data_ptr():
                    own[name].copy_(tensor)

    def close(self) -> None:
        """Stop the worker thread."""
        self._batcher.close()

    def _serve(self, requests: Sequence[_Request]) -> list[Completion]:
        """Replies to one batch; requests with the same sampling settings run together."""
        results: list[Completion | None] = [None] * len(requests)
        by_params: dict[SamplingParams, list[int]] = {}
        for index, request in enumerate(requests):
            by_params.setdefault(request.params, []).append(index)
        turns, was_training = self._turns, self.backbone.model.training
        self.backbone.model.eval()
        with torch.inference_mode():
            for params, indices in by_params.items():
                replies = self._reply([requests[index] for index in indices], params, turns)
                for index, reply in zip(indices, replies, strict=True):
                    results[index] = reply
        self.backbone.model.train(was_training)
        return [result for result in results if result is not None]

    def _reply(self, requests: Sequence[_Request], params: SamplingParams, turns: Turns) -> list[Completion]:
        net, device = self.backbone, self.backbone.device
        unique, rows = _unique([request.prompt for request in requests])
        kept = [turns.take(prompt.ids, _names(prompt)) for prompt in unique]
        block, encoded = self._rest(unique, kept)
        cache = net.new_cache()
        before = pasts(cache, kept, device)
        last = net.hidden(block, encoded, cache, before)[:, -1]
        index = torch.tensor(rows, device=device)
        cache.batch_select_indices(index)
        past = prompts = torch.cat([before, block.mask], dim=1)[index]
        next_position = block.positions.amax(dim=(0, 2))[index] + 1
        hidden = last[index]

        banned = banned_mask(params.banned, net.vocabulary, device)
        stops = torch.tensor(params.stop, device=device)
        greedy = torch.full((len(rows),), params.temperature == 0, device=device)
        numbers = torch.stack([torch.from_numpy(uniforms(r.seed, params.max_tokens)) for r in requests]).to(device)
        alive = torch.ones(len(rows), dtype=torch.bool, device=device)
        tokens: list[Tensor] = []
        logprobs: list[Tensor] = []
        for step in range(params.max_tokens):
            scores = masked_logprobs(net.logits(hidden), banned, params.temperature)
            token = draw(scores, numbers[:, step], greedy)
            tokens.append(token)
            logprobs.append(scores.gather(-1, token.unsqueeze(-1)).squeeze(-1))
            alive = alive & ~torch.isin(token, stops)
            if not bool(alive.any()) or step + 1 == params.max_tokens:
                break
            one = Block(
                token.unsqueeze(-1),
                torch.ones(len(rows), 1, dtype=torch.bool, device=device),
                (next_position + step).view(1, -1, 1).expand(3, -1, 1),
                (),
            )
            hidden = net.hidden(one, encoded, cache, past)[:, -1]
            past = torch.cat([past, one.mask], dim=1)
        all_tokens, all_logprobs = torch.stack(tokens, 1).tolist(), torch.stack(logprobs, 1).tolist()
        replies = [
            self._completion(row_tokens, row_logprobs, params, unique[row].ids)
            for row_tokens, row_logprobs, row in zip(all_tokens, all_logprobs, rows, strict=True)
        ]
        if turns.capacity:
            fed = past.shape[1] - prompts.shape[1]  # the last token was drawn only
            for row, (reply, real, request) in enumerate(zip(replies, prompts, requests, strict=True)):
                said = reply.ids[:fed]
                columns = torch.arange(len(said), device=device) + len(real)
                own = torch.cat([real.nonzero().squeeze(1), columns])
                turns.keep(Kept.of(cache, row, own, (*reply.prompt_ids, *said), _names(request.prompt)))
        return replies

    def _rest(self, prompts: Sequence[Prompt], kept: Sequence[Kept | None]) -> tuple[Block, Encoded]:
        """What is not computed yet of each prompt, with its media."""
        net = self.backbone
        features = [[self.media.process(medium) for medium in prompt.media] for prompt in prompts]
        for prompt, row in zip(prompts, features, strict=True):
            for modality, token in net.placeholders.items():
                found = prompt.ids.count(token)
                wanted = sum(each.tokens for each in row if each.modality is modality)
                if found != wanted:
                    raise ValueError(f"the prompt has {found} {modality} placeholders but {wanted} features")
        done = [(0, 0) if each is None else (len(each.ids), len(each.media)) for each in kept]
        positions = [net.positions(p.ids, row) for p, row in zip(prompts, features, strict=True)]
        new = [row[seen:] for row, (_, seen) in zip(features, done, strict=True)]
        block = pad_block(
            [p.ids[tokens:] for p, (tokens, _) in zip(prompts, done, strict=True)],
            [places[:, tokens:] for places, (tokens, _) in zip(positions, done, strict=True)],
            [[each.digest for each in row] for row in new],
            left=True,
            device=net.device,
        )
        return block, net.encode([each for row in new for each in row])

    def _completion(
        self, tokens: list[int], logprobs: list[float], params: SamplingParams, prompt_ids: tuple[int, ...]
    ) -> Completion:
        end = next((at + 1 for at, token in enumerate(tokens) if token in params.stop), None)
        reason = StopReason.STOP if end else StopReason.LENGTH
        count = end or len(tokens)
        versions = (self.version,) * count
        return Completion(tuple(tokens[:count]), tuple(logprobs[:count]), versions, reason, prompt_ids)


def _names(prompt: Prompt) -> tuple[str, ...]:
    return tuple(map(name_of, prompt.media))


def _unique(prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[int]]:
    """Distinct prompts, and for each given prompt the index of its representative."""
    found: dict[tuple[object, ...], int] = {}
    unique: list[Prompt] = []
    rows: list[int] = []
    for prompt in prompts:
        name = (prompt.ids, *_names(prompt))
        if name not in found:
            found[name] = len(unique)
            unique.append(prompt)
        rows.append(found[name])
    return unique, rows
