"""A schema of your own: which column holds what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from saccade.envs.errors import ConfigError, near
from saccade.envs.qa.data.item import BOXED, Item, box_text, letter_of, list_text, texts
from saccade.envs.qa.verify import check_verifier

_COLUMN = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Fields:
    """Names of columns, and how answers are judged.

    Attributes:
        question: a column, or a sentence with columns in it: `"What is {name}? {hint}"`.
        answer: a column; a list in it holds several right answers, or one of a list verifier.
        image: a column with a picture or a list of them, or several columns; the default may be missing.
        video: a column with a video file.
        audio: a column with a WAV file.
        choices: a column with a list, or several columns; the answer is then the letter, the number from 0, or the text
            of one.
        verifier: a name in `VERIFIERS`; `option` where there are choices, otherwise `text`.
        settings: those of the verifier.
        boxes: how boxes are written.
        shares: boxes are shares of the picture's width and height, not pixels.
        info: columns that are told beside the verdict.
    """

    question: str = "question"
    answer: str = "answer"
    image: str | Sequence[str] = "image"
    video: str = ""
    audio: str = ""
    choices: str | Sequence[str] = ""
    verifier: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    boxes: Literal["xyxy", "xywh"] = "xyxy"
    shares: bool = False
    info: Sequence[str] = ()

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> Fields:
        """Check a dictionary.

        Raises:
            ConfigError: it has an unknown key, verifier or setting.
        """
        known = [each.name for each in fields(cls)]
        for key in schema:
            if key not in known:
                raise ConfigError(f"a schema has no {key!r}; {near(key, known, 'keys')}")
        made = cls(**schema)
        if made.boxes not in ("xyxy", "xywh"):
            raise ConfigError(f"boxes must be xyxy or xywh, got {made.boxes!r}")
        if made.verifier:
            check_verifier(made.verifier, made.settings)
        return made

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that must be there."""
        asked = _COLUMN.findall(self.question) or [self.question]
        media = [] if self.image == "image" else _names(self.image)
        named = [self.answer, self.video, self.audio, *_names(self.choices), *self.info]
        return tuple(dict.fromkeys(name for name in (*asked, *media, *named) if name))

    @property
    def uses(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (*self.needed, *_names(self.image))

    def read(self, row: Mapping[str, Any]) -> Item:
        """The question of a row."""
        is_sentence = bool(_COLUMN.search(self.question))
        asked = _COLUMN.sub(lambda match: str(row[match[1]]), self.question) if is_sentence else str(row[self.question])
        images = tuple(each for name in _names(self.image) for each in _listed(row.get(name)))
        choices = tuple(text for name in _names(self.choices) for text in texts(row[name]))
        verifier = self.verifier or ("option" if choices else "text")
        answer = row[self.answer]
        golds: tuple[str, ...]
        if verifier in BOXED:
            golds = (box_text(answer, self.boxes),)
        elif verifier == "option" and choices:
            golds = (letter_of(answer, choices),)
        elif verifier in ("set", "list", "ordered"):
            golds = (list_text(texts(answer)) if isinstance(answer, (list, tuple)) else str(answer),)
        else:
            golds = texts(answer) if isinstance(answer, (list, tuple)) else (str(answer),)
        settings = {"choices": list(choices), **self.settings} if verifier == "option" else self.settings
        info = {name: row[name] for name in self.info}
        media = row[self.video] if self.video else None, row[self.audio] if self.audio else None
        return Item(asked, golds, verifier, settings, choices, images, *media, shares=self.shares, info=info)


def _names(names: str | Sequence[str]) -> list[str]:
    return ([names] if names else []) if isinstance(names, str) else list(names)


def _listed(value: Any) -> list[Any]:
    """A picture or a list of them as a list."""
    return list(value) if isinstance(value, (list, tuple)) else [value]
