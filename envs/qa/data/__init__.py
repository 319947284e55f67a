"""Data sets of questions: files in, single-step episodes out."""
