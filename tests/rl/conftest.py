import numpy as np
import pytest

from saccade.rl.advantages import Rollouts


@pytest.fixture
def rollouts():
    """Builds `Rollouts` from a list of (group, rewards by turn, tokens by turn)."""

    def build(episodes, counts=None, gamma=1.0):
        return Rollouts(
            groups=[group for group, _, _ in episodes],
            rewards=[np.array(rewards, float) for _, rewards, _ in episodes],
            tokens=[np.array(tokens, np.int64) for _, _, tokens in episodes],
            counts=np.array(counts if counts is not None else [True] * len(episodes)),
            bootstrapped=np.zeros(len(episodes), bool),
            state_keys=[[""] * len(rewards) for _, rewards, _ in episodes],
            gamma=gamma,
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
    from saccade.agents.runner import Job, Runner, RunnerConfig

    # An untrained model rarely ends a reply; among a few tokens it does, and its episodes have many turns.
    few = {agent.chat.stop, *agent.chat.encode('move("left")<answer>')}
    agent.chat.banned = tuple(sorted(set(range(agent.chat.vocabulary)) - few))
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
