"""Minds: observations into tokens, tokens into actions; engines; running episodes. Knows nothing of learning."""
