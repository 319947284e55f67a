"""Engines turn a prompt of tokens and pictures into sampled tokens with their log-probabilities."""
