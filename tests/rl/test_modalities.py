"""A video and a sound reach the gradient: rollouts, log-probabilities, learning, in real tiny models."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up import rows_of

from saccade.agents.modality import name_of
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Audio, Video
from saccade.envs.replay import ReplayStore
from saccade.envs.replay.verify import verify
from saccade.envs.replay.viewer import write_html
from saccade.envs.task import TaskSource
from saccade.rl.batch import collate
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.probes import blank, image_effect, mismatch

CASES = [("agent", "Motion", "visual"), ("omni", "Motion", "visual"), ("omni", "Tone", "audio_tower")]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request):
    name, world, tower = request.param
    agent = request.getfixturevalue(name)
    learner = Learner(
        agent.engine.backbone,
        agent.chat,
        LearnerConfig(kl_coef=0, learning_rate=3e-3, warmup=1, max_grad_norm=1.0),
        30,
    )
    return agent, learner, TaskSource(f"motion_and_tone:{world}-v0"), tower


def run(agent, source, policy="engine", tasks=4, samples=2):
    runner = Runner(agent, RunnerConfig(concurrency=4), policy=policy)
    done = runner.run([Job(source.task(seed), sample) for seed in range(tasks) for sample in range(samples)])
    runner.close()
    return done


def other(medium):
    if isinstance(medium, Video):
        return Video(medium.frames[::-1].copy(), medium.fps)  # the same frames, moving the other way
    return Audio(medium.samples[::-1] * 0.1, medium.rate) if isinstance(medium, Audio) else medium


def test_learner_and_sampler_agree_and_the_gradient_reaches_the_tower(case):
    agent, learner, source, tower = case
    rows = rows_of(run(agent, source))
    assert len(rows) == 8 and all(row.sample.logprobs[row.sample.action_mask].any() for row in rows)
    assert mismatch(learner, rows) < 1e-4
    assert learner.step(rows)["mismatch/max"] < 1e-4
    gradients = [p.grad for name, p in learner.parameters.items() if tower in name and p.grad is not None]
    assert len(gradients) > 10 and all(gradient.abs().max() > 0 for gradient in gradients if gradient.ndim > 1)


def test_what_is_shown_changes_the_log_probabilities(case):
    agent, learner, source, _ = case
    rows = rows_of(run(agent, source, samples=1))
    changed = [replace(r, sample=replace(r.sample, media=tuple(map(other, r.sample.media)))) for r in rows]
    for before, after in zip(learner.logprobs(rows), learner.logprobs(changed), strict=True):
        assert (before - after).abs().max() > 1e-4
    assert rows[0].prefix_key != changed[0].prefix_key != blank(changed[0]).prefix_key
    assert image_effect(learner, rows) > 1e-4


def test_equal_media_and_prefixes_are_shared(case):
    agent, _, source, _ = case
    rows = rows_of(run(agent, source, tasks=2, samples=3))
    batch = collate(rows, agent.engine.backbone, agent.chat.media)
    assert len(batch.layout.prefix.ids) == 2
    assert len(batch.features) == len({name_of(medium) for row in rows for medium in row.sample.media})
    assert len(batch.features) < sum(len(row.sample.media) for row in rows)


def test_packed_rows_have_the_padded_ones_log_probabilities(case):
    agent, learner, source, _ = case
    rows = rows_of(run(agent, source, tasks=2, samples=3))
    packing = Learner(agent.engine.backbone, agent.chat, replace(learner.config, packing=True), 30)
    for padded, packed in zip(learner.logprobs(rows), packing.logprobs(rows), strict=True):
        assert (padded - packed).abs().max() < 1e-5


def test_a_medium_that_does_not_fit_its_placeholders_is_refused(case):
    agent, _, source, _ = case
    row = rows_of(run(agent, source, tasks=1, samples=1))[0]

    def longer(medium):
        if isinstance(medium, Video):
            return Video(np.concatenate([medium.frames] * 2), medium.fps)
        return Audio(np.concatenate([medium.samples] * 2), medium.rate) if isinstance(medium, Audio) else medium

    bad = replace(row, sample=replace(row.sample, media=tuple(map(longer, row.sample.media))))
    with pytest.raises(ValueError, match="placeholders"):
        collate([bad], agent.engine.backbone, agent.chat.media)


def test_imitation_and_policy_steps_lower_the_loss(case):
    agent, learner, source, _ = case
    done = run(agent, source, policy="demo", tasks=12, samples=1)
    assert all(each.episode.success for each in done)
    rows = [replace(row, advantages=np.ones(row.tokens)) for row in rows_of(done)]
    losses = [learner.imitate(rows)["sft/loss"] for _ in range(8)]
    assert losses[-1] < 0.5 * losses[0]
    before = torch.cat(learner.logprobs(rows)).mean()
    stored = [(row, found.numpy()) for row, found in zip(rows, learner.logprobs(rows), strict=True)]
    fresh = []
    for row, found in stored:
        logprobs = row.sample.logprobs.copy()
        logprobs[row.sample.action_mask] = found
        fresh.append(replace(row, sample=replace(row.sample, logprobs=logprobs)))
    for _ in range(2):
        learner.step(fresh)
    assert torch.cat(learner.logprobs(rows)).mean() > before


def test_a_model_without_ears_is_refused_before_anything_is_sampled(agent):
    asked = []
    agent.engine._batcher._serve = asked.append
    with pytest.raises(ConfigError, match=r"shows audio, .* use a Qwen2.5-Omni thinker"):
        run(agent, TaskSource("motion_and_tone:Tone-v0"), tasks=1)
    assert not asked


def test_videos_and_sounds_are_stored_and_play_again(omni, tmp_path):
    for world in ("Motion", "Tone"):
        done = run(omni, TaskSource(f"motion_and_tone:{world}-v0"), "demo", tasks=2, samples=1)
        with ReplayStore.create(tmp_path / world, run_id="r") as store:
            for each in done:
                store.add(each.episode)
        with ReplayStore.open(tmp_path / world) as store:
            for record, each in zip(store.records(), done, strict=True):
                parts = store.episode(record).steps[0].observation.parts
                assert [name_of(part) for part in parts[1:]] == [name_of(m) for m in each.samples[0].media]
            report = verify(store)
            assert report.ok and report.steps == 2, str(report)
            page = write_html(store, tmp_path / f"{world}.html").read_text()
            assert ("data:audio/wav" in page) == (world == "Tone") and "data:image/png" in page
