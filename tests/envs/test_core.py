"""`LanguageEnv`: bookkeeping that every world inherits, shown on a small one."""

import random
from dataclasses import dataclass

import numpy as np
import pytest

from saccade.envs.actions import ActionSet, Param, verb
from saccade.envs.core import TEST_SHARE, LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ActionError, ConfigError, ResetNeeded, WorldFailure
from saccade.envs.observation import Image, Observation


@dataclass(frozen=True)
class Secret:
    number: int


class Guess(LanguageEnv):
    """Find a number between 0 and 99 by being told higher or lower; 13 breaks the world."""

    instructions = "Guess the number."
    action_format = ActionSet(verb("guess", "Guess.", n=Param("int")), verb("stop", "Give up."))
    max_turns = 4

    def begin(self, rng):
        self.secret = self.draw(lambda rng: Secret(int(rng.integers(100))), rng).number
        self.low, self.high = 0, 99
        return Observation.of("Which number?", Image(np.full((4, 6, 3), self.secret, np.uint8)))

    def act(self, call):
        if call.verb == "stop":
            return Outcome(Observation.of("Bye."), ended=Cause.GAVE_UP)
        number = call.args["n"]
        if number == 13:
            raise WorldFailure("the oracle fainted")
        if not 0 <= number < 100:
            raise ActionError(f"n must be 0 to 99, got {number}")
        if number == 66:
            return Outcome(Observation.of("Shy."), error="66 is not spoken of")
        if number == self.secret:
            terms = {"found": 1.0, "style": 0.5}
            return Outcome(Observation.of("Yes."), reward=1.5, terms=terms, ended=Cause.GOAL, info={"extra": 1})
        self.low, self.high = (number + 1, self.high) if number < self.secret else (self.low, number - 1)
        return Outcome(Observation.of("Higher." if number < self.secret else "Lower."))

    def state(self):
        return {"range": np.array([self.low, self.high])}

    def demo(self):
        yield Demo(f"guess({self.secret})")


def begun(seed=0, **settings):
    env = Guess(**settings)
    env.reset(seed=seed)
    if env.secret in (13, 66):  # the special numbers
        env.reset(seed=seed + 1)
    return env


def wrong(env):
    return f"guess({(env.secret + 1) % 100 if env.secret not in (12, 65) else env.secret - 1})"


def test_an_episode():
    env = begun()
    observation, reward, terminated, truncated, info = env.step(wrong(env))
    assert observation["text"] in ("Higher.", "Lower.")
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info["reward_terms"] == {"task": 0.0}
    assert info["cause"] is None
    assert not info["success"]
    observation, reward, terminated, truncated, info = env.step(next(env.demo()).action)
    assert (observation["text"], reward, terminated, truncated) == ("Yes.", 1.5, True, False)
    assert info["reward_terms"] == {"found": 1.0, "style": 0.5}
    assert (info["cause"], info["success"], info["extra"]) == ("goal", True, 1)
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step("stop()")


def test_errors_are_feedback_under_the_last_view():
    env = begun(error_penalty=0.25)
    key = env.state_key()
    for action, message in [("nonsense", "one call"), ("guess(200)", "n must be 0 to 99, got 200")]:
        observation, reward, terminated, truncated, info = env.step(action)
        first, second = observation["text"].split("\n")
        assert first == "Which number?"
        assert second == f"Error: {info['action_error']}"
        assert message in second
        assert len(observation["images"]) == 1
        assert (reward, info["reward_terms"]) == (-0.25, {"action_error": -0.25})
        assert (terminated, truncated, info["state_key"]) == (False, False, key)


def test_without_a_penalty_an_error_costs_nothing():
    env = begun()
    _, reward, _, _, info = env.step("nonsense")
    assert str(reward) == "0.0"  # not -0.0
    assert sum(info["reward_terms"].values()) == 0.0


def test_an_action_that_parsed_can_still_be_an_error():
    env = begun()
    observation, *_, info = env.step("guess(66)")
    assert info["action_error"] == "66 is not spoken of"
    assert observation["text"] == "Shy.\nError: 66 is not spoken of"
    observation, *_ = env.step("nonsense")
    assert observation["text"].startswith("Shy.\nError: cannot read")  # the one before is not told again
    env = begun(error_penalty=0.25)
    _, reward, *_, info = env.step("guess(66)")
    assert (reward, info["reward_terms"]) == (-0.25, {"action_error": -0.25})


def test_the_horizon_truncates_and_a_single_turn_fails():
    env = begun(max_turns=2)
    assert env.step(wrong(env))[2:4] == (False, False)
    *_, terminated, truncated, info = env.step(wrong(env))
    assert (terminated, truncated, info["cause"]) == (False, True, "horizon")
    single = begun(max_turns=1)
    *_, terminated, truncated, info = single.step("nonsense")
    assert (terminated, truncated, info["cause"]) == (True, False, "failed")


def test_the_goal_on_the_last_turn_is_the_goal():
    env = begun(max_turns=1)
    *_, terminated, truncated, info = env.step(next(env.demo()).action)
    assert (terminated, truncated, info["cause"]) == (True, False, "goal")


def test_giving_up_is_an_ending_of_its_own():
    *_, terminated, truncated, info = begun().step("stop()")
    assert (terminated, truncated, info["cause"], info["success"]) == (True, False, "gave_up", False)


def test_a_world_that_fails_voids_the_episode():
    env = begun()
    before = env.view
    observation, reward, terminated, truncated, info = env.step("guess(13)")
    assert observation["text"] == before.text
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert (info["cause"], info["failure"], info["failure_message"]) == ("infra", "infra", "the oracle fainted")
    assert not info["success"]
    with pytest.raises(ResetNeeded):
        env.step("stop()")
    env.reset(seed=1)
    env.step("stop()")


def test_a_world_that_fails_while_it_tells_its_state_voids_the_episode_too():
    class Broken(Guess):
        def state(self):
            if self.broken:
                raise WorldFailure("gone")
            return 0

    env = Broken()
    env.broken = False
    env.reset(seed=0)
    env.broken = True
    assert env.step("guess(1)")[4]["failure_message"] == "gone"
    with pytest.raises(WorldFailure):
        env.reset(seed=1)
    with pytest.raises(ResetNeeded):
        env.step("guess(1)")


def test_splits_draw_disjoint_contents_and_streams():
    def secrets(split):
        return [begun_secret(split, seed) for seed in range(300)]

    def begun_secret(split, seed):
        env = Guess(split=split)
        env.reset(seed=seed)
        return env.secret

    train, test = secrets("train"), secrets("test")
    assert not set(train) & set(test)
    assert len(set(train) | set(test)) > 95
    assert 5 < len(set(test)) < 2 * 100 / TEST_SHARE


def test_a_split_without_contents_is_named():
    class One(Guess):
        def begin(self, rng):
            return Observation.of(str(self.draw(lambda rng: Secret(7), rng)))

        def state(self):
            return 0

    def works(split):
        try:
            One(split=split).reset(seed=0)
        except ConfigError as error:
            assert f"too few distinct tasks for a {split} split" in str(error)
            return False
        return True

    assert sorted(map(works, ("train", "test"))) == [False, True]


def test_seeds_name_tasks_and_no_seed_goes_on():
    one, two = Guess(), Guess()
    assert one.reset(seed=5)[1] == two.reset(seed=5)[1]
    following = [one.reset()[1]["task_seed"] for _ in range(3)]
    assert following == [two.reset()[1]["task_seed"] for _ in range(3)]
    assert len(set(following)) == 3
    one.reset(seed=following[1])
    again = one.secret
    two.reset(seed=following[1])
    assert two.secret == again


def test_state_keys_are_scoped_to_task_split_and_state():
    env = begun()
    key = env.state_key()
    env.step(wrong(env))
    assert env.state_key() != key
    keys = {Guess(split=split).reset(seed=seed)[1]["state_key"] for split in ("train", "test") for seed in range(20)}
    assert len(keys) == 40


def test_a_state_that_is_no_json_is_refused():
    class Odd(Guess):
        def state(self):
            return {1, 2}

    with pytest.raises(TypeError, match="JSON values, found set"):
        Odd().reset(seed=0)


def test_rendering_shows_the_last_picture_as_a_copy():
    env = begun(render_mode="rgb_array")
    shown = env.render()
    assert np.array_equal(shown, env.view.images[-1].pixels)
    shown[:] = 255 - shown
    assert not np.array_equal(env.render(), shown)
    env.step(wrong(env))
    assert env.render().shape == (64, 64, 3)  # no picture: a blank one
    assert begun().render() is None


def test_samples_fit_the_picture_or_a_default():
    env = begun()
    rng = random.Random(0)
    assert all(env.action_format.parse(env.sample_action(rng)) for _ in range(20))


def test_nothing_can_be_done_before_reset():
    env = Guess()
    for act in (lambda: env.step("stop()"), lambda: env.view, lambda: env.sample_action(random.Random(0))):
        with pytest.raises(ResetNeeded):
            act()


def test_a_failed_begin_leaves_nothing_running():
    class Late(Guess):
        def begin(self, rng):
            if hasattr(self, "secret"):
                raise WorldFailure("no second time")
            return super().begin(rng)

    env = Late()
    env.reset(seed=0)
    with pytest.raises(WorldFailure):
        env.reset(seed=1)
    with pytest.raises(ResetNeeded):
        env.step("stop()")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "valid"}, "split must be one of train, test, got 'valid'"),
        ({"max_turns": 0}, "max_turns must be >= 1, got 0"),
        ({"error_penalty": -0.1}, "error_penalty must be >= 0"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ConfigError, match=message):
        Guess(**settings)
