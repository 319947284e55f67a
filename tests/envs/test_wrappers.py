"""What wrappers take from the view, and that they take nothing else."""

import gymnasium as gym
import numpy as np
import pytest

from saccade.envs.actions import Answer
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.embodied.tasks import SHAPES as SOLIDS
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Audio, Image, Observation, Text, Video
from saccade.envs.palette import SHAPES
from saccade.envs.task import make
from saccade.envs.wrappers import SHAPE_WORDS, VIEWS, BlankPictures, ColourOnly, HideGoal, named_view, names_shape

GOAL = "Touch the red circle."


class Teller(LanguageEnv):
    """Shows every kind of part, and feedback that names shapes."""

    instructions = "Touch the named circle."
    action_format = Answer()
    max_turns = 3

    def begin(self, rng):
        picture = np.full((8, 9, 3), 7, np.uint8)
        film, sound = np.full((2, 8, 9, 3), 7, np.uint8), np.full(5, 0.5, np.float32)
        return Observation.of(GOAL, "A square is near.", Image(picture), Video(film, 2.0), Audio(sound, 100))

    def act(self, action):
        return Outcome(Observation.of("Touched the square.", GOAL))

    def state(self):
        return self._turn


gym.register("test/Teller-v0", entry_point=Teller)


def texts(env):
    return [part.text for part in env.get_wrapper_attr("view").parts if isinstance(part, Text)]


def test_a_hidden_goal_stays_hidden_and_feedback_is_told():
    env = HideGoal(make("test/Teller-v0"))
    seen, _ = env.reset(seed=0)
    assert texts(env) == ["...", "A square is near."] and seen["text"] == "...\nA square is near."
    seen, *_, info = env.step("")  # not understood: the first observation is shown again
    assert texts(env) == ["...", "A square is near.", f"Error: {info['action_error']}"]
    seen, *_ = env.step("x")
    assert texts(env) == ["Touched the square.", "..."] and GOAL not in seen["text"]


def test_colour_only_takes_shapes_from_the_goal_alone():
    env = ColourOnly(make("test/Teller-v0"))
    env.reset(seed=0)
    assert texts(env) == ["Touch the red object.", "A square is near."]
    env.step("x")
    assert texts(env) == ["Touched the square.", "Touch the red object."]


@pytest.mark.parametrize(
    ("goal", "shown"),
    [
        ("Click the red circle.", "Click the red object."),
        ("How many triangles?", "How many objects?"),
        ("Cube or Ball?", "object or object?"),
        ("What shape is red?", "What shape is red?"),
        ("Press ballpark.", "Press ballpark."),
    ],
)
def test_shape_words_become_objects(goal, shown):
    assert ColourOnly(make("test/Teller-v0")).rewrite(goal) == shown
    assert names_shape(goal) is (goal != shown)


def test_the_shapes_of_all_worlds_are_known():
    assert {*SHAPES, *SOLIDS} <= set(SHAPE_WORDS)


def test_a_new_episode_has_a_new_goal():
    env = ColourOnly(make("saccade/Shapes-v0", question="position", level=2))
    plain = make("saccade/Shapes-v0", question="position", level=2)
    for seed in range(4):
        env.reset(seed=seed)
        plain.reset(seed=seed)
        (goal,) = texts(plain)
        shape = next(word for word in SHAPES if word in goal)
        assert texts(env) == [goal.replace(shape, "object")]
        one, other = env.get_wrapper_attr("view").images, plain.unwrapped.view.images
        assert [image.digest for image in one] == [image.digest for image in other]


def test_blank_hides_all_that_is_seen_and_heard_and_keeps_sizes():
    env = BlankPictures(make("test/Teller-v0"))
    seen, _ = env.reset(seed=0)
    image, video, audio = env.get_wrapper_attr("view").parts[2:]
    assert image.size == (9, 8) and (image.pixels == 255).all()
    assert video.frames.shape == (2, 8, 9, 3) and video.fps == 2.0 and (video.frames == 255).all()
    assert audio.samples.shape == (5,) and audio.rate == 100 and not audio.samples.any()
    assert (seen["images"][0] == 255).all() and texts(env) == [GOAL, "A square is near."]
    assert (env.unwrapped.view.images[0].pixels == 7).all()


def test_views_change_nothing_of_the_world():
    def play(name):
        env = named_view(name)(make("saccade/Shapes-v0", level=2))
        trace = []
        for seed in range(6):
            _, info = env.reset(seed=seed)
            answer = next(env.unwrapped.demo()).action if seed % 2 else "never"
            _, reward, *ending, after = env.step(answer)
            trace.append((info["state_key"], reward, ending, after["state_key"], after["success"]))
        return trace

    assert len({str(play(name)) for name in VIEWS}) == 1


def test_an_unknown_view_is_named():
    with pytest.raises(ConfigError, match="did you mean 'no-goal'"):
        named_view("no_goal")
