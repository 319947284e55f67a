import pytest
import torch

from saccade.agents.agent import AgentConfig
from saccade.agents.backbone import Backbone
from saccade.agents.load import load_model, save_agent_config, saved_agent_config
from saccade.agents.tiny import TinyConfig, build_tiny
from saccade.envs.errors import ConfigError


def test_it_is_a_real_class_that_from_pretrained_loads(tiny_path):
    import transformers

    model = transformers.AutoModelForImageTextToText.from_pretrained(tiny_path)
    assert type(model) is transformers.Qwen3VLForConditionalGeneration
    assert 300_000 < sum(p.numel() for p in model.parameters()) < 600_000
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_path)
    assert len(tokenizer) == model.config.text_config.vocab_size
    for tag in ("<think>", "</answer>", "<loc07>"):
        assert len(tokenizer.encode(tag)) == 1
    assert tokenizer.encode("42") == [*tokenizer.encode("4"), *tokenizer.encode("2")]


def test_a_class_whose_rows_cannot_share_a_prompt_is_refused_before_anything_runs():
    import transformers

    config = transformers.Qwen3_5Config(text_config={"num_hidden_layers": 4}, vision_config={"depth": 1})
    with torch.device("meta"):
        model = transformers.Qwen3_5ForConditionalGeneration(config)
    with pytest.raises(ConfigError, match="Qwen3_5ForConditionalGeneration is not supported yet: its layers of linear"):
        Backbone(model)


def test_the_one_that_hears_is_a_real_class_too(omni_path):
    import transformers

    model = transformers.AutoModelForImageTextToText.from_pretrained(omni_path)
    assert type(model) is transformers.Qwen2_5OmniThinkerForConditionalGeneration
    assert 300_000 < sum(p.numel() for p in model.parameters()) < 600_000
    tokenizer = transformers.AutoTokenizer.from_pretrained(omni_path)
    assert len(tokenizer) == model.config.text_config.vocab_size
    extractor = transformers.AutoFeatureExtractor.from_pretrained(omni_path)
    assert extractor.feature_size == model.config.audio_config.num_mel_bins


def test_saving_and_loading_keeps_every_weight(tiny_path, tmp_path):
    backbone, chat = load_model(tiny_path)
    backbone.model.save_pretrained(tmp_path)
    chat.save_pretrained(tmp_path)
    again, chat_again = load_model(tmp_path)
    for (name, one), (_, other) in zip(backbone.model.named_parameters(), again.model.named_parameters(), strict=True):
        assert torch.equal(one, other), name
    assert chat_again.encode("Walk the dot.") == chat.encode("Walk the dot.")
    assert chat_again.banned == chat.banned


def test_equal_seeds_give_equal_weights_and_others_do_not(tmp_path):
    files = []
    for index, seed in enumerate((0, 0, 1)):
        path = build_tiny(tmp_path / str(index), TinyConfig(layers=1), ["some words"], seed)
        files.append((path / "model.safetensors").read_bytes())
    assert files[0] == files[1] != files[2]


def test_how_it_reads_is_kept_beside_it(tmp_path):
    config = AgentConfig(coordinates="thousand", max_reply_tokens=7)
    save_agent_config(tmp_path, config)
    assert saved_agent_config(tmp_path) == config
    assert saved_agent_config(tmp_path / "nowhere") == AgentConfig()
