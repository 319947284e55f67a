"""Worlds of our own sites, made once for a file of tests."""

import gymnasium as gym
import pytest

import saccade.envs  # noqa: F401


@pytest.fixture(scope="module")
def start():
    """Begins a task by name: `start("MailReply", level=1, seed=3)`."""
    made = {}

    def start_(name, level=3, seed=0):
        if (name, level) not in made:
            settings = {"actions": ("ref", "nav"), "observe": ("tree",)}
            made[name, level] = gym.make(f"saccade/{name}-v0", level=level, **settings).unwrapped
        env = made[name, level]
        env.reset(seed=seed)
        return env

    yield start_
    for env in made.values():
        env.close()
