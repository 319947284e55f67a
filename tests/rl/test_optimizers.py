import pytest
import torch
from torch import nn

from saccade.envs.errors import ConfigError
from saccade.rl.optimizers import MATRIX_RATE, Optimizer


def weights():
    torch.manual_seed(0)
    return {
        "embed_tokens.weight": nn.Parameter(torch.randn(5, 4)),
        "layer.weight": nn.Parameter(torch.randn(6, 4)),
        "layer.bias": nn.Parameter(torch.randn(6)),
    }


def step(optimizer, parameters, seed):
    rng = torch.Generator().manual_seed(seed)
    for parameter in parameters.values():
        parameter.grad = torch.randn(parameter.shape, generator=rng)
    optimizer.step(1e-2)


def make(name, parameters):
    return Optimizer(name, parameters, betas=(0.9, 0.99), weight_decay=0.0)


def test_adamw_is_torchs_adamw():
    mine, theirs = weights(), weights()
    reference = torch.optim.AdamW(theirs.values(), lr=1e-2, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    optimizer = make("adamw", mine)
    for seed in range(3):
        step(optimizer, mine, seed)
        for parameter, other in zip(mine.values(), theirs.values(), strict=True):
            other.grad = parameter.grad.clone()
        reference.step()
    assert all(torch.equal(a, b) for a, b in zip(mine.values(), theirs.values(), strict=True))


def test_muon_moves_matrices_along_orthogonal_directions_and_the_rest_as_adamw():
    mine, adamw = weights(), weights()
    before = mine["layer.weight"].detach().clone()
    step(make("muon", mine), mine, 0)
    step(make("adamw", adamw), adamw, 0)
    for name in ("embed_tokens.weight", "layer.bias"):
        assert torch.equal(mine[name], adamw[name])
    moved = (before - mine["layer.weight"].detach()) / (1e-2 * MATRIX_RATE)
    # Newton-Schulz brings singular values near 1 only roughly; taller matrices step by sqrt(6 / 4) more.
    sizes = torch.linalg.svdvals(moved) / (6 / 4) ** 0.5
    assert (sizes > 0.5).all() and (sizes < 1.5).all()


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_moments_put_back_go_on_bit_for_bit(name):
    whole = weights()
    optimizer = make(name, whole)
    for seed in range(4):
        step(optimizer, whole, seed)
    first = weights()
    optimizer = make(name, first)
    for seed in range(2):
        step(optimizer, first, seed)
    second = {key: nn.Parameter(value.detach().clone()) for key, value in first.items()}
    resumed = make(name, second)
    resumed.restore({key: value.clone() for key, value in optimizer.moments().items()})
    for seed in (2, 3):
        step(resumed, second, seed)
    assert all(torch.equal(whole[key], second[key]) for key in whole)


def test_moments_of_another_optimiser_or_model_are_refused():
    mine = weights()
    muon = make("muon", mine)
    step(muon, mine, 0)
    with pytest.raises(ConfigError, match="of another optimiser"):
        make("adamw", weights()).restore(muon.moments())
    with pytest.raises(ConfigError, match="no weight 'layer"):
        fewer = weights()
        fewer.pop("layer.bias")
        make("muon", fewer).restore(muon.moments())


def test_an_unknown_name_suggests_the_near_one():
    with pytest.raises(ConfigError, match="unknown optimizer 'moun'; did you mean 'muon'"):
        make("moun", weights())
