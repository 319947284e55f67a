"""What is shown: the question's text with its pictures, video and sound in reading order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from saccade.envs.observation import Audio, Image, Observation, Part, Text, Video
from saccade.envs.qa.data.item import Item
from saccade.envs.qa.verifiers.option import LETTERS

_PLACE = re.compile(r"<image ?([0-9]{1,2})?>|<(video|audio)>", re.A)
HINTS: Mapping[str, str] = {
    "integer": "Answer with a whole number.",
    "option": "Answer with the letter of the right choice.",
    "number": "Answer with a number.",
    "expression": "Answer with a number or a formula.",
    "point": "Answer with a point (x, y) in pixels of the picture.",
    "iou": "Answer with a box [left, top, right, bottom] in pixels of the picture.",
    "boxes": "Answer with a list of boxes [[left, top, right, bottom], ...] in pixels of the picture.",
    "set": "Answer with all of them, separated by commas.",
    "list": "Answer with all of them, separated by commas.",
    "ordered": "Answer with all of them in order, separated by commas.",
    "interval": "Answer with start and end in seconds, such as 3.5 - 7.",
}
"""What is said after the question, by verifier; of others, `Answer in a word or a number.`."""


def prompt(item: Item, images: Sequence[Image | None], video: Video | None, audio: Audio | None) -> Observation:
    """Text with the media where it names them; those that it does not name follow it."""
    lines = [item.question.strip()]
    lines += [f"({letter}) {choice}" for letter, choice in zip(LETTERS, item.choices, strict=False)]
    lines.append(HINTS.get(item.verifier, "Answer in a word or a number."))
    text = "\n".join(lines)
    left: dict[str, Part] = {str(number): image for number, image in enumerate(images, 1) if image}
    left |= {"video": video} if video else {}
    left |= {"audio": audio} if audio else {}
    parts: list[Part] = []
    start = 0
    for match in _PLACE.finditer(text):
        key = match[2] or match[1] or next((name for name in left if name.isdecimal()), "")
        if key in left:  # otherwise it is a piece of text like any other
            parts += [Text(text[start : match.start()].strip()), left.pop(key)]
            start = match.end()
    parts += [Text(text[start:].strip()), *left.values()]
    return Observation(tuple(part for part in parts if not isinstance(part, Text) or part.text))
