import copy

import numpy as np
import pytest
import torch

from saccade.agents.agent import Agent
from saccade.agents.engines.transformers import TransformersEngine
from saccade.agents.engines.vllm import VLLMEngineConfig
from saccade.agents.load import load_model, saved_agent_config
from saccade.agents.lora import LoRAConfig
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.envs.errors import ConfigError
from saccade.rl.batch import Row
from saccade.rl.checkpoint import CheckpointFolder
from saccade.rl.config import TrainConfig
from saccade.rl.kl import KLConfig
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.mismatch import CorrectionConfig
from saccade.rl.probes import mismatch


@pytest.fixture
def rows(turns):
    rng = np.random.default_rng(0)
    samples = [s for each in turns[:3] for s in each.samples]
    samples.append(samples[0])  # so that a prefix is shared
    return [Row(s, rng.normal(size=int(s.action_mask.sum()))) for s in samples]


@pytest.fixture
def fresh(tiny_path):
    """Builds a learner of a model of its own."""

    def build(**config):
        backbone, chat = load_model(tiny_path)
        settings = {"learning_rate": 1e-2, "warmup": 1, "max_grad_norm": 1e9}
        return Learner(backbone, chat, LearnerConfig(**settings | config), 10)

    return build


def gradients(learner):
    return {name: weight.grad.clone() for name, weight in learner.parameters.items() if weight.grad is not None}


def gap(one, other):
    scale = max(float(each.abs().max()) for each in other.values())
    return max(float((one[name] - other[name]).abs().max()) for name in one) / scale


def test_a_frozen_tower_has_no_gradient_and_no_moments_and_sees_each_picture_once(fresh, rows, monkeypatch):
    settings = {"kl_coef": 0.1, "passes": 2, "correction": CorrectionConfig("truncate")}
    free, frozen = fresh(**settings), fresh(freeze_vision=True, **settings)
    seen = []
    encode_all = type(frozen.backbone)._encode_all
    monkeypatch.setattr(
        type(frozen.backbone),
        "_encode_all",
        lambda self, media: (seen.append(self is frozen.backbone), encode_all(self, media))[1],
    )
    tower = [weight.detach().clone() for weight in frozen.backbone.model.model.visual.parameters()]
    for each in (free, frozen):
        each.step(rows)
    assert seen.count(False) == 4 and seen.count(True) == 1  # correction, reference, two passes
    assert not any(".visual." in name for name in frozen.optimizer.moments())
    assert not any(".visual." in name for name in frozen.reference.weights)
    assert all(map(torch.equal, tower, frozen.backbone.model.model.visual.parameters()))
    assert dict(frozen.weights()).keys() == dict(free.weights()).keys()
    frozen.step(rows)
    assert seen.count(True) == 2  # another update, other encodings


def test_a_frozen_tower_leaves_the_gradient_of_the_rest(fresh, rows):
    free, frozen = fresh(kl_coef=0.0), fresh(kl_coef=0.0, freeze_vision=True)
    for each in (free, frozen):
        each.step(rows)
    assert gap(gradients(frozen), gradients(free)) < 1e-6


@pytest.mark.parametrize("settings", [{}, {"micro_batch_tokens": 1}, {"freeze_vision": True, "lora": LoRAConfig(4)}])
def test_recomputed_activations_give_the_same_gradient(fresh, rows, settings):
    plain, subject = fresh(kl_coef=0.0, **settings), fresh(kl_coef=0.0, activation_checkpointing=True, **settings)
    for learner in (plain, subject):
        for name, weight in learner.parameters.items():
            if "lora_B" in name:
                weight.data.fill_(0.01)
    layer, calls = subject.backbone.model.model.language_model.layers[0].mlp, []
    layer.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    copied = copy.deepcopy(subject.backbone.model)
    found = [learner.step(rows) for learner in (plain, subject)]
    assert gap(gradients(subject), gradients(plain)) < 1e-6 and gradients(subject).keys() == gradients(plain).keys()
    assert found[0]["policy/loss"] == pytest.approx(found[1]["policy/loss"], abs=1e-7)
    assert len(calls) % 4 == 0  # prefix and suffix, each twice
    one = copied.model.language_model.layers[0]
    assert one.forward.__self__ is one


def test_weights_in_16_bits_have_masters_that_small_steps_move(fresh, rows, tmp_path):
    settings = {"precision": "bfloat16", "learning_rate": 1e-6, "kl": KLConfig(reference="average", decay=0.5)}
    subject = fresh(**settings)
    name, weight = next((name, each) for name, each in subject.parameters.items() if "q_proj" in name)
    start, mean = weight.detach().clone(), subject.reference.weights[name].clone()
    assert weight.dtype == torch.bfloat16 and mean.dtype == torch.float32
    metrics = subject.step(rows)
    moved = subject.optimizer.masters[name]
    assert metrics["learner/gradient_norm"] > 0 and weight.grad is None and moved.grad.dtype == torch.float32
    assert 0 < (moved - start.float()).abs().max() < 2e-6  # far below what 16 bits can tell apart
    assert all(torch.equal(each, subject.optimizer.masters[key].bfloat16()) for key, each in subject.parameters.items())
    assert torch.equal(subject.reference.weights[name], mean.lerp(moved, 0.5))

    folder = CheckpointFolder(tmp_path, "r")
    folder.save(subject, 1, {})
    subject.step(rows)
    other = fresh(**settings)
    folder.latest().restore(other)
    other.step(rows)
    for key, found in subject.optimizer.masters.items():
        assert torch.equal(found, other.optimizer.masters[key])
    with pytest.raises(ConfigError, match="of another precision"):
        folder.latest().restore(fresh(kl=settings["kl"]))


def test_gradients_of_16_bits_add_up_in_32(fresh, rows):
    whole, cut = (
        fresh(precision="bfloat16", kl_coef=0.0),
        fresh(precision="bfloat16", kl_coef=0.0, micro_batch_tokens=1),
    )
    exact = fresh(kl_coef=0.0)
    for each in (whole, cut, exact):
        each.step(rows)
    wanted = torch.cat([each.grad.flatten() for each in exact.optimizer.masters.values()])
    for each in (whole, cut):
        found = torch.cat([weight.grad.flatten() for weight in each.optimizer.masters.values()])
        assert torch.nn.functional.cosine_similarity(found, wanted, dim=0) > 0.99


def test_the_embedded_engine_samples_in_the_learners_precision(fresh, tiny_path, walk):
    subject = fresh(precision="bfloat16", kl_coef=0.0)
    engine = TransformersEngine(subject.backbone, subject.chat.media)
    runner = Runner(Agent(engine, subject.chat, saved_agent_config(tiny_path)), RunnerConfig(concurrency=2))
    drawn = [sample for each in runner.run([Job(walk.task(seed)) for seed in range(2)]) for sample in each.samples]
    runner.close()
    engine.close()
    assert mismatch(subject, [Row(s, np.zeros(int(s.action_mask.sum()))) for s in drawn]) < 0.2


def test_settings_that_contradict_each_other_are_refused(tiny_path):
    with pytest.raises(ConfigError, match="did you mean 'bfloat16'"):
        LearnerConfig(precision="bfloat")
    with pytest.raises(ConfigError, match="choose one"):
        LearnerConfig(freeze_vision=True, lora=LoRAConfig(rank=4, vision=True))
    settings = {"model": str(tiny_path), "envs": ("saccade/Digits-v0",), "engine": "vllm", "deterministic": False}
    half = LearnerConfig(precision="bfloat16")
    with pytest.raises(ConfigError, match="set it to 'bfloat16'"):
        TrainConfig(learner=half, **settings)
    TrainConfig(learner=half, vllm=VLLMEngineConfig(dtype="bfloat16"), **settings)
