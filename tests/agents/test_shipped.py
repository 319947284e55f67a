"""`saccade-tiny` is there, small enough, and can do what its card says."""

import json

import pytest

from saccade.agents.agent import Agent
from saccade.agents.engines.transformers import TransformersEngine
from saccade.agents.evaluation import Evaluation, evaluate
from saccade.agents.load import SHIPPED, load_model, saved_agent_config
from saccade.agents.runner import Runner
from saccade.envs.errors import ConfigError
from saccade.envs.task import TaskSource
from saccade.envs.wrappers import BlankPictures

NAME = "saccade-tiny"
TASKS = 32
LIMIT = 12e6  # bytes


@pytest.fixture(scope="module")
def tiny():
    backbone, chat = load_model(NAME)
    config = saved_agent_config(NAME)
    engine = TransformersEngine(backbone, chat.media)
    yield Agent(engine, chat, type(config)(**vars(config) | {"temperature": 0.0}))
    engine.close()


def score(agent, env, **settings):
    runner = Runner(agent, **settings)
    done = evaluate(runner, TaskSource.parse(env), TASKS)
    runner.close()
    return Evaluation([each.episode for each in done]).success.mean


def test_it_is_small_and_has_a_card():
    folder = SHIPPED[NAME]
    assert sum(file.stat().st_size for file in folder.glob("*.safetensors")) <= LIMIT
    card, page = json.loads((folder / "card.json").read_text()), (folder / "README.md").read_text()
    assert len(card["rows"]) >= 12
    for row in card["rows"]:
        assert f"`{row['env']}`" in page and row["greedy"]["n"] == card["tasks"]


def test_a_misspelt_name_is_not_looked_for_on_the_hub():
    with pytest.raises(ConfigError, match="saccade-tiny"):
        load_model("saccade-tinny")


@pytest.mark.parametrize("env", ["saccade/Digits-v0", "saccade/Shapes-v0?level=2", "saccade/Reach-v0?level=2"])
def test_it_sees_what_it_is_asked_about(tiny, env):
    assert score(tiny, env) >= 0.8
    assert score(tiny, env, wrap=BlankPictures) <= 0.6


@pytest.mark.browser
def test_it_reads(tiny):
    assert score(tiny, "saccade/ClickWord-v0?level=2") >= 0.7
