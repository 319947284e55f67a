import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from saccade.envs.errors import ConfigError
from saccade.rl.losses import (
    AGGREGATIONS,
    DIVERGENCES,
    LOSSES,
    Clip,
    cispo,
    clipped_surrogate,
    gspo,
    k1,
    k2,
    k3,
    make_loss,
    token_weights,
    value_loss,
)

CLIP = Clip(0.2, 0.28)
ALONE = torch.zeros(1, dtype=torch.long)


def loss_of(ratio, advantage, clip=CLIP, loss=clipped_surrogate):
    found = loss(torch.tensor([math.log(ratio)]), torch.zeros(1), torch.tensor([float(advantage)]), ALONE, clip)
    return found.loss.item(), bool(found.clipped)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "clipped"),
    [
        (1.0, 2.0, -2.0, False),
        (1.1, 1.0, -1.1, False),
        (1.5, 1.0, -1.28, True),  # a good token is not pushed beyond 1 + high
        (0.5, 1.0, -0.5, False),  # but may come back freely
        (0.5, -1.0, 0.8, True),  # a bad token is not pushed below 1 - low
        (1.5, -1.0, 1.5, False),
    ],
)
def test_clipped_surrogate_by_hand(ratio, advantage, loss, clipped):
    assert loss_of(ratio, advantage) == (pytest.approx(loss), clipped)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "clipped"),
    [
        (5.0, -1.0, 3.0, True),  # without the dual clip it would be 5
        (2.0, -1.0, 2.0, False),
        (5.0, 1.0, -1.28, True),  # good tokens are as before
        (0.5, -1.0, 0.8, True),
    ],
)
def test_dual_clip_by_hand(ratio, advantage, loss, clipped):
    assert loss_of(ratio, advantage, Clip(0.2, 0.28, dual=3.0)) == (pytest.approx(loss), clipped)


def test_gspo_by_hand():
    # log-ratios .1, .3 of one sequence and -.2 of another: means .2 and -.2
    logprobs = torch.tensor([-0.9, -0.7, -1.2], requires_grad=True)
    old, sequences = torch.full((3,), -1.0), torch.tensor([0, 0, 1])
    found = gspo(logprobs, old, torch.tensor([1.0, 1.0, -2.0]), sequences, Clip(0.3, 0.3))
    up, down = math.exp(0.2), math.exp(-0.2)
    assert found.loss.tolist() == pytest.approx([-up, -up, 2 * down])
    # a sequence's mean has the gradient of the paper's sequence ratio: s / length for each token
    (found.loss * torch.tensor([0.5, 0.5, 1.0])).sum().backward()
    assert logprobs.grad.tolist() == pytest.approx([-up / 2, -up / 2, 2 * down])
    held = gspo(logprobs.detach(), old, torch.tensor([1.0, 1.0, -2.0]), sequences, Clip(0.1, 0.1))
    assert held.clipped.tolist() == [True, True, True]
    assert held.loss.tolist() == pytest.approx([-1.1, -1.1, 1.8])


def test_cispo_by_hand():
    logprobs = torch.tensor([math.log(0.4), math.log(0.1)], requires_grad=True)
    old = torch.log(torch.tensor([0.2, 0.2]))  # ratios 2 and .5
    found = cispo(logprobs, old, torch.tensor([3.0, 3.0]), torch.tensor([0, 0]), CLIP)
    assert found.clipped.tolist() == [True, False]
    assert found.loss.tolist() == pytest.approx([-1.28 * 3 * math.log(0.4), -0.5 * 3 * math.log(0.1)])
    found.loss.sum().backward()
    assert logprobs.grad.tolist() == pytest.approx([-1.28 * 3, -0.5 * 3])  # a clipped token still has a gradient


def test_value_loss_by_hand():
    values, old, targets = torch.tensor([1.0, 3.0, 3.0]), torch.tensor([1.0, 1.0, 1.0]), torch.tensor([2.0, 4.0, 0.0])
    assert value_loss(values, old, targets, 0.0).tolist() == pytest.approx([0.5, 0.5, 4.5])
    # moved by 2, held at 1.5: (1.5 - 4)^2 / 2 is worse than (3 - 4)^2 / 2, (1.5 - 0)^2 / 2 is better than 3^2 / 2
    assert value_loss(values, old, targets, 0.5).tolist() == pytest.approx([0.5, 3.125, 4.5])


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_the_gradient_of_the_value_loss_agrees_with_finite_differences(clip):
    torch.manual_seed(0)
    old, targets = torch.randn(2, 12, dtype=torch.float64)
    values = (old + torch.tensor([-0.9, -0.2, 0.2, 0.9], dtype=torch.float64).repeat(3)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: value_loss(x, old, targets, clip), (values,))


@pytest.mark.parametrize("name", ["clipped", "reinforce"])
@pytest.mark.parametrize("dual", [0.0, 1.5])
def test_gradients_agree_with_finite_differences(name, dual):
    clip = Clip(0.2, 0.28, dual)
    torch.manual_seed(0)
    old = torch.randn(12, dtype=torch.float64)
    # Ratios away from the corners of the clip, where there is no derivative.
    logprobs = (old + torch.tensor([-0.5, -0.1, 0.1, 0.5], dtype=torch.float64).repeat(3)).requires_grad_()
    advantages = torch.randn(12, dtype=torch.float64)
    sequences = torch.arange(3).repeat_interleave(4)
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, old, advantages, sequences, clip).loss, (logprobs,))


@pytest.mark.parametrize("width", [0.01, 2.0])
def test_the_gradient_of_gspo_is_that_of_the_sequence_ratio(width):
    """Beside its definition by sequence, in float64: tokens of a sequence share an advantage there."""
    torch.manual_seed(0)
    old, sequences = torch.randn(12, dtype=torch.float64), torch.arange(3).repeat_interleave(4)
    logprobs = (old + 0.3 * torch.randn(12, dtype=torch.float64)).requires_grad_()
    by_sequence = torch.randn(3, dtype=torch.float64)
    clip = Clip(min(width, 1.0), width)

    def by_hand(x):
        ratio = (x - old).view(3, 4).mean(1).exp()
        return -torch.minimum(ratio * by_sequence, ratio.clamp(1 - clip.low, 1 + clip.high) * by_sequence).mean()

    def by_token(x):
        return gspo(x, old, by_sequence[sequences], sequences, clip).loss.mean()

    (expected,) = torch.autograd.grad(by_hand(logprobs), logprobs)
    (found,) = torch.autograd.grad(by_token(logprobs), logprobs)
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert by_token(logprobs).item() == pytest.approx(by_hand(logprobs).item())
    assert torch.autograd.gradcheck(by_hand, (logprobs,))


@pytest.mark.parametrize("name", LOSSES)
def test_on_policy_the_gradient_is_the_policy_gradient(name):
    logprobs = torch.tensor([-1.0, -2.0], requires_grad=True)
    rows = torch.tensor([0, 1])
    LOSSES[name](logprobs, logprobs.detach(), torch.tensor([3.0, -4.0]), rows, CLIP).loss.sum().backward()
    assert logprobs.grad.tolist() == pytest.approx([-3.0, 4.0])


def test_k1_and_k2_by_hand():
    ours, theirs = torch.tensor([-1.0]), torch.tensor([-3.0])
    assert k1(ours, theirs).item() == 2.0
    assert k2(ours, theirs).item() == 2.0  # half of 2 squared
    assert k2(theirs, ours).item() == 2.0


@pytest.mark.parametrize("name", DIVERGENCES)
def test_gradients_of_divergences_agree_with_finite_differences(name):
    torch.manual_seed(0)
    ours, theirs = torch.randn(2, 8, dtype=torch.float64)
    ours.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: DIVERGENCES[name](x, theirs), (ours,))


def test_k3_by_hand():
    # d = log 2: exp(d) - d - 1 = 2 - .6931 - 1
    assert k3(torch.tensor([0.0]), torch.tensor([math.log(2)])).item() == pytest.approx(1 - math.log(2))
    assert k3(torch.tensor([-3.0]), torch.tensor([-3.0])).item() == 0


@given(st.floats(-50, 0), st.floats(-50, 0))
def test_k3_is_never_negative_and_always_finite(one, other):
    found = k3(torch.tensor([one]), torch.tensor([other])).item()
    assert found + 1e-6 >= 0 and math.isfinite(found)


@pytest.mark.parametrize("estimate", [k1, k3])
def test_k1_and_k3_estimate_the_exact_divergence(estimate):
    torch.manual_seed(0)
    policy = torch.tensor([0.5, 0.3, 0.2])
    reference = torch.tensor([0.2, 0.3, 0.5])
    exact = (policy * (policy / reference).log()).sum()
    tokens = torch.multinomial(policy, 200_000, replacement=True)
    found = estimate(policy.log()[tokens], reference.log()[tokens])
    assert abs(found.mean() - exact) < 4 * found.std() / len(found) ** 0.5


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_does_not_depend_on_how_a_batch_is_cut(name, aggregation):
    """In float64: rows of unlike lengths, some tokens left out; all together, in two parts, and one by one."""
    torch.manual_seed(0)
    lengths, kept = [3, 1, 5, 4], torch.tensor([1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1])
    rows = torch.arange(4).repeat_interleave(torch.tensor(lengths))
    old, advantages, drift = torch.randn(3, 13, dtype=torch.float64)
    taught = [int(kept[rows == row].sum()) for row in range(4)]
    weights = torch.tensor(token_weights(taught, aggregation, 9), dtype=torch.float64)[rows] * kept

    def gradient(parts):
        logprobs = (old + 0.3 * drift).requires_grad_()
        for part in parts:
            here = torch.isin(rows, torch.tensor(part))
            numbers = torch.unique(rows[here], return_inverse=True)[1]
            found = LOSSES[name](logprobs[here], old[here], advantages[here], numbers, CLIP)
            (found.loss * weights[here]).sum().backward()
        return logprobs.grad

    whole = gradient([[0, 1, 2, 3]])
    assert whole[rows == 1].abs().max() == 0 < whole.abs().max()
    for parts in ([[0, 2], [1, 3]], [[3], [2], [1], [0]]):
        assert (gradient(parts) - whole).abs().max() < 1e-12


def test_token_weights_by_hand():
    assert token_weights([1, 3], "token-mean") == [0.25, 0.25]
    assert token_weights([1, 4], "sequence-mean") == [0.5, 0.125]
    assert token_weights([1, 4], "constant", 10) == [0.05, 0.05]


def test_a_sequence_whose_tokens_are_all_left_out_is_not_counted():
    assert token_weights([0, 4], "token-mean")[1] == 0.25
    assert token_weights([0, 4], "sequence-mean")[1] == 0.25
    assert token_weights([0, 4], "constant", 8)[1] == 0.125


@pytest.mark.parametrize("aggregation", sorted(set(AGGREGATIONS) - {"constant"}))
@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_weights_of_a_batch_sum_to_one(aggregation, lengths):
    weights = token_weights(lengths, aggregation)
    assert sum(n * weight for n, weight in zip(lengths, weights, strict=True)) == pytest.approx(1)


def test_bad_settings_are_refused():
    for bad in ({"low": 0}, {"low": 1.5}, {"high": 0}):
        with pytest.raises(ConfigError, match="clip"):
            Clip(**bad)
    with pytest.raises(ConfigError, match=r"above 1 \+ high = 1.28, got 1.1"):
        Clip(dual=1.1)
    with pytest.raises(ConfigError, match="needs constant_length >= 1"):
        token_weights([1], "constant")
    with pytest.raises(ConfigError, match="did you mean 'clipped'"):
        make_loss("clip")
    with pytest.raises(ConfigError, match="aggregation"):
        token_weights([1], "mean")
