"""Our prompts and sampling settings in vLLM's terms, and its replies in ours.

vLLM takes the ledger's ids as they are, placeholders expanded, and the very tensors that the learner trains on: its own
media processors are never asked, so there is nothing to compare and nothing to expand twice.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from saccade.agents.engines.base import Completion, Prompt, SamplingParams, StopReason
from saccade.agents.media import Features, Media
from saccade.agents.modality import Modality
from saccade.envs.errors import ConfigError

if TYPE_CHECKING:
    import vllm
    from vllm import RequestOutput

COLDEST = 0.01
"""vLLM samples no colder than this, except greedily."""


def engine_input(prompt: Prompt, media: Media) -> Any:
    """A prompt as vLLM's engine input.

    Raises:
        ConfigError: the prompt holds something else than text and pictures.
        ValueError: its placeholders do not fit its pictures.
    """
    features = [media.process(medium) for medium in prompt.media]
    others = {each.modality for each in features} - {Modality.IMAGE}
    if others:
        raise ConfigError(
            f"the vLLM engine takes text and pictures, this prompt has {', '.join(sorted(others))}: use "
            "engine='transformers'"
        )
    starts = _starts(prompt, features, media.placeholders.get(Modality.IMAGE, -1))
    from vllm.inputs.engine import mm_input, tokens_input

    if not features:
        return tokens_input(list(prompt.ids))
    from vllm.multimodal.inputs import MultiModalKwargsItems, PlaceholderRange

    places = [PlaceholderRange(offset=start, length=each.tokens) for start, each in zip(starts, features, strict=True)]
    return mm_input(
        list(prompt.ids),
        MultiModalKwargsItems({"image": [_item(each) for each in features]}),
        {"image": [each.digest for each in features]},
        {"image": places},
    )


def sampling_params(params: SamplingParams, seed: int, vocabulary: int, forced: bool = False) -> vllm.SamplingParams:
    """Our sampling settings as vLLM's: the whole distribution, without banned tokens, and only our stops.

    Args:
        params: our settings.
        seed: names the random numbers.
        vocabulary: rows of the model's output.
        forced: whether the reply must match `params.pattern`.
    """
    import vllm
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    if forced and not params.pattern:
        raise ConfigError("forced_format has nothing to force: in reply_format 'plain' every reply is well formed")

    if 0 < params.temperature < COLDEST:
        raise ConfigError(
            f"vLLM takes temperature 0 or at least {COLDEST}, got {params.temperature}: choose 0 for greedy"
        )
    return vllm.SamplingParams(
        temperature=params.temperature,
        max_tokens=params.max_tokens,
        seed=seed % 2**63,
        stop_token_ids=list(params.stop),
        ignore_eos=True,  # what ends a reply is said by `stop` alone
        allowed_token_ids=_allowed(params.banned, vocabulary),
        logprobs=0,  # of the sampled token only
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
        structured_outputs=StructuredOutputsParams(regex=params.pattern) if forced else None,
    )


def completion(output: RequestOutput) -> Completion:
    """A finished reply, each token with the version of the weights that vLLM drew it under.

    One that vLLM ended for no reason of ours is aborted.
    """
    reply, prompt = output.outputs[0], tuple(output.prompt_token_ids or ())
    if reply.finish_reason not in (StopReason.STOP, StopReason.LENGTH):
        return Completion((), (), (), StopReason.ABORT, prompt, f"vLLM ended the reply with {reply.finish_reason!r}")
    ids = tuple(reply.token_ids)
    found: Any = reply.logprobs or []
    return Completion(
        ids,
        # Rounding can lift the logarithm of a certain token above 0.
        tuple(min(step[token].logprob, 0.0) for token, step in zip(ids, found, strict=True)),
        tuple(int(span.version) for span in reply.weight_versions or () for _ in range(span.start, span.end)),
        StopReason(reply.finish_reason),
        prompt,
    )


def _starts(prompt: Prompt, features: list[Features], placeholder: int) -> list[int]:
    """Where the placeholders of each picture begin."""
    places = [index for index, token in enumerate(prompt.ids) if token == placeholder]
    wanted = sum(each.tokens for each in features)
    if len(places) != wanted:
        raise ValueError(f"the prompt has {len(places)} image placeholders but {wanted} features")
    starts, used = [], 0
    for each in features:
        starts.append(places[used])
        used += each.tokens
    return starts


def _item(features: Features) -> Any:
    """One picture's tensors, in the fields that vLLM's Qwen-VL models read."""
    import torch
    from transformers import BatchFeature
    from vllm.multimodal.inputs import MultiModalFieldConfig, MultiModalKwargsItems

    fields = {
        "pixel_values": MultiModalFieldConfig.flat_from_sizes("image", torch.tensor([len(features.values)])),
        "image_grid_thw": MultiModalFieldConfig.batched("image", keep_on_cpu=True),
    }
    data = {"pixel_values": features.values, "image_grid_thw": torch.tensor([features.grid])}
    return MultiModalKwargsItems.from_hf_inputs(BatchFeature(data), fields)["image"][0]


@lru_cache(maxsize=16)
def _allowed(banned: tuple[int, ...], vocabulary: int) -> list[int] | None:
    """The tokens that may be sampled; `None` for all."""
    return sorted(set(range(vocabulary)) - set(banned)) if banned else None
