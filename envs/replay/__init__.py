"""Replays: recording episodes, storing, verifying and viewing them."""
