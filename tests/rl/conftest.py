import numpy as np
import pytest

from saccade.rl.rollouts import Rollouts


@pytest.fixture(scope="session")
def rollouts():
    """Builds `Rollouts` from a list of (group, rewards by turn, tokens by turn); values make a critic."""

    def build(
        episodes, counts=None, bootstrapped=None, keys=None, penalties=None, values=None, tails=None, **discounts
    ):
        if values is not None and tails is None:
            tails = [np.nan] * len(episodes)
        return Rollouts(
            groups=[group for group, _, _ in episodes],
            rewards=[np.array(rewards, float) for _, rewards, _ in episodes],
            tokens=[np.array(tokens, np.int64) for _, _, tokens in episodes],
            counts=np.array(counts if counts is not None else [True] * len(episodes)),
            bootstrapped=np.array(bootstrapped if bootstrapped is not None else [False] * len(episodes)),
            state_keys=keys or [[""] * len(rewards) for _, rewards, _ in episodes],
            penalties=None if penalties is None else [np.array(each, float) for each in penalties],
            values=None if values is None else [np.array(each, float) for each in values],
            tails=None if tails is None else np.array(tails, float),
            **discounts,
        )

    return build


@pytest.fixture
def learner(agent):
    """Builds a learner of the tiny model."""
    from saccade.rl.learner import Learner, LearnerConfig

    def build(**config):
        return Learner(agent.engine.backbone, agent.chat, LearnerConfig(**config), 10)

    return build


@pytest.fixture
def trajectories(agent, walk):
    """Sampled episodes of several turns and pictures: 4 tasks, 3 samples each."""
    from made_up import say_little

    from saccade.agents.runner import Job, Runner, RunnerConfig

    say_little(agent.chat)
    runner = Runner(agent, RunnerConfig(concurrency=6))
    done = runner.run([Job(walk.task(seed), sample) for seed in range(4) for sample in range(3)])
    runner.close()
    return done


@pytest.fixture
def turns(agent, walk):
    """Demonstrated episodes of several turns: every sample holds several pictures."""
    from saccade.agents.runner import Job, Runner

    runner = Runner(agent, policy="demo")
    done = runner.run([Job(walk.task(seed)) for seed in range(6)])
    runner.close()
    assert max(len(each.episode.steps) for each in done) >= 3
    return done
