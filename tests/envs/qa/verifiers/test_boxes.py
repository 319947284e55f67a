"""Overlaps and matching against counted pixels."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.envs.qa.verifiers.boxes import Box, Found, iou_of, match, read_boxes, read_point
from saccade.envs.qa.verify import VERIFIERS

SIZE = 24


def random_box(rng):
    left, right = sorted(rng.choice(SIZE + 1, 2, replace=False).tolist())
    top, bottom = sorted(rng.choice(SIZE + 1, 2, replace=False).tolist())
    return Box(left, top, right, bottom)


def painted(box):
    mask = np.zeros((SIZE, SIZE), bool)
    mask[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = True
    return mask


def counted(a, b):
    a, b = painted(a), painted(b)
    return (a & b).sum() / (a | b).sum()


def test_overlap_is_the_share_of_counted_pixels():
    rng = np.random.default_rng(0)
    for _ in range(500):
        a, b = random_box(rng), random_box(rng)
        assert iou_of(a, b) == pytest.approx(counted(a, b), abs=1e-12)
        assert iou_of(a, b) == iou_of(b, a) and iou_of(a, a) == 1.0


def test_matching_is_the_papers_on_counted_pixels():
    rng = np.random.default_rng(1)
    for _ in range(150):
        wanted = [random_box(rng) for _ in range(rng.integers(1, 6))]
        near = [Box(box.left, box.top, box.right, box.bottom) for box in wanted if rng.random() < 0.6]
        boxes = near + [random_box(rng) for _ in range(rng.integers(0, 4))]
        sure = rng.permutation(len(boxes)) / 10
        given = [Found(box, float(each)) for box, each in zip(boxes, sure, strict=True)]
        threshold = float(rng.choice([0.0, 0.3, 0.5]))
        taken, expected = set(), []
        for place in np.argsort(-sure):  # the pseudo-code of the paper's appendix, slowly
            best, best_value = None, 0.0
            for index, box in enumerate(wanted):
                if index not in taken and counted(boxes[place], box) > best_value:
                    best, best_value = index, counted(boxes[place], box)
            if best_value > threshold:
                taken.add(best)
                expected.append((best_value, sure[place]))
            else:
                expected.append((0.0, sure[place]))
        found = match(given, wanted, threshold)
        assert [each for pair in found for each in pair] == pytest.approx([each for pair in expected for each in pair])
        if given:
            answer = json.dumps([{"Position": list(each.box), "Confidence": each.confidence} for each in given])
            gold = json.dumps([list(box) for box in wanted])
            overlap = sum(value for value, _ in expected) / max(len(given), len(wanted))
            certainty = np.mean([each if value else 1 - each for value, each in expected])
            for weight in (0.0, 0.3, 1.0):
                score = VERIFIERS["boxes"](answer, gold, threshold=threshold, confidence=weight).score
                assert score == pytest.approx((1 - weight) * overlap + weight * certainty)


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2, 3, 4]",
        "(1, 2, 3, 4)",
        "1 2 3 4",
        "1.0,2,3.,4",
        "(1, 2), (3, 4)",
        "[[1, 2, 3, 4]]",
        '{"bbox_2d": [1, 2, 3, 4], "label": "dog"}',
        "[{'Position': [1, 2, 3, 4], 'Confidence': 0.5}]",
        '{"box": [1, 2, 3, 4]}.',
    ],
)
def test_ways_to_write_a_box(text):
    [found] = read_boxes(text)
    assert found.box == Box(1, 2, 3, 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 2 3",
        "1 2 3 4 5",
        "[1, 2, 3, 4] [1, 2, 3, 4]",
        "3 4 1 2",
        "[1, 2, 1, 4]",
        "[NaN, 0, 1, 1]",
        "[0, 0, Infinity, 1]",
        "[0, 0, 1e400, 1]",
        "[true, 0, 3, 4]",
        '{"box": [1, 2, 3, 4], "Confidence": 2}',
        f'{{"box": [1, 2, 3, 4], "Confidence": {"9" * 400}}}',
        '{"box": [1, 2, 3, 4], "Confidence": "high"}',
        "the box is [1, 2, 3, 4]",
        "[" * 5000,
        json.dumps([[0, 0, 1, 1]] * 101),
        "１ 2 3 4",  # noqa: RUF001 - a full-width digit
    ],
)
def test_what_is_no_box(text):
    assert read_boxes(text) is None and VERIFIERS["iou"](text, "[1, 2, 3, 4]").score == 0.0


@pytest.mark.parametrize("text", ["3 4", "(3, 4)", "[3.0, 4.]", '{"point_2d": [3, 4]}'])
def test_ways_to_write_a_point(text):
    assert read_point(text) == (3.0, 4.0)


@pytest.mark.parametrize(
    "text", ["", "3", "3 4 5", "(3, 4) (5, 6)", "[3, 4, 5, 6]", "{}", '{"point": "3 4"}', "x=3, y=4"]
)
def test_what_is_no_point(text):
    assert read_point(text) is None and VERIFIERS["point"](text, "[0, 0, 9, 9]").score == 0.0


def test_one_box_too_many_costs_as_much_as_one_too_few_and_one_box_over_all_is_no_way():
    gold = "[[0, 0, 4, 4], [8, 8, 12, 12]]"
    score = VERIFIERS["boxes"]
    assert score(gold, gold).score == 1.0
    assert score("[[0, 0, 4, 4]]", gold).score == 0.5
    assert score("[[0, 0, 4, 4], [8, 8, 12, 12], [20, 20, 24, 24], [0, 0, 4, 4]]", gold).score == 0.5
    assert score("[[0, 0, 12, 12]]", gold).score == 0.0
    assert score("[]", gold).score == 0.0 and score("[]", "[]").score == 1.0 and score(gold, "[]").score == 0.0


@given(st.text(alphabet="[](){}0123456789., \"'boxPositnCfdec:eNaI-+", max_size=80))
@settings(max_examples=200, deadline=None)
def test_anything_may_be_said(text):
    for name in ("iou", "boxes", "point"):
        score, reason = VERIFIERS[name](text, "[1, 2, 3, 4]")
        assert 0.0 <= score <= 1.0 and reason
