import pytest
import torch

from saccade.agents.backbone import pad_block
from saccade.agents.load import load_chat, load_model, plain_place, save_agent_config, saved_agent_config
from saccade.agents.lora import LoRAConfig, attach, base_of, targets_of
from saccade.envs.errors import ConfigError


def disturb(adapter, seed=0):
    """An adapter that has learned something."""
    rng = torch.Generator().manual_seed(seed)
    for layer in adapter.layers.values():
        layer.lora_B["default"].weight.data.normal_(0, 0.1, generator=rng)


def logits(backbone):
    ids = list(range(20, 60))
    block = pad_block([ids], [backbone.positions(ids, [])], [[]], left=False, device=backbone.device)
    with torch.no_grad():
        return backbone.logits(backbone.hidden(block, backbone.encode([])))


def test_targets_are_linear_layers_by_pattern_and_the_tower_only_when_asked(agent):
    backbone = agent.engine.backbone
    text = targets_of(backbone, LoRAConfig(4))
    assert len(text) == 3 * 7 and all("language_model" in name for name in text)
    both = targets_of(backbone, LoRAConfig(4, vision=True))
    assert {name.split(".")[1] for name in set(both) - set(text)} == {"visual"} and "lm_head" not in both
    assert len(targets_of(backbone, LoRAConfig(4, targets="(q|v)_proj"))) == 3 * 2
    with pytest.raises(ConfigError, match=r"fits no linear layer of the text model; did you mean 'q_proj'"):
        attach(backbone, LoRAConfig(4, targets="q_projj"))


@pytest.mark.parametrize("bad", [{"rank": -1}, {"rank": 4, "alpha": 0}, {"dropout": 1.0}, {"targets": "("}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ConfigError, match="lora"):
        LoRAConfig(**bad)


def test_a_seed_names_the_first_weights_and_nothing_else_is_drawn(tiny_path):
    found = []
    for seed in (1, 1, 2):
        backbone, _ = load_model(tiny_path)
        before = torch.random.get_rng_state()
        adapter = attach(backbone, LoRAConfig(4, seed=seed))
        assert torch.equal(before, torch.random.get_rng_state())
        found.append(next(iter(adapter.layers.values())).lora_A["default"].weight)
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    with pytest.raises(ConfigError, match="wears an adapter already"):
        attach(backbone, LoRAConfig(4))


def test_an_adapter_is_exported_merged_and_apart_and_comes_back(agent, tiny_path, tmp_path):
    backbone = agent.engine.backbone
    plain = logits(backbone)
    start = {name: weight.clone() for name, weight in backbone.weights()}
    adapter = attach(backbone, LoRAConfig(4, vision=True))
    assert torch.equal(plain, logits(backbone))
    disturb(adapter)
    worn = logits(backbone)
    assert (worn - plain).abs().max() > 0.1
    with adapter.off():
        assert torch.equal(plain, logits(backbone))
    assert torch.equal(worn, logits(backbone))

    merged = dict(backbone.weights())
    assert merged.keys() == start.keys()
    changed = {name for name in start if not torch.equal(start[name], merged[name])}
    assert changed == {f"{name}.weight" for name in adapter.layers}

    backbone.save_pretrained(tmp_path / "merged")
    agent.chat.save_pretrained(tmp_path / "merged")
    adapter.save(tmp_path / "apart", str(tiny_path))
    save_agent_config(tmp_path / "apart", agent.config)
    assert base_of(tmp_path / "merged") is None and plain_place(tmp_path / "apart") == str(tiny_path)
    assert saved_agent_config(tmp_path / "apart") == agent.config
    assert load_chat(tmp_path / "apart").banned == agent.chat.banned
    for place in ("merged", "apart"):
        again, _ = load_model(tmp_path / place)
        assert all(torch.equal(merged[name], weight) for name, weight in again.weights())
        assert (logits(again) - worn).abs().max() < 1e-5

    # An adapter trained on top of an adapter names that one as its base.
    second = attach(again, LoRAConfig(2))
    disturb(second, seed=1)
    second.save(tmp_path / "second", str(tmp_path / "apart"))
    assert plain_place(tmp_path / "second") == str(tiny_path)
    stacked, _ = load_model(tmp_path / "second")
    assert (logits(stacked) - logits(again)).abs().max() < 1e-5


def test_an_adapter_without_a_base_is_refused(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigError, match="names no base model"):
        load_model(tmp_path)
