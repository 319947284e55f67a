"""Shared fixtures: one thread a process, nothing downloaded, a tiny model built once a session."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # a busy machine is no bug of the example
settings.load_profile("unhurried")

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(EXAMPLES))
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
pytest_plugins = ("chat_server",)


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory):
    import torch

    from saccade.agents.agent import AgentConfig
    from saccade.agents.load import save_agent_config
    from saccade.agents.tiny import TinyConfig, build_tiny

    torch.set_num_threads(1)
    words = ["Walk the blue dot to the red ring.", "Reach the ring.", '<answer>move("left")</answer>']
    path = build_tiny(tmp_path_factory.mktemp("tiny"), TinyConfig(), words)
    save_agent_config(path, AgentConfig(coordinates="location-tokens", max_reply_tokens=8, explain=False))
    return path


@pytest.fixture(scope="session")
def taught_path(tmp_path_factory):
    """A tiny model that walks the grid now and then: it has something to learn from its own rollouts."""
    import torch

    from saccade.agents.tiny import TinyConfig
    from saccade.rl.sft import SFTConfig
    from saccade.rl.tiny_start import GrowConfig, grow

    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("taught") / "model"
    sft = SFTConfig(steps=40, batch=16, pool=128, target=0.2, check_every=20, check_tasks=16)
    grow(GrowConfig(("grid_walk:GridWalk-v0",), str(path), tiny=TinyConfig(layers=2), sft=sft))
    return path


@pytest.fixture
def agent(tiny_path):
    """A fresh agent with a fresh copy of the weights."""
    from saccade.agents.agent import Agent
    from saccade.agents.engines.transformers import TransformersEngine
    from saccade.agents.load import load_model, saved_agent_config

    backbone, chat = load_model(tiny_path)
    engine = TransformersEngine(backbone, chat.media)
    yield Agent(engine, chat, saved_agent_config(tiny_path))
    engine.close()


@pytest.fixture(scope="session")
def omni_path(tmp_path_factory):
    """A tiny model that takes pictures, videos and sounds."""
    import torch

    from saccade.agents.tiny_omni import TinyOmniConfig, build_tiny_omni

    torch.set_num_threads(1)
    words = ["Is the tone high or low?", "Listen.", "<answer>high</answer>"]
    return build_tiny_omni(tmp_path_factory.mktemp("omni"), TinyOmniConfig(), words)


@pytest.fixture
def omni(omni_path):
    """A fresh agent of that model."""
    from saccade.agents.agent import Agent, AgentConfig
    from saccade.agents.engines.transformers import TransformersEngine
    from saccade.agents.load import load_model

    backbone, chat = load_model(omni_path)
    engine = TransformersEngine(backbone, chat.media)
    yield Agent(engine, chat, AgentConfig(max_reply_tokens=8, explain=False))
    engine.close()


@pytest.fixture
def walk():
    """The multi-turn, multi-picture environment of the examples: a stream of its tasks."""
    from saccade.envs.task import TaskSource

    return TaskSource("grid_walk:GridWalk-v0")
