"""Replays: recording episodes, storing, verifying and viewing them.

A folder that anything can read is made by `ReplayStore`, checked by `verify`, and shown by `write_html`:

    store = ReplayStore.create("runs/a/replay", run_id="a", fingerprint={"renderer": "chromium 156"})
    store.add(episode, turns=[{"tokens": ["(", "2"], "logprobs": [-0.1, -0.7]}], update=3, phase="train")
    print(verify(store))
    write_html(store, "replay.html")
"""

from saccade.envs.replay.record import Record
from saccade.envs.replay.recorder import RecordEpisodes
from saccade.envs.replay.store import ReplayStore
from saccade.envs.replay.verify import Mismatch, VerifyReport, verify
from saccade.envs.replay.viewer import write_html

__all__ = ["Mismatch", "Record", "RecordEpisodes", "ReplayStore", "VerifyReport", "verify", "write_html"]
