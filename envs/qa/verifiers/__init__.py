"""Rules that judge an answer, one a file; `saccade.envs.qa.verify` is their table."""
