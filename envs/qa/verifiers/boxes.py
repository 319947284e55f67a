"""Places in a picture: a point in a box, one box, many boxes with confidences.

Boxes are `[left, top, right, bottom]` in pixels of the delivered picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from saccade.envs.qa.verifiers.verdict import RIGHT, Verdict, trim, wrong

MAX_BOXES = 100
MAX_TEXT = 10_000
_LARGEST = 1e6
_NUMBER = r"[+-]?(?:[0-9]{1,7}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
_GAP = r"(?:\s*,\s*|\s+)"
_PAIR = rf"({_NUMBER}){_GAP}({_NUMBER})"
_POINT = re.compile(rf"[\[(]?\s*{_PAIR}\s*[\])]?", re.A)
_BOX = re.compile(
    rf"[\[(]?\s*{_PAIR}{_GAP}{_PAIR}\s*[\])]?|[\[(]?\s*\(\s*{_PAIR}\s*\){_GAP}\(\s*{_PAIR}\s*\)\s*[\])]?",
    re.A,
)
_PLACES = ("bbox_2d", "bbox", "box", "Position", "position")
_CONFIDENCES = ("Confidence", "confidence", "score")


class Box(NamedTuple):
    """Left, top, right and bottom; it has an area."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.right - self.left) * (self.bottom - self.top)


class Found(NamedTuple):
    """A box that was answered, and how sure the answer is of it."""

    box: Box
    confidence: float


def iou_of(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    common = max(width, 0.0) * max(height, 0.0)
    return common / (a.area + b.area - common)


def read_boxes(text: str) -> list[Found] | None:
    """One box in plain numbers or JSON, or a JSON list of boxes; `None` for anything else, and for too many.

    Objects may name their box `bbox_2d`, `bbox`, `box` or `Position`, and their `Confidence` in [0, 1] (1 where there
    is none). `[]` is no box at all.
    """
    text = trim(text) if len(text) <= MAX_TEXT else ""
    if not text:
        return None
    if match := _BOX.fullmatch(text):
        box = _box([float(number) for number in match.groups() if number is not None])
        return [Found(box, 1.0)] if box else None
    try:
        data = json.loads(text.replace("'", '"'))
    except (ValueError, RecursionError):
        return None
    if isinstance(data, dict):
        data = [data]
    if not isinstance(data, list) or len(data) > MAX_BOXES:
        return None
    if len(data) == 4 and not any(isinstance(item, (list, dict)) for item in data):
        data = [data]
    found = [_found(item) for item in data]
    return None if None in found else [each for each in found if each]


def read_point(text: str) -> tuple[float, float] | None:
    """One point in plain numbers, or as a JSON object with `point_2d` or `point`."""
    text = trim(text) if len(text) <= MAX_TEXT else ""
    if not text:
        return None
    if text[0] == "{":
        try:
            data = json.loads(text.replace("'", '"'))
        except (ValueError, RecursionError):
            return None
        place = data.get("point_2d", data.get("point"))
        numbers = _numbers(place)
        return (numbers[0], numbers[1]) if numbers and len(numbers) == 2 else None
    match = _POINT.fullmatch(text)
    return (float(match[1]), float(match[2])) if match else None


def point(answer: str, gold: str) -> Verdict:
    """One point inside the box `gold` or on its edge, as ScreenSpot scores (arXiv 2401.10935)."""
    wanted = read_boxes(gold)
    if not wanted or len(wanted) != 1:
        return wrong("the right answer is not one box")
    place = read_point(answer)
    if place is None:
        return wrong("not one point")
    box = wanted[0].box
    inside = box.left <= place[0] <= box.right and box.top <= place[1] <= box.bottom
    return RIGHT if inside else wrong("outside the box")


def iou(answer: str, gold: str, *, threshold: float | None = None) -> Verdict:
    """One box: its intersection over union with `gold`, or with a `threshold`, whether it reaches it (RefCOCO: 0.5)."""
    wanted, given = read_boxes(gold), read_boxes(answer)
    if not wanted or len(wanted) != 1:
        return wrong("the right answer is not one box")
    if not given or len(given) != 1:
        return wrong("not one box")
    value = iou_of(given[0].box, wanted[0].box)
    if threshold is None:
        return Verdict(value, f"IoU {value:.3f}")
    return Verdict(float(value >= threshold), f"IoU {value:.3f}")


def boxes(answer: str, gold: str, *, threshold: float = 0.5, confidence: float = 0.0) -> Verdict:
    """Many boxes, matched as in Visual-RFT (arXiv 2503.01785, section 3.2).

    From the surest answer on, each takes the box of `gold` that is still free and overlaps most, if by more than
    `threshold`. The score is the sum of the overlaps over the larger number of boxes, so that one too many costs as
    much as one too few. `confidence` in [0, 1] is the weight of the paper's second reward: the mean over answered
    boxes of the confidence of those that found one, and of 1 minus that of the others. The paper adds the two; here
    they are averaged by weight, and boxes written twice count twice.
    """
    wanted, given = read_boxes(gold), read_boxes(answer)
    if wanted is None:
        return wrong("the right answer is no list of boxes")
    if given is None:
        return wrong("not a list of boxes")
    if not wanted or not given:
        return RIGHT if not wanted and not given else wrong("no box" if wanted else "there is none to find")
    overlaps = match(given, [each.box for each in wanted], threshold)
    overlap = sum(value for value, _ in overlaps) / max(len(given), len(wanted))
    sure = sum(each if value else 1.0 - each for value, each in overlaps) / len(overlaps)
    score = (1.0 - confidence) * overlap + confidence * sure
    return Verdict(min(max(score, 0.0), 1.0), f"{sum(value > 0 for value, _ in overlaps)} of {len(wanted)} found")


def match(given: Sequence[Found], wanted: Sequence[Box], threshold: float) -> list[tuple[float, float]]:
    """For each answered box, from the surest on: its overlap with the box it found, else 0, and its confidence."""
    free = list(wanted)
    overlaps = []
    for found in sorted(given, key=lambda found: -found.confidence):
        best = max(free, key=lambda box: iou_of(found.box, box), default=None)
        value = iou_of(found.box, best) if best else 0.0
        if best and value > threshold:
            free.remove(best)
            overlaps.append((value, found.confidence))
        else:
            overlaps.append((0.0, found.confidence))
    return overlaps


def _numbers(data: Any) -> list[float] | None:
    if not isinstance(data, list):
        return None
    plain = [float(n) for n in data if isinstance(n, (int, float)) and not isinstance(n, bool) and abs(n) <= _LARGEST]
    return plain if len(plain) == len(data) else None


def _box(data: Any) -> Box | None:
    numbers = _numbers(data)
    if not numbers or len(numbers) != 4:
        return None
    box = Box(*numbers)
    return box if box.right > box.left and box.bottom > box.top and box.area > 0 else None


def _found(item: Any) -> Found | None:
    confidence = 1.0
    if isinstance(item, dict):
        confidence = next((item[name] for name in _CONFIDENCES if name in item), 1.0)
        item = next((item[name] for name in _PLACES if name in item), None)
    box = _box(item)
    sure = isinstance(confidence, (int, float)) and 0 <= confidence <= 1
    return Found(box, float(confidence)) if box and sure else None
