"""Every registered environment keeps the contract of `LanguageEnv`."""

import math
import random
import string
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saccade.envs import ENVIRONMENTS
from saccade.envs.core import LanguageEnv
from saccade.envs.episode import RULES, Cause, Ending
from saccade.envs.errors import ActionError, ConfigError, ResetNeeded
from saccade.envs.observation import Observation, Text
from saccade.envs.spaces import observation_space
from saccade.envs.task import SPLITS, TaskSpec, make


def _needs_browser(id):
    return ".gui." in ENVIRONMENTS[id]


def _kind(entry):
    """Worlds that share most of their code: the tasks of a site, of the arm, of the rover, a module of questions."""
    module = entry.split(":")[0]
    if ".arm." in entry or ".rover." in entry:
        return module.rpartition(".")[0]
    return module if ".sites." in entry or ".families." in entry else entry


# One of each kind stands for the others, which have tests of their own; the slow lane takes them all.
FIRST = {_kind(entry): id for id, entry in reversed(ENVIRONMENTS.items())}.values()


def _marks(id):
    return [pytest.mark.browser] * _needs_browser(id) + [pytest.mark.slow] * (id not in FIRST)


def _params(ids):
    return [pytest.param(id, marks=_marks(id), id=id) for id in ids]


ALL = _params(ENVIRONMENTS)
ONE_OF_EACH_FAMILY = _params({entry.split(".")[2]: id for id, entry in reversed(ENVIRONMENTS.items())}.values())

NASTY = [
    "",
    " ",
    "\n",
    "\0",
    "click(\0)",
    "\ud800",
    "move('\udfff', 1)",
    "1e999",
    "move(1e999, 1)",
    "click(1e999, -1e999)",
    "move(-1e308, 1e308)",
    "click(nan, inf)",
    "(" * 500,
    "((((1))))" * 50,
    "f(" * 90 + ")" * 90,
    "-" * 5000 + "1",
    f"click({'-' * 950}1, 2)",
    f"move({'-' * 950}1, 2)",
    f"move(0x{'f' * 9000}, 1)",
    f"click(0x{'f' * 9000}, 1)",
    f"move({'9' * 9000}, 1)",
    "[" * 3000,
    "__import__('os')",
    "__import__('os').system('exit 1')",
    "move(__import__('os'), 1)",
    "click(**{'x': 1})",
    "click(*[1, 2])",
    "move(x=1, x=2)",
    "move(True, False)",
    "click(1, 2); click(3, 4)",
    "lambda: 0",
    "move(x := 1, 2)",
    "f'{1}'",
    "b'bytes'",
    "x" * 200_000,
    "\u202e\u2066<|im_start|>system\n<image>",
    "<think></think><answer></answer>",
    "ｃｌｉｃｋ(1, 1)",  # noqa: RUF001 - full-width letters, which Python's grammar folds
    "{}" * 4000,
]


def digests(view):
    """The parts of an observation, comparable."""
    return tuple(part if isinstance(part, Text) else part.digest for part in view.parts)


def seen(env):
    """What the current view shows, comparable."""
    return digests(env.unwrapped.view)


def check_step(env, result):
    """The five values are what the contract says; returns whether the episode goes on."""
    observation, reward, terminated, truncated, info = result
    assert observation in observation_space()
    assert set(observation) == {"text", "images", "videos", "audios"}
    assert isinstance(reward, float)
    assert math.isfinite(reward)
    assert sum(info["reward_terms"].values()) == pytest.approx(reward)
    assert isinstance(terminated, bool)
    assert isinstance(truncated, bool)
    assert not (terminated and truncated)
    assert info["success"] is (info["cause"] == "goal")
    assert info["action_error"] is None or info["action_error"] in observation["text"]
    assert isinstance(info["state_key"], str)
    assert "failure" not in info, info
    if info["cause"] is None:
        assert not terminated
        assert not truncated
        return True
    ending = RULES[Cause(info["cause"])].ending
    assert (terminated, truncated) == (ending is Ending.TERMINATED, ending is Ending.TRUNCATED)
    return False


def opened(id, **settings):
    env = make(id, **settings)
    assert isinstance(env.unwrapped, LanguageEnv)
    return env


@pytest.fixture(scope="module", params=ALL)
def shared(request):
    """One environment of each id, shared by the tests that reset it anyway."""
    env = opened(request.param)
    yield env
    env.close()


@pytest.mark.parametrize("id", ALL)
def test_gymnasium_accepts_it(id):
    env = opened(id)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Text of any alphabet and pictures of any size are no Box, and gymnasium says so; nothing else is tolerated.
        warnings.filterwarnings("ignore", message=".*(not within the observation space|observation space).*Box.*")
        check_env(env.unwrapped)
    env.close()


def test_it_says_what_it_is(shared):
    env = shared.unwrapped
    assert env.instructions
    assert env.action_format.help
    assert env.max_turns >= 1
    assert env.affinity in ("any", "thread", "process")
    assert env.observation_space == observation_space()


@pytest.mark.parametrize("id", ALL)
def test_equal_seeds_are_equal_worlds(id):
    def run(seed):
        env = opened(id)
        observation, info = env.reset(seed=seed)
        trace = [(observation["text"], seen(env), info["state_key"])]
        rng = random.Random(seed)
        for _ in range(4):
            result = env.step(env.unwrapped.sample_action(rng))
            trace.append((result[0]["text"], seen(env), result[1], result[4]["state_key"], result[4]["cause"]))
            if not check_step(env, result):
                break
        env.close()
        return trace

    first = run(3)
    assert run(3) == first
    assert run(4)[0] != first[0]


def test_a_reset_forgets_everything(shared):
    shared.reset(seed=11)
    first, key = seen(shared), shared.unwrapped.state_key()
    for _ in range(3):
        if not check_step(shared, shared.step(shared.unwrapped.sample_action(random.Random(0)))):
            break
    shared.reset(seed=12)
    shared.reset(seed=11)
    assert seen(shared) == first
    assert shared.unwrapped.state_key() == key


@pytest.mark.parametrize("id", ALL)
def test_splits_share_no_task(id):
    shown = {}
    for split in SPLITS:
        env = opened(id, split=split)
        shown[split] = set()
        for seed in range(10 if "MiniWoB" in id else 30):  # a new page for each task takes its time
            env.reset(seed=seed)
            # The first page of a site need not show what is in it.
            shown[split].add(repr(env.unwrapped.task) if ".sites." in str(env.spec.entry_point) else seen(env))
        env.close()
    assert not shown["train"] & shown["test"]
    assert len(shown["train"]) > 5  # seeds do name different tasks


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("id", ALL)
def test_demonstrations_score_one(id, split):
    env = opened(id, split=split)
    for seed in range(5 if _needs_browser(id) else 15):
        env.reset(seed=seed)
        total, turns, goes_on = 0.0, 0, True
        for demo in env.unwrapped.demo():
            assert goes_on, f"seed {seed}: the demonstration goes on after the end"
            result = env.step(demo.action)
            total, turns = total + result[1], turns + 1
            goes_on = check_step(env, result)
            assert result[4]["action_error"] is None
            if not goes_on:
                break
        assert turns >= 1
        assert total == pytest.approx(1.0), f"seed {seed}"
        assert result[4]["success"]
        assert result[4]["cause"] == "goal"
    env.close()


def test_a_random_agent_never_breaks_it(shared):
    rng = random.Random(0)
    shared.reset(seed=0)
    ends = 0
    for _ in range(max(25, shared.unwrapped.max_turns + 1) if _needs_browser(shared.spec.id) else 150):
        if not check_step(shared, shared.step(shared.unwrapped.sample_action(rng))):
            ends += 1
            with pytest.raises(ResetNeeded):
                shared.unwrapped.step(shared.unwrapped.sample_action(rng))
            observation, info = shared.reset()
            assert observation in observation_space()
            assert info["state_key"]
    assert ends >= 1


@pytest.mark.parametrize("action", NASTY, ids=range(len(NASTY)))
def test_nasty_actions_are_legal_steps(shared, action):
    shared.reset(seed=1)
    result = shared.step(action)
    check_step(shared, result)
    assert not result[4]["success"]
    assert result[1] <= 0.0
    try:
        shared.unwrapped.action_format.parse(action)
    except ActionError as error:
        assert result[4]["action_error"] == str(error)


ALPHABET = st.one_of(st.characters(), st.sampled_from(string.printable), st.characters(categories=["Cs"]))
WORDS = st.sampled_from(["move", "click", "type", "fill", "(", ")", ",", "1", "-", "'e1'", "x=", "[", "]", "1e9", " "])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(action=st.one_of(st.text(ALPHABET, max_size=60), st.lists(WORDS, max_size=12).map("".join)))
def test_arbitrary_actions_are_legal_steps(shared, action):
    if not shared.unwrapped._running:
        shared.reset(seed=2)
    check_step(shared, shared.step(action))


def test_only_strings_are_actions(shared):
    shared.reset(seed=0)
    with pytest.raises(TypeError, match="an action is a string"):
        shared.unwrapped.step(3)


def test_feedback_leaves_the_world_in_sight(shared):
    env = make(shared.spec.id, max_turns=3, error_penalty=0.1)
    env.reset(seed=5)
    before, key = env.unwrapped.view, env.unwrapped.state_key()
    for _ in range(2):
        result = env.step("")
        assert check_step(env, result)
        assert result[1] == pytest.approx(-0.1)
        assert result[4]["state_key"] == key
        assert seen(env)[:-1] == digests(before)  # feedback comes last, and does not pile up
    assert not check_step(env, env.step(""))
    env.close()


def test_observations_are_fresh(shared):
    def media(observation):
        return [array for kind in ("images", "videos", "audios") for array in observation[kind]]

    first, _ = shared.reset(seed=6)
    kept = [array.copy() for array in media(first)]
    for array in media(first):
        array[:] = 0
    again = media(shared.unwrapped.view.as_dict())
    assert kept
    assert all(np.array_equal(a, b) for a, b in zip(kept, again, strict=True))


def test_it_needs_a_reset(shared):
    env = opened(shared.spec.id)
    with pytest.raises(ResetNeeded):
        env.unwrapped.step("1")
    with pytest.raises(ResetNeeded):
        _ = env.unwrapped.view
    env.close()
    env.close()


@pytest.mark.parametrize("id", ALL)
def test_it_renders_the_current_picture(id):
    env = make(id, render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    if observation["images"]:
        assert np.array_equal(env.render(), observation["images"][-1])
    else:  # a film or a sound
        assert env.render().shape == (64, 64, 3)
    env.close()


def test_snapshots_work_or_say_that_they_do_not(shared):
    env = shared.unwrapped
    shared.reset(seed=8)
    if not env.can_snapshot:
        with pytest.raises(ConfigError, match="executing its actions again"):
            env.snapshot()
        with pytest.raises(ConfigError, match="executing its actions again"):
            env.restore(None)
        return
    snapshot, rng = env.snapshot(), random.Random(1)
    actions = [env.sample_action(rng) for _ in range(3)]

    def go_on():
        out = []
        for action in actions:
            result = env.step(action)
            out.append((seen(shared), result[1], result[4]["state_key"]))
            if not check_step(shared, result):
                break
        return out

    expected = go_on()
    env.restore(snapshot)
    assert isinstance(env.view, Observation)
    assert go_on() == expected


@pytest.mark.parametrize("id", ALL)
def test_vector_of_two_in_one_process(id):
    _run_vector(gym.make_vec(id, num_envs=2, vectorization_mode="sync"))


@pytest.mark.parametrize("id", ONE_OF_EACH_FAMILY)
def test_vector_of_two_processes(id):
    kwargs = {"shared_memory": False, "context": "spawn"}
    _run_vector(gym.make_vec(f"saccade.envs:{id}", num_envs=2, vectorization_mode="async", vector_kwargs=kwargs))


def _run_vector(vector):
    observations, infos = vector.reset(seed=[1, 2])
    assert len(observations["text"]) == 2
    assert len(set(infos["state_key"])) == 2
    observations, rewards, terminations, truncations, infos = vector.step(["", "nonsense("])
    assert len(observations["text"]) == 2
    assert rewards.shape == terminations.shape == truncations.shape == (2,)
    assert all("Error" in text or done for text, done in zip(observations["text"], terminations, strict=True))
    vector.close()


@pytest.mark.parametrize("id", ALL)
def test_unknown_settings_are_named(id):
    with pytest.raises(ConfigError, match="has no setting 'max_turn'; did you mean 'max_turns'"):
        make(id, max_turn=3)
    for wrong in ({"split": "dev"}, {"max_turns": 0}, {"error_penalty": -1.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            make(id, **wrong)


@pytest.mark.parametrize("id", ["saccade/Shape-v0", "saccade/Shapes-v7", "Shapes", ""])
def test_unknown_ids_are_named(id):
    with pytest.raises(ConfigError, match="saccade/Shapes-v0"):
        make(id)


@pytest.mark.parametrize("id", ALL)
def test_a_task_spec_meets_the_same_task_again(id):
    spec = TaskSpec(id, seed=9, split="test")
    views = []
    for each in (spec, TaskSpec.from_json(spec.to_json())):
        env = each.make()
        env.reset(seed=each.seed)
        views.append(seen(env))
        env.close()
    assert views[0] == views[1]
