"""Whether thoughts are right: each is compared with what the environment's solution thinks in the same state.

    same_thought("red circle (31, 18)", "red circle (30, 17)", size=(64, 64))    # True
    same_thought("red circle (31, 48)", "red circle (30, 17)", size=(64, 64))    # False: another place
    same_thought("red square (30, 17)", "red circle (30, 17)", size=(64, 64))    # False: other words

A short warm start leaves success depending on the thoughts only weakly; learning from success can then walk them away,
and no reward shows it. Where an environment demonstrates no thought, nothing is compared.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from saccade.envs.core import LanguageEnv
from saccade.envs.episode import Demo, Episode

if TYPE_CHECKING:
    from saccade.agents.actor import Actor
    from saccade.agents.formats import Reply
    from saccade.agents.policies import InWorld

TOLERANCE = 0.1
"""How far a place may be off, as a share of the picture's width and height."""
KEY = "thoughts_right"
"""Where `Episode.info` keeps the verdicts: one a turn, `None` where there was nothing to compare with."""
_PLACE = re.compile(r"\((-?\d{1,6}), ?(-?\d{1,6})\)")
_LOG = logging.getLogger(__name__)


def same_thought(thought: str, reference: str, size: tuple[int, int], tolerance: float = TOLERANCE) -> bool:
    """Whether a thought has the reference's words, and each place `(x, y)` near the reference's.

    Args:
        thought: what was thought, places in pixels.
        reference: what should have been.
        size: width and height of the picture that the places refer to.
        tolerance: allowed distance, as a share of width and of height.
    """
    found, wanted = _PLACE.split(thought), _PLACE.split(reference)  # words, x, y, words, x, y, ..., words
    if [words.split() for words in found[::3]] != [words.split() for words in wanted[::3]]:
        return False
    return all(
        abs(int(one) - int(other)) <= tolerance * extent
        for axis, extent in enumerate(size)
        for one, other in zip(found[axis + 1 :: 3], wanted[axis + 1 :: 3], strict=True)
    )


def thoughts_right(episode: Episode) -> Sequence[bool | None]:
    """The verdict on each turn's thought; `None` where there was none to compare with, or it was not compared."""
    verdicts: Sequence[bool | None] = episode.info.get(KEY) or [None] * len(episode.steps)
    return verdicts


def judged(episodes: Iterable[Episode]) -> list[bool]:
    """The verdicts on all turns that had one; their mean is the thought accuracy."""
    return [right for episode in episodes for right in thoughts_right(episode) if right is not None]


class ThoughtCheck:
    """Judges the thoughts of one episode; a demonstration that fails is no verdict, and never ends the episode.

    Args:
        agent: who thinks.
        env: its world.
        in_world: runs a function in the thread that owns the world.
    """

    def __init__(self, agent: Actor[Any, Any], env: gym.Env[Any, Any], in_world: InWorld[Any]) -> None:
        self._world: Any = env.unwrapped
        self._codec = agent.codec
        self._in_world = in_world
        written = agent.format.read(agent.format.write("thought", "action"))
        self._on = bool(written.thought) and _demonstrates(self._world)

    async def judge(self, reply: Reply, size: tuple[int, int]) -> bool | None:
        """Whether the thought is that of the demonstration for the world's current state; `None` if there is none.

        The reference passes through the agent's codec first, so that the codec's rounding is never an error.
        """
        if not self._on:
            return None
        try:
            wanted = await self._in_world(self._demonstrated)
            wanted = self._codec.decode_text(self._codec.encode_text(wanted, size), size)
            return same_thought(reply.thought, wanted, size) if wanted else None
        except Exception:
            self._on = False
            _LOG.warning(
                "%s cannot demonstrate; its thoughts are not judged", type(self._world).__name__, exc_info=True
            )
            return None

    def _demonstrated(self) -> str:
        demo: Demo | None = next(self._world.demo(), None)
        return demo.thought if demo else ""


def _demonstrates(world: Any) -> bool:
    """Whether a world has a `demo` of its own: without one, no turn costs anything."""
    inherited = isinstance(world, LanguageEnv) and type(world).demo is LanguageEnv.demo
    return hasattr(world, "demo") and not inherited
