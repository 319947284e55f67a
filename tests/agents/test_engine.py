import asyncio

import numpy as np
import pytest
import torch

from saccade.agents.engines.base import Prompt, SamplingParams, StopReason
from saccade.agents.engines.sampling import banned_mask, draw, masked_logprobs, uniforms
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation


def picture(seed):
    return Image(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def prompt_of(agent, text, *images):
    ledger = agent.chat.open("S")
    agent.chat.observe(ledger, Observation.of(text, *images), 0)
    return ledger.prompt()


def generate(agent, prompts, params=None, seeds=None):
    params = params or agent.params

    async def run():
        jobs = [
            agent.engine.generate(prompt, params, seeds[i] if seeds else i, f"{i:03d}")
            for i, prompt in enumerate(prompts)
        ]
        return await asyncio.gather(*jobs)

    return asyncio.run(run())


def test_masked_logprobs_are_a_distribution_over_the_allowed_tokens():
    logits = torch.tensor([[1.0, 2.0, 3.0, 9.0]])
    banned = banned_mask([3], 4)
    found = masked_logprobs(logits, banned, 0.5)
    assert found.exp().sum().item() == pytest.approx(1)
    assert found[0, 3] == float("-inf")
    # by hand: exp(2), exp(4), exp(6) over their sum
    weights = np.exp([2.0, 4.0, 6.0])
    assert found[0, :3].exp().numpy() == pytest.approx(weights / weights.sum(), rel=1e-5)


def test_draw_follows_the_distribution_and_never_takes_a_banned_token():
    probabilities = torch.tensor([0.0, 0.2, 0.5, 0.3, 0.0])
    count = 20000
    numbers = torch.from_numpy(uniforms(7, count))
    tokens = draw(probabilities.log().expand(count, -1), numbers, torch.zeros(count, dtype=torch.bool))
    share = torch.bincount(tokens, minlength=5) / count
    assert share[0] == share[4] == 0
    assert torch.allclose(share, probabilities, atol=4 * (0.25 / count) ** 0.5)
    edge = draw(probabilities.log().expand(2, -1), torch.tensor([0.0, 1 - 1e-16]), torch.zeros(2, dtype=torch.bool))
    assert edge.tolist() == [1, 3]


def test_random_numbers_are_named_by_their_seed():
    assert np.array_equal(uniforms(5, 8), uniforms(5, 16)[:8])
    assert not np.array_equal(uniforms(5, 8), uniforms(6, 8))


def test_a_reply_is_the_same_alone_and_in_a_batch(agent):
    prompts = [prompt_of(agent, f"text {'long ' * i}", picture(i)) for i in range(5)]
    together = generate(agent, prompts)
    for index, prompt in enumerate(prompts):
        alone = generate(agent, [prompt], seeds=[index])[0]
        assert alone.ids == together[index].ids
        assert alone.logprobs == pytest.approx(together[index].logprobs, abs=1e-4)


def test_equal_requests_are_equal_bit_for_bit(agent):
    prompts = [prompt_of(agent, "same", picture(0))] * 3 + [prompt_of(agent, "other")]
    assert generate(agent, prompts) == generate(agent, prompts)


def test_greedy_takes_the_most_probable_token(agent):
    params = SamplingParams(max_tokens=4, temperature=0, stop=(agent.chat.stop,), banned=agent.chat.banned)
    first, second = generate(agent, [prompt_of(agent, "x")] * 2, params)
    assert first.ids == second.ids
    sampled = generate(agent, [prompt_of(agent, "x")] * 32)
    assert len({reply.ids[0] for reply in sampled}) > 1
    assert max(reply.logprobs[0] for reply in sampled) <= first.logprobs[0] + 1e-4


def test_banned_tokens_never_come_and_the_stop_ends_a_reply(agent):
    allowed = [agent.chat.stop, *agent.chat.encode("a")]
    banned = tuple(set(range(agent.chat.vocabulary)) - set(allowed))
    params = SamplingParams(max_tokens=64, stop=(agent.chat.stop,), banned=banned)
    for reply in generate(agent, [prompt_of(agent, "x")] * 8, params):
        assert set(reply.ids) <= set(allowed)
        assert (reply.stop_reason is StopReason.STOP) == (reply.ids[-1] == agent.chat.stop)
        assert agent.chat.stop not in reply.ids[:-1]


def test_placeholders_must_fit_the_pictures(agent):
    prompt = prompt_of(agent, "x", picture(0))
    with pytest.raises(ValueError, match="placeholders"):
        generate(agent, [Prompt(prompt.ids, ())])


def test_the_picture_matters(agent):
    seen = generate(agent, [prompt_of(agent, "x", picture(1))], seeds=[0])[0]
    other = generate(agent, [prompt_of(agent, "x", picture(2))], seeds=[0])[0]
    assert seen.logprobs[0] != pytest.approx(other.logprobs[0], abs=1e-4)


def test_new_weights_count_from_the_next_reply(agent):
    prompt = prompt_of(agent, "x")
    before = generate(agent, [prompt], seeds=[0])[0]
    weights = {n: p.detach() + 0.05 * torch.randn_like(p) for n, p in agent.engine.backbone.model.named_parameters()}
    agent.engine.update(weights.items(), 1)
    after = generate(agent, [prompt], seeds=[0])[0]
    assert before.versions[0] == 0 and after.versions[0] == 1
    assert before.logprobs[0] != after.logprobs[0]


def test_an_unknown_weight_is_refused(agent):
    with pytest.raises(ConfigError, match="no weight"):
        agent.engine.update([("lm_head.bias", torch.zeros(1))], 1)


@pytest.mark.parametrize("bad", [{"max_tokens": 0}, {"temperature": -1}])
def test_sampling_settings_are_checked(bad):
    with pytest.raises(ConfigError):
        SamplingParams(**bad)
