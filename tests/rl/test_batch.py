import numpy as np
import pytest
import torch
from made_up import rows_of

from saccade.agents.engines.sampling import banned_mask
from saccade.envs.observation import Image
from saccade.rl.batch import Row, collate, cut, score


def logprobs(agent, rows):
    net = agent.engine.backbone
    banned = banned_mask(agent.chat.banned, net.vocabulary)
    with torch.no_grad():
        return score(net, collate(rows, net, agent.chat.media), banned, agent.config.temperature)[0]


def test_recomputed_logprobs_equal_the_engines_on_multi_turn_multi_image_episodes(agent, trajectories):
    rows = rows_of(trajectories)
    assert max(len(row.sample.media) for row in rows) >= 3
    stored = np.concatenate([row.sample.logprobs[row.sample.action_mask] for row in rows])
    assert np.abs(logprobs(agent, rows).numpy() - stored).max() < 1e-4


def test_blanking_the_pictures_changes_them(agent, trajectories):
    from saccade.rl.probes import blank

    for row in rows_of(trajectories):
        assert (logprobs(agent, [row]) - logprobs(agent, [blank(row)])).abs().max() > 1e-4


def test_shared_prefixes_equal_separate_ones(agent, turns):
    rows = rows_of(turns) * 2
    together = logprobs(agent, rows)
    apart = torch.cat([logprobs(agent, [row]) for row in rows])
    assert torch.allclose(together, apart, atol=1e-5)
    prefixes = collate(rows, agent.engine.backbone, agent.chat.media).layout.prefix.ids
    assert len(prefixes) == len({row.prefix_key for row in rows}) <= len(turns)


def test_changing_one_row_leaves_the_others_alone(agent, turns):
    rows = rows_of(turns)
    before = logprobs(agent, rows)
    other = rows[0].sample.ids.copy()
    other[rows[0].prefix] = agent.chat.encode("z")[0]
    from dataclasses import replace

    changed = [replace(rows[0], sample=replace(rows[0].sample, ids=other)), *rows[1:]]
    after = logprobs(agent, changed)
    count = rows[0].tokens
    assert torch.allclose(before[count:], after[count:], atol=1e-6)
    assert not torch.allclose(before[:count], after[:count], atol=1e-3)


def test_cutting_keeps_every_row_once_and_the_budget(trajectories):
    rows = rows_of(trajectories)
    longest = max(len(row.sample.ids) for row in rows)
    for budget in (1, longest, 4 * longest, 10**9):
        parts = list(cut(rows, budget))
        assert sorted(id(row) for part in parts for row in part) == sorted(map(id, rows))
        for part in parts:
            heads = {row.prefix_key for row in part}
            padded = len(heads) * max(r.prefix for r in part)
            padded += len(part) * max(len(r.sample.ids) - r.prefix for r in part)
            assert len(part) == 1 or padded <= budget
            lengths = [row.continuation for row in part]
            assert max(lengths) <= 2 * min(lengths)


def test_a_picture_that_does_not_fit_its_placeholders_is_refused(agent, turns):
    from dataclasses import replace

    row = rows_of(turns)[0]
    large = Image(np.zeros((128, 128, 3), np.uint8))
    bad = replace(row, sample=replace(row.sample, media=(large, *row.sample.media[1:])))
    with pytest.raises(ValueError, match="placeholders"):
        collate([bad], agent.engine.backbone, agent.chat.media)


def test_a_row_needs_one_advantage_a_token(turns):
    with pytest.raises(ValueError, match="advantages"):
        Row(turns[0].samples[0], np.zeros(3))


def test_equal_text_with_another_picture_is_another_prefix(turns):
    from dataclasses import replace

    row = rows_of(turns)[0]
    pixels = row.sample.media[0].pixels.copy()
    pixels[0, 0] = 1
    other = replace(row, sample=replace(row.sample, media=(Image(pixels), *row.sample.media[1:])))
    assert row.prefix_key != other.prefix_key
