"""Learning: rewards, advantages, losses, the learner and the trainer."""
