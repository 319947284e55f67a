"""A chat template, taken apart: what it writes around contents, and whether a conversation only grows under it.

    template = Template(tokenizer, {Modality.IMAGE: 151655})
    template.turn(("text", "image"), first=True)    # ("<|im_end|>...user...", 0, "<|vision_start|>", 1, "...")

It is rendered with marks in place of contents, once for each shape of an observation, so that whatever depends on the
kinds of its parts (their order, a space, a line break) is the template's own. Texts of worlds never pass through it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from saccade.agents.modality import Modality
from saccade.envs.errors import ConfigError

Shape = tuple[str, ...]
"""Kinds of the parts of an observation, in order: `text` or a modality; no two texts in a row."""
TEXT: Shape = ("text",)
_SYSTEM, _REPLY = "saccadesystem", "saccadereply"
_THOUGHTFUL = f"<think>\nsaccadethought\n</think>\n\n{_REPLY}"
_MARK = "saccadepart{}x"
_REFUSALS = (TypeError, ValueError, KeyError, IndexError, AttributeError)
"""How a template fails that does not know a role or a list of parts, beside Jinja's own errors."""


class Template:
    """The chat template of a tokenizer.

    Args:
        tokenizer: a Hugging Face tokenizer.
        placeholders: the token that stands for features, by kind of media.
        thinking: `enable_thinking`, for templates that know it; `None` leaves it to them.

    Attributes:
        name: of the tokenizer, for messages.
        specials: ids of the control tokens, by their text.
        head: what stands before the system text.
        tail: lines of plain text behind it, which belong to it.
        lead: white space that the template writes before a reply but not in the prompt for it: replies begin with it.
        stop: the token that ends a reply.
        listed: whether it takes contents as lists of parts, and so media.
        folds: whether the system text is put before the first observation by us, since there is no role for it.
        trims: whether texts are stripped.
        knows_thinking: whether `enable_thinking` changes what it writes.
        knows_tools: whether it describes tools.
        keeps_thoughts: whether the thoughts of earlier turns stay.

    Raises:
        ConfigError: there is no template, it rewrites earlier turns, or it ends a reply with no control token.
    """

    def __init__(self, tokenizer: Any, placeholders: Mapping[Modality, int], thinking: bool | None = None) -> None:
        self.name = getattr(tokenizer, "name_or_path", "") or "the tokenizer"
        if not getattr(tokenizer, "chat_template", None):
            raise ConfigError(f"{self.name} has no chat template: use an instruction-tuned checkpoint")
        self._tokenizer = tokenizer
        self._options: dict[str, Any] = {} if thinking is None else {"enable_thinking": thinking}
        self._turns: dict[tuple[Shape, bool], tuple[str | int, ...]] = {}
        self._cuts: dict[str, list[str]] = {}
        self.specials = special_tokens(tokenizer)
        self._controls = re.compile(f"({'|'.join(map(re.escape, self.specials))})")
        self._placeholders = {kind: tokenizer.convert_ids_to_tokens(token) for kind, token in placeholders.items()}
        mark = _MARK.format(0)
        listed = self._try([{"role": "user", "content": [{"type": "text", "text": mark}]}])
        self.listed = mark in listed and "'text'" not in listed  # and not Python's writing of a list
        system = [self._message("system", _SYSTEM), self._message("user", mark)]
        self.folds = _SYSTEM not in self._try(system)
        self._first = self._render(self._messages(TEXT))
        self.head, _, rest = self._first.partition(_SYSTEM)
        self.tail = "".join(self._controls.split(rest.partition(mark)[0])[0].rpartition("\n")[:2])
        self.lead, between = self._check()
        self.stop = next((text for text in self.specials if between.startswith(text)), "")
        if not self.stop:
            raise ConfigError(
                f"the chat template of {self.name} ends a reply with no special token: sampling could not stop"
            )
        self.trims = f" {mark} " not in self._render([self._message("user", f" {mark} ")])
        self.trims_system = self.folds or f" {_SYSTEM} " not in self._render(
            [self._message("system", f" {_SYSTEM} "), self._message("user", mark)]
        )
        self.knows_thinking = self._with(enable_thinking=True) != self._with(enable_thinking=False)
        self.knows_tools = self._with(tools=[{"type": "function", "function": {"name": _MARK}}]) != self._with()
        if thinking is not None and not self.knows_thinking:
            raise ConfigError(f"the chat template of {self.name} knows no enable_thinking: leave thinking at 'default'")
        kept = self._render(self._messages(TEXT, [_THOUGHTFUL]))
        self.keeps_thoughts = kept.startswith(f"{self._first}{self.lead}{_THOUGHTFUL}")

    def turn(self, shape: Shape, first: bool) -> tuple[str | int, ...]:
        """What is written from the end of the system text, or of a reply, to the opening of the next reply.

        Args:
            shape: kinds of the observation's parts.
            first: whether the system text came last, and no reply.

        Returns:
            Pieces of text of the template, and for each part its index, in the template's order of parts.

        Raises:
            ConfigError: the template leaves a part out.
        """
        if (shape, first) not in self._turns:
            whole = self._render(self._messages(shape, () if first else (_REPLY,)))
            before = f"{self.head}{_SYSTEM}{self.tail}" if first else f"{self._first}{self.lead}{_REPLY}"
            self._must_begin(whole, before, "an observation of other parts")
            self._turns[shape, first] = self._cut(whole[len(before) :], shape)
        return self._turns[shape, first]

    def render(self, system: str, texts: Sequence[str], replies: Sequence[str] = (), **options: Any) -> str:
        """Its own rendering of a conversation of texts, up to the opening of the next reply."""
        messages = [] if self.folds else [self._message("system", system)]
        for index, text in enumerate(texts):
            messages.append(self._message("user", f"{system}\n\n{text}" if self.folds and not index else text))
            messages += [self._message("assistant", reply) for reply in replies[index : index + 1]]
        return self._render(messages, **options)

    def around(self, kind: str) -> tuple[str, str] | None:
        """What stands before and after the placeholder of a medium between texts; `None` where it is moved away."""
        match self.turn(("text", kind, "text"), first=True):
            case (str(), 0, str(before), 1, str(after), 2, str()):
                return before, after
        return None

    def split(self, text: str) -> list[str]:
        """Text of the template cut at its control tokens, remembered."""
        if text not in self._cuts:
            self._cuts[text] = [piece for piece in self._controls.split(text) if piece]
        return self._cuts[text]

    def require_thoughts(self) -> None:
        """Refuse a template that takes thoughts out of earlier turns, before episodes of several turns."""
        if not self.keeps_thoughts:
            found = self._render(self._messages(TEXT, [_THOUGHTFUL]))
            difference = self._difference(f"{self._first}{self.lead}{_THOUGHTFUL}", found)
            raise ConfigError(
                f"the chat template of {self.name} takes the thoughts out of earlier turns: {difference}; choose "
                "reply_format 'plain' or 'no-think', a world of one turn, or a template that keeps them"
            )

    @property
    def summary(self) -> str:
        """What it can do, for people."""
        role = "no system role (its text goes before the first observation)" if self.folds else "a system role"
        shown = [str(kind) for kind in self._placeholders if self.writes(kind)]
        return ", ".join(
            [
                f"append-only, {role}",
                f"media: {', '.join(shown) or 'none'}",
                "enable_thinking" if self.knows_thinking else "no thinking switch",
                "thoughts stay" if self.keeps_thoughts else "thoughts of earlier turns are taken out",
                "tools" if self.knows_tools else "no tools",
                f"replies end with {self.stop}",
            ]
        )

    def writes(self, kind: str) -> bool:
        """Whether it writes the placeholder of a kind of media, once each."""
        try:
            return bool(self.turn((kind,), first=True))
        except ConfigError:
            return False

    def _check(self) -> tuple[str, str]:
        """Whether n turns are a prefix of n + 1; what stands before a reply, and what after it."""
        mark = _MARK.format(0)
        if self._first.count(_SYSTEM) != 1 or self._first.count(mark) != 1:
            raise ConfigError(
                f"the chat template of {self.name} does not write the system text and the first turn once"
            )
        second = self._render(self._messages(TEXT, [_REPLY]))
        self._must_begin(second, self._first, "one more turn")
        lead, *rest = second[len(self._first) :].split(_REPLY)
        if len(rest) != 1 or lead.strip():
            wanted = f"{self._first}{_REPLY}"
            raise ConfigError(
                f"the chat template of {self.name} is not append-only: it writes more than the reply where the reply "
                f"was: {self._difference(wanted, second)}"
            )
        third = self._render(self._messages(TEXT, [_REPLY, _REPLY]))
        self._must_begin(third, f"{second}{lead}{_REPLY}", "a third turn")
        if third[len(second) + len(lead) + len(_REPLY) :] != rest[0]:
            raise ConfigError(f"the chat template of {self.name} writes its third turn differently from its second")
        return lead, rest[0]

    def _must_begin(self, text: str, beginning: str, when: str) -> None:
        if not text.startswith(beginning):
            raise ConfigError(
                f"the chat template of {self.name} is not append-only: with {when} it writes something else earlier, "
                f"{self._difference(beginning, text)}, so the sampled tokens would differ from the trained ones; use a "
                "template without history rewriting"
            )

    def _difference(self, before: str, after: str) -> str:
        """The first token that differs, as text, and where."""
        one, other = (self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in (before, after))
        at = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))
        old, new = (
            repr(self._tokenizer.decode(ids[at : at + 1])) if at < len(ids) else "nothing" for ids in (one, other)
        )
        context = self._tokenizer.decode(one[max(at - 6, 0) : at])
        return f"after {context!r} first {old}, then {new}"

    def _cut(self, text: str, shape: Shape) -> tuple[str | int, ...]:
        marks = {_MARK.format(index): index for index, kind in enumerate(shape) if kind == "text"}
        media: dict[str, list[int]] = {}
        for index, kind in enumerate(shape):
            if kind != "text":
                media.setdefault(self._placeholders[Modality(kind)], []).append(index)
        pieces: list[str | int] = []
        for piece in re.split(f"({'|'.join(map(re.escape, [*marks, *media]))})", text):
            if piece in marks:
                pieces.append(marks[piece])
            elif piece in media:
                pieces.append(media[piece].pop(0) if media[piece] else -1)
            else:
                pieces.append(piece)
        if sorted(piece for piece in pieces if isinstance(piece, int)) != list(range(len(shape))):
            raise ConfigError(self._miscounts(shape, text))
        return tuple(pieces)

    def _miscounts(self, shape: Shape, text: str) -> str:
        for kind in dict.fromkeys(shape):
            if kind != "text":
                token = self._placeholders[Modality(kind)]
                found, wanted = text.count(token), shape.count(kind)
                if not found:
                    return f"the environment shows {kind}, for which the model's chat template writes nothing"
                if found != wanted:
                    return f"the chat template must write one {token} for each {kind}, it writes {found} for {wanted}"
        return f"the chat template of {self.name} does not write every text of {shape} once"

    def _messages(self, shape: Shape, replies: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The system text, a user turn for each of `replies`, and one of `shape`."""
        messages = [] if self.folds else [self._message("system", _SYSTEM)]
        for reply in replies:
            messages += [self._user(TEXT, first=not messages), self._message("assistant", reply)]
        return [*messages, self._user(shape, first=not messages)]

    def _user(self, shape: Shape, first: bool) -> dict[str, Any]:
        parts = [
            {"type": kind} | ({"text": _MARK.format(index)} if kind == "text" else {})
            for index, kind in enumerate(shape)
        ]
        if first and self.folds:
            join = shape[0] == "text"
            parts[: int(join)] = [{"type": "text", "text": f"{_SYSTEM}\n\n{parts[0]['text']}" if join else _SYSTEM}]
        content = parts if self.listed else "".join(part.get("text", "") for part in parts)
        return {"role": "user", "content": content}

    def _message(self, role: str, text: str) -> dict[str, Any]:
        return {"role": role, "content": [{"type": "text", "text": text}] if self.listed else text}

    def _with(self, **options: Any) -> tuple[str, str]:
        return self._try(self._messages(TEXT), **options), self._try(self._messages(TEXT, [_REPLY]), **options)

    def _try(self, messages: list[dict[str, Any]], **options: Any) -> str:
        """The rendering, or nothing where the template refuses."""
        from jinja2 import TemplateError

        try:
            return self._render(messages, **options)
        except (TemplateError, *_REFUSALS):
            return ""

    def _render(self, messages: list[dict[str, Any]], **options: Any) -> str:
        text: str = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, **(self._options | options)
        )
        return text


def special_tokens(tokenizer: Any) -> dict[str, int]:
    """Control tokens by their text, longest first; plain text never becomes one of them."""
    found = {index: token.content for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    found |= {index: tokenizer.convert_ids_to_tokens(index) for index in tokenizer.all_special_ids}
    return dict(sorted(((text, index) for index, text in found.items()), key=lambda pair: -len(pair[0])))
