"""Episodes as data: the table of causes, and JSON that holds everything but the pictures."""

import json

import numpy as np
import pytest

from saccade.envs.episode import RULES, SCHEMA_VERSION, Cause, Demo, Ending, Episode, Step
from saccade.envs.observation import Audio, Image, Observation, Video
from saccade.envs.task import TaskSpec


def test_every_cause_has_one_rule():
    assert set(RULES) == set(Cause)


@pytest.mark.parametrize("cause", Cause)
def test_rules_agree_with_what_they_mean(cause):
    rule = RULES[cause]
    void = cause in (Cause.INFRA, Cause.ENGINE, Cause.STALE)
    assert rule.trained is rule.in_baseline is (not void)
    assert (rule.ending is Ending.ABORTED) is void
    assert (rule.ending is Ending.TERMINATED) is (cause in (Cause.GOAL, Cause.FAILED, Cause.GAVE_UP))
    assert rule.bootstrapped is (cause in (Cause.HORIZON, Cause.CONTEXT))


def episode(**changes):
    seen = Observation.of(
        "<image> look",
        Image(np.zeros((3, 5, 3), np.uint8)),
        Video(np.zeros((2, 3, 5, 3), np.uint8), fps=4),
        Audio(np.zeros(6, np.float32), rate=8000),
    )
    common = {"observation": seen, "action_error": None, "terminated": False, "truncated": False, "state_key": "k"}
    steps = [
        Step(0, reply="a", thought="t", action="click(1, 2)", reward=0.25, reward_terms={"task": 0.25}, **common),
        Step(1, reply="b", thought="", action=None, reward=0.5, reward_terms={"task": 0.5}, **common),
    ]
    fields = {
        "id": "e1",
        "task": TaskSpec("saccade/Shapes-v0", 3, "test", {"level": 2}),
        "instructions": "Answer.",
        "steps": steps,
        "final": Observation.of("Done."),
        "cause": Cause.HORIZON,
        "success": False,
    }
    return Episode(**(fields | changes))


def test_rewards_and_rule():
    one = episode()
    assert one.rewards == [0.25, 0.5]
    assert one.total_reward == 0.75
    assert one.rule is RULES[Cause.HORIZON]


def test_json_names_media_by_what_keep_returns():
    kept = []

    def keep(part):
        kept.append(part)
        return part.digest

    data = episode(parent=("e0", 4), info={"seen": 1}).to_json(keep)
    assert json.loads(json.dumps(data)) == data
    assert data["schema_version"] == SCHEMA_VERSION
    assert data["parent"] == ["e0", 4]
    assert (data["cause"], data["ending"], data["return"]) == ("horizon", "truncated", 0.75)
    assert TaskSpec.from_json(data["task"]) == episode().task
    text, image, video, audio = data["steps"][0]["observation"]
    assert text == {"text": "<image> look"}
    assert image == {"image": kept[0].digest, "size": [5, 3]}
    assert (video["fps"], video["frames"]) == (4, 2)
    assert (audio["rate"], audio["samples"]) == (8000, 6)
    assert len(kept) == 6
    step = data["steps"][0]
    assert step["action"] == "click(1, 2)"
    assert step["thought"] == "t"
    assert step["reward_terms"] == {"task": 0.25}
    assert data["steps"][1]["action"] is None
    assert data["final"] == [{"text": "Done."}]


def test_an_episode_without_an_end_has_no_final_observation():
    assert episode(final=None, cause=Cause.INFRA, failure="gone").to_json(lambda part: "x")["final"] is None


def test_demonstrations_are_plain_data():
    assert Demo("a").to_json() == {"action": "a", "thought": "", "caption": ""}
