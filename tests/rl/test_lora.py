import hashlib

import numpy as np
import pytest
import torch

from saccade.agents.agent import Agent, AgentConfig
from saccade.agents.engines.transformers import TransformersEngine
from saccade.agents.load import load_model, saved_agent_config
from saccade.agents.lora import LoRAConfig
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.envs.errors import ConfigError
from saccade.rl.batch import Row
from saccade.rl.checkpoint import CheckpointFolder
from saccade.rl.config import TrainConfig
from saccade.rl.critic import CriticConfig
from saccade.rl.kl import KLConfig
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.probes import mismatch
from saccade.rl.trainer import Trainer

LORA = LoRAConfig(rank=4, vision=True)


@pytest.fixture
def rows(turns):
    rng = np.random.default_rng(0)
    return [Row(s, rng.normal(size=int(s.action_mask.sum()))) for each in turns[:3] for s in each.samples]


@pytest.fixture
def fresh(tiny_path):
    """Builds a learner of a model of its own."""

    def build(**config):
        backbone, chat = load_model(tiny_path)
        settings = {"learning_rate": 1e-2, "warmup": 1, "lora": LORA}
        return Learner(backbone, chat, LearnerConfig(**settings | config), 10)

    return build


def checksum(model):
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        if "lora_" not in name:
            digest.update(weight.detach().numpy().tobytes())
    return digest.hexdigest()


def test_an_adapter_learns_and_its_base_stands_still(fresh, rows, tiny_path, walk):
    plain = fresh(lora=LoRAConfig())
    wanted = plain.logprobs(rows)
    subject = fresh(kl_coef=0.1)
    base = checksum(subject.backbone.model)
    assert base == checksum(plain.backbone.model)
    assert all(map(torch.equal, wanted, subject.logprobs(rows)))
    assert all("lora_" in name for name in subject.parameters) and not subject.reference.weights

    assert subject.step(rows)["policy/kl"] == pytest.approx(0, abs=1e-9)
    assert subject.step(rows)["policy/kl"] > 1e-5
    assert checksum(subject.backbone.model) == base
    assert all(map(torch.equal, wanted, subject.logprobs(rows, subject.reference)))
    moved = subject.logprobs(rows)
    assert max(float((a - b).abs().max()) for a, b in zip(moved, wanted, strict=True)) > 0.01

    # Another model takes the merged stream: what vLLM is sent.
    other = TransformersEngine(plain.backbone, plain.chat.media)
    other.update(subject.weights(), 1)
    assert max(float((a - b).abs().max()) for a, b in zip(moved, plain.logprobs(rows), strict=True)) < 1e-5
    other.close()

    # The embedded engine serves the adapter that the learner trains.
    engine = TransformersEngine(subject.backbone, subject.chat.media)
    engine.update(subject.weights(), 2)
    runner = Runner(Agent(engine, subject.chat, saved_agent_config(tiny_path)), RunnerConfig(concurrency=2))
    drawn = [sample for each in runner.run([Job(walk.task(seed)) for seed in range(2)]) for sample in each.samples]
    runner.close()
    engine.close()
    assert engine.version == 2 and checksum(subject.backbone.model) == base
    served = [Row(sample, np.zeros(int(sample.action_mask.sum()))) for sample in drawn]
    assert mismatch(subject, served) < 1e-4 < mismatch(fresh(lora=LoRAConfig()), served)


@pytest.mark.parametrize("reference", ["start", "average"])
def test_a_checkpoint_holds_the_adapter_alone_and_resumes_exactly(fresh, rows, tmp_path, reference):
    kl, critic = KLConfig(reference=reference, decay=0.9), CriticConfig("separate")
    settings = {"kl": kl, "lora": LoRAConfig(rank=2, targets="(q|v)_proj", dropout=0.1), "critic": critic}
    rows = [Row(row.sample, row.advantages, values=row.advantages, targets=row.advantages + 1) for row in rows]
    subject = fresh(**settings)
    subject.step(rows)
    folder = CheckpointFolder(tmp_path, "r")
    path = folder.save(subject, 1, {})
    assert (path / "reference.safetensors").exists() == (reference == "average")
    assert sum(file.stat().st_size for file in path.glob("*.safetensors")) < 200_000
    torch.manual_seed(7)  # what the global generator has come to plays no part
    subject.step(rows)

    other = fresh(**settings)
    folder.latest().restore(other)
    other.step(rows)
    assert all(torch.equal(weight, other.parameters[name]) for name, weight in subject.parameters.items())
    whole = fresh(lora=LoRAConfig())
    with pytest.raises(ConfigError, match="another architecture"):
        folder.latest().restore(whole)


def test_a_run_trains_exports_and_resumes(tiny_path, tmp_path):
    def config(run):
        return TrainConfig(
            model=str(tiny_path),
            envs=("grid_walk:GridWalk-v0",),
            run=str(tmp_path / run),
            steps=2,
            tasks_per_step=2,
            group_size=4,
            eval_tasks=2,
            checkpoint_every=1,
            rewards={"brevity": 1.0},
            agent=AgentConfig(coordinates="location-tokens", max_reply_tokens=100, explain=False),
            runner=RunnerConfig(concurrency=4),
            learner=LearnerConfig(warmup=1, learning_rate=1e-2, lora=LORA),
        )

    def stop(update, _):
        if update == 0:
            raise KeyboardInterrupt

    Trainer(config("whole")).run()
    with pytest.raises(KeyboardInterrupt):
        Trainer(config("cut")).run(stop)
    Trainer(config("cut"), resume=True).run()
    found = {}
    for place in ("whole/model", "whole/adapter", "cut/model"):
        backbone, _ = load_model(tmp_path / place)
        found[place] = dict(backbone.weights())
    whole = found["whole/model"]
    start = dict(load_model(tiny_path)[0].weights())
    assert any(not torch.equal(start[name], whole[name]) for name in whole)
    for other in found.values():
        assert all(torch.equal(whole[name], other[name]) for name in whole)
