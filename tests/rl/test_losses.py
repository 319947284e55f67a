import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from saccade.envs.errors import ConfigError
from saccade.rl.losses import AGGREGATIONS, LOSSES, Clip, clipped_surrogate, k3, make_loss, token_weights

CLIP = Clip(0.2, 0.28)


def loss_of(ratio, advantage):
    found = clipped_surrogate(torch.tensor([math.log(ratio)]), torch.zeros(1), torch.tensor([float(advantage)]), CLIP)
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


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_agree_with_finite_differences(name):
    torch.manual_seed(0)
    old = torch.randn(12, dtype=torch.float64)
    # Ratios away from the corners of the clip, where there is no derivative.
    logprobs = (old + torch.tensor([-0.5, -0.1, 0.1, 0.5], dtype=torch.float64).repeat(3)).requires_grad_()
    advantages = torch.randn(12, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, old, advantages, CLIP).loss, (logprobs,))


@pytest.mark.parametrize("name", LOSSES)
def test_on_policy_the_gradient_is_the_policy_gradient(name):
    logprobs = torch.tensor([-1.0, -2.0], requires_grad=True)
    LOSSES[name](logprobs, logprobs.detach(), torch.tensor([3.0, -4.0]), CLIP).loss.sum().backward()
    assert logprobs.grad.tolist() == pytest.approx([-3.0, 4.0])


def test_k3_by_hand():
    # d = log 2: exp(d) - d - 1 = 2 - .6931 - 1
    assert k3(torch.tensor([0.0]), torch.tensor([math.log(2)])).item() == pytest.approx(1 - math.log(2))
    assert k3(torch.tensor([-3.0]), torch.tensor([-3.0])).item() == 0


@given(st.floats(-50, 0), st.floats(-50, 0))
def test_k3_is_never_negative_and_always_finite(one, other):
    found = k3(torch.tensor([one]), torch.tensor([other])).item()
    assert found + 1e-6 >= 0 and math.isfinite(found)


def test_k3_estimates_the_exact_divergence():
    torch.manual_seed(0)
    policy = torch.tensor([0.5, 0.3, 0.2])
    reference = torch.tensor([0.2, 0.3, 0.5])
    exact = (policy * (policy / reference).log()).sum()
    tokens = torch.multinomial(policy, 200_000, replacement=True)
    found = k3(policy.log()[tokens], reference.log()[tokens])
    assert abs(found.mean() - exact) < 4 * found.std() / len(found) ** 0.5


def test_token_weights_by_hand():
    assert token_weights([1, 3], "token-mean") == [0.25, 0.25]
    assert token_weights([1, 4], "sequence-mean") == [0.5, 0.125]


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_weights_of_a_batch_sum_to_one(aggregation, lengths):
    weights = token_weights(lengths, aggregation)
    assert sum(n * weight for n, weight in zip(lengths, weights, strict=True)) == pytest.approx(1)


def test_bad_settings_are_refused():
    for bad in ({"low": 0}, {"low": 1.5}, {"high": 0}):
        with pytest.raises(ConfigError, match="clip"):
            Clip(**bad)
    with pytest.raises(ConfigError, match="did you mean 'clipped'"):
        make_loss("clip")
    with pytest.raises(ConfigError, match="aggregation"):
        token_weights([1], "mean")
