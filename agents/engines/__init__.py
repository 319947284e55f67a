"""Engines turn a prompt of tokens and media into sampled tokens with their log-probabilities."""
