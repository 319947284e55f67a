"""Videos and sounds through the backbone, beside the library's own forward pass."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from saccade.agents.backbone import pad_block
from saccade.agents.omni import OmniBackbone
from saccade.envs.observation import Audio, Image, Observation, Video


def scene(seed, *kinds):
    rng = np.random.default_rng(seed)
    parts = {
        "image": lambda: Image(rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)),
        "video": lambda: Video(rng.integers(0, 256, (3, 48, 32, 3), dtype=np.uint8), 4.0),
        "audio": lambda: Audio(rng.uniform(-1, 1, 5000).astype(np.float32), 16000),
    }
    return Observation(tuple(part for kind in kinds for part in (Observation.of("then").parts[0], parts[kind]())))


def ours(agent, views):
    """Hidden states of each prompt in one padded block."""
    net, rows, features = agent.engine.backbone, [], []
    for view in views:
        ledger = agent.chat.open("S")
        agent.chat.observe(ledger, view, 0)
        rows.append(ledger.ids)
        features.append([agent.chat.media.process(medium) for medium in ledger.media])
    positions = [net.positions(ids, row) for ids, row in zip(rows, features, strict=True)]
    names = [[each.digest for each in row] for row in features]
    block = pad_block(rows, positions, names, left=True, device=net.device)
    with torch.no_grad():
        hidden = net.hidden(block, net.encode([each for row in features for each in row]))
        logits = net.logits(hidden)
    return rows, features, [row[len(row) - len(ids) :] for row, ids in zip(logits, rows, strict=True)]


def theirs(agent, ids, features):
    """Logits of one prompt from the class's own forward, positions and all."""
    model = agent.engine.backbone.model
    kind = {name: [each for each in features if each.modality == name] for name in ("image", "video", "audio")}
    row = torch.tensor([ids])
    inputs = {"input_ids": row, "attention_mask": torch.ones_like(row)}
    if kind["image"]:
        inputs["pixel_values"] = torch.cat([each.values for each in kind["image"]])
        inputs["image_grid_thw"] = torch.tensor([each.grid for each in kind["image"]])
    if kind["video"]:
        inputs["pixel_values_videos"] = torch.cat([each.values for each in kind["video"]])
        inputs["video_grid_thw"] = torch.tensor([each.grid for each in kind["video"]])
    if isinstance(agent.engine.backbone, OmniBackbone):
        if kind["video"]:
            inputs["video_second_per_grid"] = torch.tensor([each.seconds for each in kind["video"]])
        if kind["audio"]:
            inputs["input_features"] = torch.stack([each.values for each in kind["audio"]])
            inputs["feature_attention_mask"] = torch.ones(len(kind["audio"]), kind["audio"][0].grid[0]).long()
    else:
        places = agent.engine.backbone.placeholders
        types = (row == places["image"]).int() + 2 * (row == places["video"]).int()
        inputs["mm_token_type_ids"] = types
    model.rope_deltas = None
    with torch.no_grad():
        return model(**inputs).logits[0]


@pytest.mark.parametrize(
    "kinds", [("video",), ("image", "video"), ("video", "image", "video")], ids=lambda kinds: "+".join(kinds)
)
def test_videos_beside_the_librarys_forward(agent, kinds):
    rows, features, found = ours(agent, [scene(0, *kinds), scene(1, "video"), scene(2)])
    for index in range(3):
        assert torch.allclose(found[index], theirs(agent, rows[index], features[index]), atol=1e-4)


@pytest.mark.parametrize(
    "kinds",
    [("audio",), ("video",), ("image", "audio"), ("audio", "video", "image", "audio")],
    ids=lambda kinds: "+".join(kinds),
)
def test_a_thinker_beside_the_librarys_forward(omni, kinds):
    rows, features, found = ours(omni, [scene(0, *kinds), scene(1, "audio", "image"), scene(2)])
    for index in range(3):
        assert torch.allclose(found[index], theirs(omni, rows[index], features[index]), atol=1e-4)


def test_features_of_sounds_do_not_depend_on_their_neighbours(omni):
    media, net = omni.chat.media, omni.engine.backbone
    sounds = [Audio(scene(9, "audio").parts[1].samples[:count], 16000) for count in (800, 5000, 3333)]
    features = [media.process(sound) for sound in sounds]
    with torch.no_grad():
        together = net.encode(features)
        for each in features:
            alone = net.encode([each])
            assert len(alone.embeds[each.digest]) == each.tokens
            assert torch.allclose(alone.embeds[each.digest], together.embeds[each.digest], atol=1e-5)


def test_equal_media_are_encoded_once(omni):
    features = omni.chat.media.process(scene(0, "audio").parts[1])
    assert len(omni.engine.backbone.encode([features, replace(features)]).embeds) == 1
