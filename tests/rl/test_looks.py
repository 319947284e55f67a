import pytest
import torch

from saccade.rl.batch import Row, collate, score
from saccade.rl.looks import Looks


@pytest.fixture
def batch(agent, turns):
    """Rows of several turns; the first two are the same, so that pictures repeat."""
    import numpy as np

    samples = [turns[0].samples[0], *(each.samples[0] for each in turns[:3])]
    rows = [Row(sample, np.ones(int(sample.action_mask.sum()))) for sample in samples]
    return collate(rows, agent.engine.backbone, agent.chat.media)


def gradient(model, backward):
    model.zero_grad()
    backward()
    found = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    model.zero_grad()
    return found


def test_two_stages_have_the_gradient_of_the_whole_graph(agent, batch):
    backbone = agent.engine.backbone
    banned = torch.zeros(backbone.vocabulary, dtype=torch.bool)

    def whole():
        score(backbone, batch, banned, 1.0)[0].sum().backward()

    def staged():
        looks = Looks(backbone, batch.features)
        half = score(backbone, batch, banned, 1.0, looks.encoded)[0].sum() / 2
        half.backward()
        (score(backbone, batch, banned, 1.0, looks.encoded)[0].sum() / 2).backward()
        looks.backward()

    expected, found = gradient(backbone.model, whole), gradient(backbone.model, staged)
    assert expected.abs().max() > 0
    assert (expected - found).abs().max() / expected.abs().max() < 1e-5


def test_without_the_second_stage_the_tower_learns_nothing(agent, batch):
    backbone = agent.engine.backbone
    banned = torch.zeros(backbone.vocabulary, dtype=torch.bool)
    looks = Looks(backbone, batch.features)
    score(backbone, batch, banned, 1.0, looks.encoded)[0].sum().backward()
    tower = list(backbone.model.model.visual.parameters())
    assert all(parameter.grad is None for parameter in tower)
    looks.backward()
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in tower)
    backbone.model.zero_grad()


def test_each_picture_is_encoded_once(agent, batch, monkeypatch):
    seen = []
    tower = agent.engine.backbone.model.model.get_image_features
    monkeypatch.setattr(
        agent.engine.backbone.model.model,
        "get_image_features",
        lambda pixels, grid, **more: seen.append(len(grid)) or tower(pixels, grid, **more),
    )
    Looks(agent.engine.backbone, [*batch.features, *batch.features])
    assert seen == [len(batch.features)]


def test_a_frozen_tower_is_left_alone(agent, batch):
    backbone = agent.engine.backbone
    for parameter in backbone.model.model.visual.parameters():
        parameter.requires_grad_(False)
    looks = Looks(backbone, batch.features)
    banned = torch.zeros(backbone.vocabulary, dtype=torch.bool)
    score(backbone, batch, banned, 1.0, looks.encoded)[0].sum().backward()
    looks.backward()
    assert all(parameter.grad is None for parameter in backbone.model.model.visual.parameters())
