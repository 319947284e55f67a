"""Exact token building for any chat template whose rendering only grows.

The pieces between contents (who speaks, where a turn ends) are taken from differences of rendered templates, once.
World text is encoded apart from them with special tokens switched off, so no page and no question can forge a turn or
a placeholder; sampled replies are never encoded at all.

    chat = Chat.from_pretrained(path)
    ledger = chat.open("Click what is asked for.")
    chat.observe(ledger, observation, turn=0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from saccade.agents.ledger import Kind, Ledger
from saccade.agents.media import Media, Run
from saccade.agents.modality import Medium, Modality, modality_of
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Observation, Text

_S, _U, _R, _V = "saccadesystem", "saccadefirst", "saccadereply", "saccadesecond"


@dataclass(frozen=True)
class _Piece:
    """Ids to append: text, or a medium with its number of placeholders."""

    ids: list[int]
    medium: Medium | None = None
    tokens: int = 0


class Chat:
    """A tokenizer, its chat template taken apart, and the media processors of one model.

    Args:
        tokenizer: a Hugging Face tokenizer with a chat template.
        media: the processors; without any for a text-only model.
        vocabulary: rows of the model's output, where it is padded beyond the tokenizer.

    Raises:
        ConfigError: the template is not append-only, or the tokenizer has no end-of-turn token.
    """

    def __init__(self, tokenizer: Any, media: Media, vocabulary: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary or len(tokenizer)
        self.media = media
        name = getattr(tokenizer, "name_or_path", "") or "the tokenizer"
        if not getattr(tokenizer, "chat_template", None):
            raise ConfigError(f"{name} has no chat template: use an instruction-tuned checkpoint")
        self._encoded = lru_cache(maxsize=1024)(self._encode)  # a context policy shows the same text turn after turn
        self._listed = _U in self._render([("user", _U)], listed=True)
        first = self._render([("system", _S), ("user", _U)], generate=True)
        second = self._render([("system", _S), ("user", _U), ("assistant", _R), ("user", _V)], generate=True)
        if not second.startswith(first) or second.count(_R) != 1 or first.count(_S) != 1:
            raise ConfigError(
                f"the chat template of {name} is not append-only: rendering more turns changes earlier ones, so the "
                "sampled tokens would differ from the trained ones; use a template without history rewriting"
            )
        before_system, rest = first.split(_S)
        after_system, after_user = rest.split(_U)
        between, last = second[len(first) :].removeprefix(_R).split(_V)
        if last != after_user:
            raise ConfigError(f"the chat template of {name} closes its second user turn differently from its first")
        self._before_system = self._control(before_system)
        self._after_system = self._control(after_system)
        self._after_user = self._control(after_user)
        self._between = self._control(between)
        if not self._between or self._between[0] not in tokenizer.all_special_ids:
            raise ConfigError(
                f"the chat template of {name} ends a reply with no special token: sampling could not stop"
            )
        self.stop = self._between[0]
        self._around = {modality: self._wrapping(modality) for modality in media.processors}
        self.banned = self._never_sampled()

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Chat:
        """Load tokenizer and media processors of a checkpoint."""
        from transformers import AutoConfig, AutoTokenizer

        config = AutoConfig.from_pretrained(path)
        vocabulary = config.get_text_config().vocab_size
        return cls(AutoTokenizer.from_pretrained(path), Media.from_pretrained(path), vocabulary)

    def save_pretrained(self, path: str | Path) -> None:
        """Save tokenizer, chat template and media processors beside a model."""
        self.tokenizer.save_pretrained(path)
        self.media.save_pretrained(path)

    def open(self, system: str) -> Ledger:
        """A ledger that holds the system turn and opens the first user turn."""
        ledger = Ledger(self.media.placeholders, self.banned)
        ids = [*self._before_system, *self.encode(system), *self._after_system]
        ledger.append(Kind.SYSTEM, ids, turn=-1)
        return ledger

    def cost(self, ledger: Ledger, observation: Observation) -> int:
        """Tokens that `observe` would append."""
        return sum(len(piece.ids) for piece in self._content(ledger, observation))

    def observe(self, ledger: Ledger, observation: Observation, turn: int) -> None:
        """Append an observation: the rest of the turn before it, its parts in order, the opening of the reply."""
        for piece in self._content(ledger, observation):
            if piece.medium is None:
                ledger.append(Kind.OBSERVATION, piece.ids, turn)
            else:
                ledger.append_medium(piece.medium, piece.ids, piece.tokens, turn)

    def encode(self, text: str) -> list[int]:
        """Plain text into ids; strings of special tokens are spelled out, not obeyed."""
        return list(self._encoded(text))

    def decode(self, ids: tuple[int, ...] | list[int]) -> str:
        """Ids into text, without the end-of-turn token."""
        kept = [token for token in ids if token != self.stop]
        text: str = self.tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def pieces(self, ids: list[int]) -> list[str]:
        """Each token as a string, for people."""
        return [self.tokenizer.decode([token], clean_up_tokenization_spaces=False) for token in ids]

    def _content(self, ledger: Ledger, observation: Observation) -> list[_Piece]:
        """Pieces to append: text, and media with their placeholders."""
        ids: list[int] = []
        if ledger.spans[-1].kind in (Kind.ACTION, Kind.REPLY):
            ids += self._between[1:] if ledger.ids[-1] == self.stop else self._between
        out: list[_Piece] = []
        previous: Any = None
        for part in observation.parts:
            if isinstance(part, Text):
                ids += self.encode(f"\n{part.text}" if isinstance(previous, Text) else part.text)
            else:
                runs = self.media.process(part).runs
                before, own, after = self._spell(modality_of(part), runs)
                out += [_Piece(ids + before), _Piece(own, part, sum(run.tokens for run in runs))]
                ids = list(after)
            previous = part
        out.append(_Piece(ids + self._after_user))
        return out

    def _spell(self, modality: Modality, runs: Sequence[Run]) -> tuple[list[int], list[int], list[int]]:
        """Ids before the first placeholder of a medium, those up to its last, those after it."""
        around = self._around[modality]
        if around is None:
            raise ConfigError(f"the environment shows {modality}, for which the model's chat template writes nothing")
        before, after = around
        out: list[int] = []
        for run in runs:
            caption = self.encode(run.caption) if run.caption else []
            out += [*caption, *before, *[self.media.placeholders[modality]] * run.tokens, *after]
        head, tail = out.index(self.media.placeholders[modality]), len(out) - len(after)
        return out[:head], out[head:tail], out[tail:]

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def _render(self, turns: list[tuple[str, str]], generate: bool = False, listed: bool | None = None) -> str:
        as_list = self._listed if listed is None else listed
        messages = [
            {"role": role, "content": [{"type": "text", "text": text}] if as_list else text} for role, text in turns
        ]
        return self._apply(messages, generate)

    def _apply(self, messages: list[dict[str, Any]], generate: bool) -> str:
        text: str = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generate)
        return text

    def _control(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=False)["input_ids"]
        return ids

    def _wrapping(self, modality: Modality) -> tuple[list[int], list[int]] | None:
        """What the template writes before and after the placeholder of a medium; `None` where it knows none."""
        content = [{"type": "text", "text": _U}, {"type": str(modality)}, {"type": "text", "text": _V}]
        rendered = self._apply([{"role": "user", "content": content}], generate=False)
        ids = self._control(rendered.split(_U)[1].split(_V)[0])
        token = self.media.placeholders[modality]
        if ids.count(token) == 1:
            at = ids.index(token)
            return ids[:at], ids[at + 1 :]
        if modality is Modality.IMAGE:
            name = self.tokenizer.convert_ids_to_tokens(token)
            raise ConfigError(f"the chat template must write one {name} for a picture, it writes {ids.count(token)}")
        return None

    def _never_sampled(self) -> tuple[int, ...]:
        """Control tokens and padding rows of the vocabulary, except the token that ends a reply."""
        special = set(self.tokenizer.all_special_ids) | {
            index for index, token in self.tokenizer.added_tokens_decoder.items() if token.special
        }
        padding = set(range(len(self.tokenizer), self.vocabulary))
        return tuple(sorted((special | padding | set(self.media.placeholders.values())) - {self.stop}))
