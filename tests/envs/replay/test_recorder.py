import gymnasium as gym
import pytest

from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError, ResetNeeded
from saccade.envs.replay import RecordEpisodes, verify
from saccade.envs.task import TaskSpec


@pytest.fixture
def env(store, play):
    with RecordEpisodes(gym.make("test/Tiles-v0", split="test", error_penalty=0.1), store, update=2) as wrapped:
        yield wrapped


def play_out(env) -> None:
    while True:
        for demo in list(env.unwrapped.demo()):
            *_, terminated, truncated, _ = env.step(demo.action)
            if terminated or truncated:
                return


def test_what_is_played_by_hand_is_stored_and_can_be_verified(env, store):
    env.reset(seed=4)
    env.step("clik(1)")
    play_out(env)
    env.reset()  # the next task of the stream
    play_out(env)

    first, second = store.records()
    assert first.task == TaskSpec("test/Tiles-v0", 4, "test", {"error_penalty": 0.1})
    assert (first.phase, first.update, first.success, first.cause) == ("play", 2, True, Cause.GOAL)
    assert first.id != second.id and first.task.seed != second.task.seed
    error, click, drag = first.steps
    assert "did you mean 'click'" in error["action_error"] and error["reward"] == -0.1
    assert click["reward_terms"] == {"select": 0.25} and drag["terminated"] and drag["seconds"] > 0
    assert first.data["final"][0] == {"text": "Done."}
    report = verify(store)
    assert report.ok and report.episodes == 2, str(report)


def test_what_is_given_up_is_not_stored(env, store):
    env.reset(seed=0)
    env.step("say('a')")
    env.reset(seed=1)
    assert list(store.records()) == []
    play_out(env)
    assert [record.task.seed for record in store.records()] == [1]


def test_a_world_that_breaks_is_stored_as_such(env, store):
    env.reset(seed=0)
    env.step("crash()")
    (record,) = store.records()
    assert (
        record.cause is Cause.INFRA and record.data["failure"] == "the tiles fell off" and record.data["final"] is None
    )
    assert verify(store).ok


def test_an_outer_limit_on_time_is_a_horizon(store, play):
    env = RecordEpisodes(gym.wrappers.TimeLimit(gym.make("test/Tiles-v0"), 2), store)
    env.reset(seed=0)
    for _ in range(2):
        *_, truncated, _ = env.step("say('a')")
    (record,) = store.records()
    assert truncated and record.cause is Cause.HORIZON


def test_step_needs_reset(env):
    with pytest.raises(ResetNeeded, match="call reset before step"):
        env.step("say('a')")
    env.reset(seed=0)
    play_out(env)
    with pytest.raises(ResetNeeded, match="call reset before step"):
        env.step("say('a')")


def test_an_environment_without_a_name_is_refused(env, store):
    with pytest.raises(ConfigError, match=r"make it with gym\.make"):
        RecordEpisodes(type(env.unwrapped)(), store)


def test_settings_must_be_json(env, store):
    nameless = gym.make("test/Tiles-v0")
    nameless.unwrapped.spec.kwargs["callback"] = print
    with pytest.raises(ConfigError, match="JSON values"):
        RecordEpisodes(nameless, store)
