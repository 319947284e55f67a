"""The errors of Saccade: one base, each also the standard exception that it refines, all picklable.

A message states the rule, the value that broke it, and the fix; `near` finds the name that was probably meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SaccadeError(Exception):
    """Base of every error that Saccade raises on purpose."""


class ConfigError(SaccadeError, ValueError):
    """A setting, an id or a file given by the user cannot be used."""


class MediaError(SaccadeError, ValueError):
    """A picture, a video or a sound is not what it should be."""


class ActionError(SaccadeError, ValueError):
    """An action that the world does not understand. A legal step: environments turn it into feedback."""


class WorldFailure(SaccadeError, RuntimeError):  # noqa: N818 - the world failing is not the agent's error
    """The world itself broke (browser gone, simulation diverged): the episode is void and never trained on."""


class ResetNeeded(SaccadeError, RuntimeError):  # noqa: N818 - it names what to do
    """`step` was called before `reset` or after the end of an episode."""


class StoreError(SaccadeError, OSError):
    """A record could not be written or read; what was written before is intact."""


def near(name: str, known: Iterable[str], label: str = "known") -> str:
    """Say which known name was probably meant: `Did you mean 'x'? known: a, b, x`."""
    names = sorted(known)
    if not names:
        return f"{label}: none"
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}{label}: {', '.join(names)}"
