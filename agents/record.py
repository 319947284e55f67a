"""What comes of one episode while it runs: its turns one by one, and at its end the trajectory."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, SupportsFloat

from saccade.agents.formats import Reply
from saccade.agents.thoughts import KEY
from saccade.agents.trajectory import Trajectory
from saccade.envs import turns
from saccade.envs.episode import Cause, Episode, Step
from saccade.envs.errors import MediaError
from saccade.envs.observation import Observation

if TYPE_CHECKING:
    from saccade.agents.actor import Conversation
    from saccade.agents.runner import Job

StepResult = tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]
"""What `step` of an environment returns."""
NO_STEP: StepResult = (None, 0.0, False, True, {})
"""What a turn that never reached the world came to."""


class Record:
    """Collects the turns of one episode.

    Args:
        key: canonical name within a run.
        job: what is run.
        id: of the episode.
        show_final: whether the sample of an episode that was cut off ends with its final observation, for its value.

    Attributes:
        session: the episode in the eyes of its agent; `None` until its world has begun.
        thoughts_right: the verdict on the thought of each reply so far.
    """

    def __init__(self, key: str, job: Job, id: str, show_final: bool) -> None:
        self.key = key
        self.job = job
        self.id = id
        self.show_final = show_final
        self.session: Conversation[Any, Any] | None = None
        self.steps: list[Step] = []
        self.well_formed: list[bool] = []
        self.thoughts_right: list[bool | None] = []

    def turn(
        self, view: Observation, raw: str, reply: Reply, outcome: StepResult | None, state_key: str, seconds: float
    ) -> None:
        """Add a turn; without an outcome its action never reached the world, or the world broke under it."""
        _, reward, terminated, truncated, info = outcome or NO_STEP
        self.well_formed.append(reply.well_formed)
        self.steps.append(
            Step(
                index=len(self.steps),
                observation=view,
                reply=raw,
                thought=reply.thought,
                action=reply.action if outcome else None,
                action_error=info.get("action_error"),
                reward=float(reward),
                reward_terms=info.get("reward_terms", {}),
                terminated=terminated,
                truncated=truncated,
                state_key=state_key,
                seconds=seconds,
            )
        )

    def end(
        self,
        cause: Cause,
        final: Observation | None,
        success: bool = False,
        failure: str | None = None,
        info: dict[str, Any] | None = None,
    ) -> Trajectory:
        """The episode, whole, with the samples that its agent made of it.

        Args:
            cause: why it ended.
            final: what the world showed last; `None` when it never came to be.
            success: what the world says.
            failure: the message of a world or engine failure.
            info: what else there is to know.
        """
        job = self.job
        compared = any(right is not None for right in self.thoughts_right)
        episode = Episode(
            id=self.id,
            task=job.task,
            instructions=self.session.system if self.session else "",
            steps=tuple(self.steps),
            final=final,
            cause=cause,
            success=success,
            group=job.group or job.task.key,
            failure=failure,
            info=(info or {}) | ({KEY: self.thoughts_right} if compared else {}) | self._turns(),
        )
        if self.show_final and self.session and final is not None and episode.rule.bootstrapped:
            with suppress(MediaError):  # what cannot be shown has no value, as what does not fit
                self.session.show_final(final)
        samples, usage = (self.session.samples(), tuple(self.session.usage)) if self.session else ((), ())
        return Trajectory(episode, samples, self.key, tuple(self.well_formed), usage)

    def _turns(self) -> dict[str, int]:
        """What a replay must know to execute actions that are whole turns."""
        agent = self.session.agent if self.session else None
        return {turns.KEY: agent.config.actions_per_turn} if agent and agent.format.strict else {}
