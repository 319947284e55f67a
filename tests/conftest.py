"""Shared fixtures: one thread a process, nothing downloaded, a tiny model built once a session."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(EXAMPLES))


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


@pytest.fixture
def agent(tiny_path):
    """A fresh agent with a fresh copy of the weights."""
    from saccade.agents.agent import Agent
    from saccade.agents.engines.transformers import TransformersEngine
    from saccade.agents.load import load_model, saved_agent_config

    backbone, chat = load_model(tiny_path)
    engine = TransformersEngine(backbone, chat.pictures)
    yield Agent(engine, chat, saved_agent_config(tiny_path))
    engine.close()


@pytest.fixture
def walk():
    """The multi-turn, multi-picture environment of the examples: a stream of its tasks."""
    from saccade.envs.task import TaskSource

    return TaskSource("grid_walk:GridWalk-v0")
