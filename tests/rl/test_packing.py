"""Packed rows are the padded ones in another place: same log-probabilities, same gradient, nobody sees a neighbour."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import saccade.rl.layout as layout
from saccade.agents.attention import seen_by, take_masks, tree_mask
from saccade.agents.engines.base import scripted
from saccade.agents.engines.sampling import banned_mask
from saccade.agents.trajectory import Sample
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation
from saccade.rl.backward import accumulate
from saccade.rl.batch import Batching, Row, batches, collate, pack, score


def conversations(agent, seed=0):
    """Groups of three replies to a prompt; text alone, one picture, and several turns with a picture each."""
    rng = np.random.default_rng(seed)
    chat = agent.chat
    words = chat.encode("left right up down ring dot")
    rows = []
    for group in range(4):
        pictures = [Image(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in range(group)]
        for _ in range(3):
            ledger = chat.open("Walk." * (group + 1))
            for turn, shown in enumerate(pictures or [None]):
                chat.observe(ledger, Observation.of("Go on.", *([shown] if shown else [])), turn)
                reply = [*rng.choice(words, size=rng.integers(1, 30)).tolist(), chat.stop]
                ledger.append_action(scripted(reply, ledger.prompt()), turn)
            sample = ledger.sample()
            rows.append(Row(sample, rng.normal(size=int(sample.action_mask.sum())), weight=rng.uniform(0.5, 2)))
    return rows


@pytest.fixture
def rows(agent):
    return conversations(agent)


def logprobs(agent, rows, batching):
    net = agent.engine.backbone
    banned = banned_mask(agent.chat.banned, net.vocabulary, net.device)
    found = {}
    with torch.no_grad():
        for part, batch in batches(rows, net, agent.chat.media, batching):
            scores = score(net, batch, banned, 1.0)[0].split([row.tokens for row in part])
            found |= zip(map(id, part), scores, strict=True)
    return [found[id(row)] for row in rows]


def gradient(agent, rows, *batchings, logits_bytes=1 << 30):
    """Of the weighted log-probabilities and entropies; each batching with its share of the rows."""
    net, media = agent.engine.backbone, agent.chat.media
    banned = banned_mask(agent.chat.banned, net.vocabulary, net.device)

    def loss_of(batch, encoded):
        chosen, entropy = score(net, batch, banned, 1.0, encoded, logits_bytes)
        return ((chosen * batch.advantages + 0.1 * entropy) * batch.weights).sum(), {}

    net.model.zero_grad()
    for share, batching in zip(rows if len(batchings) > 1 else [rows], batchings, strict=True):
        accumulate(net, media, share, batching, loss_of)
    return torch.cat([p.grad.flatten() for p in net.model.parameters() if p.grad is not None])


def gap(found, expected):
    assert expected.abs().max() > 0
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("tokens", [16384, 300, 1])
def test_packed_equals_padded(agent, rows, tokens):
    padded, packed = Batching(tokens), Batching(tokens, packed=True)
    for one, other in zip(logprobs(agent, rows, padded), logprobs(agent, rows, packed), strict=True):
        assert (one - other).abs().max() < 1e-5
    assert gap(gradient(agent, rows, packed), gradient(agent, rows, padded)) < 1e-5


def test_packed_rows_share_their_prefix_and_their_row(agent, rows):
    (part, batch), *more = batches(rows, agent.engine.backbone, agent.chat.media, Batching(packed=True))
    tokens = sum({row.prefix_key: row.prefix for row in rows}.values()) + sum(row.continuation for row in rows)
    assert not more and sorted(map(id, part)) == sorted(map(id, rows))
    assert int(batch.layout.block.mask.sum()) == tokens < sum(len(row.sample.ids) for row in rows)
    assert len(batch.layout.block.ids) < len({row.prefix_key for row in rows})


def changed(agent, row):
    """The row with other words, and other pictures behind its prefix."""
    ids = row.sample.ids.copy()
    ids[row.prefix : row.prefix + 1] = agent.chat.encode("z")[0]
    media = [
        Image(255 - medium.pixels) if stop > row.prefix else medium
        for medium, (_, stop) in zip(row.sample.media, row.sample.media_spans, strict=True)
    ]
    return replace(row, sample=replace(row.sample, ids=ids, media=tuple(media)))


def others_move(agent, rows, at):
    """How far the log-probabilities of the other rows move when one changes; and its own."""
    before = logprobs(agent, rows, Batching(packed=True))
    after = logprobs(agent, [*rows[:at], changed(agent, rows[at]), *rows[at + 1 :]], Batching(packed=True))
    moved = [float((one - other).abs().max()) for one, other in zip(before, after, strict=True)]
    return max(moved[:at] + moved[at + 1 :]), moved[at]


@pytest.mark.parametrize("at", [0, 5, 10])
def test_changing_one_sample_leaves_the_others_alone(agent, rows, at):
    others, own = others_move(agent, rows, at)
    assert others == 0 and own > 1e-3


def test_without_the_mask_they_would_change(agent, rows, monkeypatch):
    monkeypatch.setattr(layout, "tree_mask", lambda segments, parents: tree_mask(segments > 0, segments > 0))
    assert max(others_move(agent, rows, at)[0] for at in (0, 5, 10)) > 1e-3


def test_positions_are_those_of_the_sample_alone(agent, rows):
    net, media = agent.engine.backbone, agent.chat.media
    (part, batch), *_ = batches(rows, net, media, Batching(packed=True))
    block = batch.layout.block.positions.flatten(1)
    for row, last in zip(part, batch.layout.last.tolist(), strict=True):
        own = net.positions(row.sample.ids.tolist(), [media.process(medium) for medium in row.sample.media])
        assert torch.equal(block[:, last + 1 - row.continuation : last + 1], own[:, row.prefix :])


def test_a_critic_reads_the_same_states(agent, rows):
    net, media = agent.engine.backbone, agent.chat.media
    found = []
    with torch.no_grad():
        for packed in (False, True):
            of = {}
            for part, batch in batches(rows, net, media, Batching(packed=packed)):
                before, behind = batch.layout.states(net, net.encode(batch.features))
                for row, own, last in zip(part, before.split([row.tokens for row in part]), behind, strict=True):
                    of[id(row)] = torch.cat([own, last.unsqueeze(0)])
            found.append([of[id(row)] for row in rows])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@given(st.data())
def test_packing_keeps_every_row_once_and_its_bounds(data):
    lengths = data.draw(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 60)), min_size=1, max_size=30))
    capacity = data.draw(st.integers(1, 150))
    budget = data.draw(st.integers(1, 600))
    rows = [length_row(group, length) for group, length in lengths]
    found = list(pack(rows, budget, capacity))
    assert sorted(id(r) for part in found for row in part for tree in row for r in tree) == sorted(map(id, rows))
    for part in found:
        sizes = [sum(tree[0].prefix + sum(r.continuation for r in tree) for tree in row) for row in part]
        assert all(len({r.prefix_key for r in tree}) == 1 for row in part for tree in row)
        for row, size in zip(part, sizes, strict=True):
            assert size <= capacity or (len(row) == len(row[0]) == 1)
        assert len(part) == 1 or len(part) * max(sizes) <= budget
        assert max(sizes) <= 2 * min(sizes)


def length_row(group, length):
    """A row of a group whose prefix has 10 tokens more than the last group's."""
    turns = np.array([-1] * (10 * (group + 1)) + [0] * length, np.int32)
    empty = np.zeros(len(turns))
    sample = Sample(np.full(len(turns), group), turns, empty.astype(np.float32), turns, (), ())
    return Row(sample, np.zeros(length))


def test_the_mask_by_hand():
    """A prefix of two, two continuations of two and one, a lone segment, padding."""
    segments = torch.tensor([[1, 1, 2, 2, 3, 4, 0]])
    parents = torch.tensor([[1, 1, 1, 1, 1, 4, 0]])
    expected = ["1......", "11.....", "111....", "1111...", "11..1..", ".....1.", "......1"]
    assert ["".join("1" if x else "." for x in row) for row in tree_mask(segments, parents)[0, 0]] == expected


def test_the_block_mask_of_a_gpu_hides_the_same():
    from torch.nn.attention.flex_attention import create_mask

    rng = np.random.default_rng(0)
    segments = torch.from_numpy(np.sort(rng.integers(0, 6, (3, 40))))
    parents = torch.where(segments % 2 == 1, segments - 1, segments)
    found = create_mask(seen_by(segments, parents), 3, None, 40, 40, device="cpu")
    assert torch.equal(found, tree_mask(segments, parents))


def test_models_whose_attention_cannot_are_refused(agent):
    config = agent.engine.backbone.model.config.get_text_config()
    config._attn_implementation = "eager"
    with pytest.raises(ConfigError, match="'sdpa', got 'eager'"):
        take_masks(agent.engine.backbone.model, torch.ones(1))
    config._attn_implementation = "sdpa"
    config.layer_types = ["full_attention", "sliding_attention"]
    with pytest.raises(ConfigError, match=r"sliding windows.*packing=False"):
        take_masks(agent.engine.backbone.model, torch.ones(1))


@pytest.mark.gpu
def test_flex_attention_on_a_gpu_equals_padded(agent, rows):
    agent.engine.backbone.model.cuda()
    padded, packed = (logprobs(agent, rows, Batching(packed=packed)) for packed in (False, True))
    assert max((one - other).abs().max() for one, other in zip(padded, packed, strict=True)) < 1e-4


@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_does_not_depend_on_the_split(agent, seed):
    """Random cuts, each part packed or padded under a random budget, against one padded micro-batch."""
    rng = np.random.default_rng(seed)
    rows = conversations(agent, seed)
    whole = gradient(agent, rows, Batching(10**9)).clone()
    order = rng.permutation(len(rows))
    cuts = np.split(order, np.sort(rng.choice(np.arange(1, len(rows)), size=rng.integers(1, 5), replace=False)))
    ways = [Batching(int(rng.integers(1, 1000)), bool(rng.integers(2))) for _ in cuts]
    parts = gradient(agent, [[rows[i] for i in cut] for cut in cuts], *ways)
    assert gap(parts, whole) < 1e-6


class Peak(TorchDispatchMode):
    """Most rows of logits that live at one time, counted by the storages that tensors [rows, V] are kept in."""

    def __init__(self, projection):
        super().__init__()
        self.width, self.weight = projection.shape
        self.live, self.most = {}, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, torch.Tensor) and tensor.shape[1:] == (self.width,) and len(tensor) != self.weight:
                storage = tensor.untyped_storage()
                if storage._cdata not in self.live:
                    self.live[storage._cdata] = len(tensor)
                    weakref.finalize(storage, self.live.pop, storage._cdata, None)
                    self.most = max(self.most, sum(self.live.values()))
        return out


def test_logits_are_bounded_by_the_chunk(agent, rows):
    net, media = agent.engine.backbone, agent.chat.media
    width = 4 * net.vocabulary
    tokens = sum(row.tokens for row in rows)

    def peak(some, chunk):
        with Peak(net.model.lm_head.weight) as counted:
            gradient(agent, some, Batching(10**9, packed=True), logits_bytes=chunk * width)
        return counted.most

    assert tokens > 100
    few = peak(rows, 10)
    assert 10 <= few <= 12 * 10
    assert peak(rows * 3, 10) == few
    assert peak(rows, 10**6) > 3 * tokens
    whole, chunked = (gradient(agent, rows, Batching(), logits_bytes=each * width).clone() for each in (10**6, 10))
    assert gap(chunked, whole) < 1e-6
    batch = collate(rows, net, media)
    banned = banned_mask(agent.chat.banned, net.vocabulary, net.device)
    with torch.no_grad():
        for one, other in zip(score(net, batch, banned, 0.7), score(net, batch, banned, 0.7, None, width), strict=True):
            assert torch.allclose(one, other, rtol=1e-6, atol=1e-6)
