import numpy as np
import pytest

from saccade.agents.engines.base import Completion, StopReason
from saccade.agents.ledger import Kind, Ledger, LedgerError
from saccade.agents.modality import Modality
from saccade.envs.observation import Audio, Image, Video

PAD, STOP, BANNED, FRAME, SOUND = 9, 8, 7, 10, 11


@pytest.fixture
def ledger():
    ledger = Ledger({Modality.IMAGE: PAD, Modality.VIDEO: FRAME}, (BANNED, PAD, FRAME))
    ledger.append(Kind.SYSTEM, [1, 2], -1)
    return ledger


def completion(ledger, ids=(3, STOP), logprobs=(-0.5, -0.1), prompt=None):
    return Completion(
        ids, logprobs, (4,) * len(ids), StopReason.STOP, tuple(ledger.ids) if prompt is None else tuple(prompt)
    )


def image(value=0, sampler=None):
    pixels = np.full((4, 4, 3), value, np.uint8)
    return Image(pixels, None if sampler is None else np.full((4, 4, 3), sampler, np.uint8))


def test_a_sample_addresses_every_action_token(ledger):
    ledger.append_medium(image(), [PAD] * 3, 3, 0)
    ledger.append_action(completion(ledger), 0)
    ledger.append(Kind.OBSERVATION, [5], 1)
    ledger.append_action(completion(ledger, (6,), (-2.0,)), 1)
    sample = ledger.sample()
    assert sample.ids.tolist() == [1, 2, PAD, PAD, PAD, 3, STOP, 5, 6]
    assert sample.turns.tolist() == [-1, -1, -1, -1, -1, 0, 0, -1, 1]
    assert sample.logprobs.tolist() == pytest.approx([0, 0, 0, 0, 0, -0.5, -0.1, 0, -2.0])
    assert sample.versions.tolist() == [-1, -1, -1, -1, -1, 4, 4, -1, 4]
    assert sample.media_spans == ((2, 5),)


@pytest.mark.parametrize("token", [PAD, FRAME])
def test_text_cannot_hold_a_placeholder(ledger, token):
    with pytest.raises(LedgerError, match="placeholder"):
        ledger.append(Kind.OBSERVATION, [1, token], 0)


def test_a_span_holds_the_placeholders_of_its_medium_and_no_others(ledger):
    video = Video(np.zeros((2, 4, 4, 3), np.uint8), 2.0)
    ledger.append_medium(video, [FRAME, 1, FRAME], 2, 0)  # text between two steps of time
    assert ledger.sample().media_spans == ((2, 5),)
    for medium, ids, tokens in [
        (video, [FRAME], 2),
        (video, [FRAME, PAD], 1),
        (video, [FRAME, PAD], 2),
        (image(), [FRAME], 1),
        (image(), [PAD, PAD], 1),
        (image(), [], 0),
    ]:
        with pytest.raises(LedgerError, match=r"all its own|at least one"):
            ledger.append_medium(medium, ids, tokens, 0)
    with pytest.raises(LedgerError, match="no audio placeholder"):
        ledger.append_medium(Audio(np.zeros(8, np.float32), 16000), [SOUND], 1, 0)
    assert len(ledger.spans) == 2


def test_an_action_cannot_hold_a_banned_token(ledger):
    with pytest.raises(LedgerError, match="banned"):
        ledger.append_action(completion(ledger, (3, BANNED)), 0)


def test_the_engine_must_have_seen_this_prompt(ledger):
    with pytest.raises(LedgerError, match="other prompt"):
        ledger.append_action(completion(ledger, prompt=(1, 2, 2)), 0)


@pytest.mark.parametrize("value", [0.5, float("nan"), float("inf")])
def test_a_logprob_must_be_one(ledger, value):
    with pytest.raises(LedgerError, match="log-probability"):
        ledger.append_action(completion(ledger, logprobs=(-0.5, value)), 0)


def test_actions_and_media_have_their_own_way_in(ledger):
    for kind in (Kind.ACTION, Kind.MEDIUM):
        with pytest.raises(LedgerError, match="own method"):
            ledger.append(kind, [1], 0)


def test_the_sampler_may_see_another_picture_than_the_learner(ledger):
    shown = image(200, sampler=90)
    ledger.append_medium(shown, [PAD] * 2, 2, 0)
    assert ledger.prompt().media[0].pixels[0, 0, 0] == 90
    assert ledger.sample().media[0].pixels[0, 0, 0] == 200


def test_a_completion_needs_one_number_a_token():
    with pytest.raises(ValueError, match="one log-probability"):
        Completion((1, 2), (0.0,), (0, 0), StopReason.STOP, ())
