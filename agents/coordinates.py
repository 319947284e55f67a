"""How a model family writes places; environments always speak pixels of the delivered picture.

A codec rewrites both ways: demonstrations and help into the model's convention, replies back into pixels.
Places in actions are the `x`, `y` arguments of verbs; in thoughts and captions they are written `(x, y)`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Protocol

from saccade.envs.actions import ActionFormat, ActionSet, Call
from saccade.envs.errors import ActionError, ConfigError, near

Size = tuple[int, int]
_PLACE = re.compile(r" ?\((-?\d{1,6}), ?(-?\d{1,6})\)")


class CoordinateCodec(Protocol):
    """Between pixels and what the model writes."""

    help: str
    """A sentence for the system turn; empty where pixels are meant."""

    def encode_action(self, action: str, actions: ActionFormat, size: Size) -> str:
        """An action in pixels, as the model writes it."""

    def decode_action(self, action: str, actions: ActionFormat, size: Size) -> str:
        """The model's action, in pixels; text that does not parse is passed on as it is."""

    def encode_text(self, text: str, size: Size) -> str:
        """A thought or caption with places `(x, y)` in pixels, as the model writes it."""

    def decode_text(self, text: str, size: Size) -> str:
        """The inverse of `encode_text`."""


class PixelCodec:
    """The model writes pixels itself (Qwen2.5-VL)."""

    help = ""

    def encode_action(self, action: str, actions: ActionFormat, size: Size) -> str:
        """Unchanged."""
        return action

    def decode_action(self, action: str, actions: ActionFormat, size: Size) -> str:
        """Unchanged."""
        return action

    def encode_text(self, text: str, size: Size) -> str:
        """Unchanged."""
        return text

    def decode_text(self, text: str, size: Size) -> str:
        """Unchanged."""
        return text


class ThousandCodec:
    """The model writes thousandths of width and height (Qwen2-VL, Qwen3-VL, InternVL)."""

    help = "x and y run from 0 to 1000 over the width and the height of the picture."

    def encode_action(self, action: str, actions: ActionFormat, size: Size) -> str:
        """Scale `x` and `y` arguments to 0..1000."""
        return _scale_call(action, actions, (1000 / size[0], 1000 / size[1]))

    def decode_action(self, action: str, actions: ActionFormat, size: Size) -> str:
        """Scale `x` and `y` arguments back to pixels."""
        return _scale_call(action, actions, (size[0] / 1000, size[1] / 1000), size)

    def encode_text(self, text: str, size: Size) -> str:
        """Scale places to 0..1000."""
        return _scale_places(text, (1000 / size[0], 1000 / size[1]))

    def decode_text(self, text: str, size: Size) -> str:
        """Scale places back to pixels."""
        return _scale_places(text, (size[0] / 1000, size[1] / 1000))


class LocationTokenCodec:
    """Each coordinate is one of `bins` single tokens `<loc00>`, `<loc01>`, ... (the tiny model).

    A token stands for the middle of its bin, so decoding is exact to half a bin.
    """

    help = ""

    def __init__(self, bins: int = 32) -> None:
        if not 2 <= bins <= 100:
            raise ConfigError(f"bins must be between 2 and 100, got {bins}")
        self.bins = bins
        self.tokens = [f"<loc{index:02d}>" for index in range(bins)]
        self._token = re.compile(r"<loc(\d\d)>")
        self._pair = re.compile(r"<loc(\d\d)><loc(\d\d)>")

    def encode_action(self, action: str, actions: ActionFormat, size: Size) -> str:
        """Replace `x` and `y` arguments by location tokens: `click(31, 17)` becomes `click(<loc15><loc08>)`."""
        call = _places(action, actions)
        if call is None:
            return action
        parts = [self._argument(name, value, call, actions, size) for name, value in call.args.items()]
        said = parts[0]
        for before, part in pairwise(parts):
            said += part if {before, part} <= set(self.tokens) else f", {part}"
        return f"{call.verb}({said})"

    def decode_action(self, action: str, actions: ActionFormat, size: Size) -> str:
        """Replace pairs of location tokens by `x, y` in pixels."""
        return self._pair.sub(lambda pair: "{}, {}".format(*self._pixels(pair, size)), action)

    def encode_text(self, text: str, size: Size) -> str:
        """Replace ` (x, y)` by a pair of location tokens."""

        def tokens(place: re.Match[str]) -> str:
            return "".join(self._token_for(int(n), size[axis]) for axis, n in enumerate(place.groups()))

        return _PLACE.sub(tokens, text)

    def decode_text(self, text: str, size: Size) -> str:
        """Replace pairs of location tokens by ` (x, y)`."""
        return self._pair.sub(lambda pair: " ({}, {})".format(*self._pixels(pair, size)), text)

    def _argument(self, name: str, value: object, call: Call, actions: ActionFormat, size: Size) -> str:
        kind = _kind(actions, call, name)
        if kind in ("x", "y") and isinstance(value, (int, float)):
            return self._token_for(value, size[0 if kind == "x" else 1])
        return repr(value)

    def _token_for(self, pixel: float, extent: int) -> str:
        return self.tokens[min(max(int(pixel * self.bins / extent), 0), self.bins - 1)]

    def _pixels(self, pair: re.Match[str], size: Size) -> tuple[int, int]:
        x, y = (
            min(int((int(n) + 0.5) * extent / self.bins), extent - 1)
            for n, extent in zip(pair.groups(), size, strict=True)
        )
        return x, y


CODECS: dict[str, type[PixelCodec] | type[ThousandCodec] | type[LocationTokenCodec]] = {
    "pixels": PixelCodec,
    "thousand": ThousandCodec,
    "location-tokens": LocationTokenCodec,
}


def make_codec(name: str) -> CoordinateCodec:
    """The codec of that name."""
    if name not in CODECS:
        raise ConfigError(f"unknown coordinate codec {name!r}; {near(name, CODECS, 'codecs')}")
    return CODECS[name]()


def _places(action: str, actions: ActionFormat) -> Call | None:
    """The parsed call, if there is one with places in it."""
    if not isinstance(actions, ActionSet):
        return None
    try:
        call = actions.parse(action)
    except ActionError:
        return None
    return call if any(_kind(actions, call, name) in ("x", "y") for name in call.args) else None


def _kind(actions: ActionFormat, call: Call, name: str) -> str:
    return actions.verbs[call.verb].params[name].kind if isinstance(actions, ActionSet) else ""


def _scale_call(action: str, actions: ActionFormat, factors: tuple[float, float], size: Size = (1001, 1001)) -> str:
    """Scale the places of a call; the far edge of the range is the last pixel of the picture."""
    call = _places(action, actions)
    if call is None:
        return action
    scaled = {}
    for name, value in call.args.items():
        kind = _kind(actions, call, name)
        is_place = kind in ("x", "y") and isinstance(value, (int, float))
        axis = 0 if kind == "x" else 1
        edge = size[axis] - 1 if is_place and value == 1000 else 10**9  # beyond the range stays beyond the picture
        scaled[name] = min(round(value * factors[axis]), edge) if is_place else value  # type: ignore[operator]
    return str(Call(call.verb, scaled))


def _scale_places(text: str, factors: tuple[float, float]) -> str:
    def scaled(place: re.Match[str]) -> str:
        return " ({}, {})".format(*(round(int(n) * factor) for n, factor in zip(place.groups(), factors, strict=True)))

    return _PLACE.sub(scaled, text)
