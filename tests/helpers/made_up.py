"""What several tests of learning make up: rows whose advantages are noise, and a model that says little."""

import numpy as np

from saccade.rl.batch import Row


def rows_of(trajectories):
    """A row for each sample, with advantages drawn at random."""
    rng = np.random.default_rng(0)
    return [Row(s, rng.normal(size=int(s.action_mask.sum()))) for each in trajectories for s in each.samples]


def say_little(chat, letters='move("left")<answer>'):
    """Leave few tokens and the stop: among them an untrained model ends its replies, and its episodes go on."""
    few = {chat.stop, *chat.encode(letters)}
    chat.banned = tuple(sorted(set(range(chat.vocabulary)) - few))
