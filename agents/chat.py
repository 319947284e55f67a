"""Exact token building for any chat template whose rendering only grows.

What stands between contents (who speaks, where a turn ends) is the template's own (`agents/template.py`). World text is
encoded with special tokens switched off, so no page and no question can forge a turn or a placeholder; sampled replies
are never encoded at all.

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
from saccade.agents.template import TEXT, Template
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Observation, Text

THINKING: dict[str, bool | None] = {"default": None, "on": True, "off": False}
"""What `enable_thinking` is set to, for templates that know it."""


@dataclass(frozen=True)
class _Piece:
    """Ids to append: text, or a medium with its number of placeholders."""

    ids: list[int]
    medium: Medium | None = None
    tokens: int = 0


class Chat:
    """A tokenizer, its chat template, and the media processors of one model.

    Args:
        tokenizer: a Hugging Face tokenizer with a chat template.
        media: the processors; without any for a text-only model.
        vocabulary: rows of the model's output, where it is padded beyond the tokenizer.
        thinking: `on` and `off` set `enable_thinking`; `default` leaves it to the template.

    Raises:
        ConfigError: the template is not append-only, ends a reply with no control token, or writes no pictures.
    """

    def __init__(self, tokenizer: Any, media: Media, vocabulary: int | None = None, thinking: str = "default") -> None:
        if thinking not in THINKING:
            raise ConfigError(f"thinking must be one of {', '.join(THINKING)}, got {thinking!r}")
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary or len(tokenizer)
        self.media = media
        self._encoded = lru_cache(maxsize=1024)(self._encode)  # a context policy shows the same text turn after turn
        self.template = Template(tokenizer, media.placeholders, THINKING[thinking])
        self.stop = self.template.specials[self.template.stop]
        if Modality.IMAGE in media.processors and not self.template.writes(Modality.IMAGE):
            token = tokenizer.convert_ids_to_tokens(media.placeholders[Modality.IMAGE])
            raise ConfigError(f"the chat template must write one {token} for a picture, and does not")
        self.banned = self._never_sampled()
        self._must_agree()

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

    def thinking(self, mode: str) -> Chat:
        """The same chat with `enable_thinking` set; itself for `default`."""
        return self if mode == "default" else Chat(self.tokenizer, self.media, self.vocabulary, mode)

    def open(self, system: str) -> Ledger:
        """A ledger that holds the system text."""
        ledger = Ledger(self.media.placeholders, self.banned)
        writer = _Writer(self)
        writer.control(self.template.head)
        writer.text([system.strip() if self.template.trims_system else system])
        writer.control(self.template.tail)
        ledger.append(Kind.SYSTEM, [token for piece in writer.finish() for token in piece.ids], turn=-1)
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

    def reply(self, text: str) -> list[int]:
        """A reply as the model would write it, its end included; for demonstrations."""
        return [*self.encode(f"{self.template.lead}{text}"), self.stop]

    def decode(self, ids: tuple[int, ...] | list[int]) -> str:
        """Ids into text, without the end-of-turn token."""
        kept = [token for token in ids if token != self.stop]
        text: str = self.tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def pieces(self, ids: list[int]) -> list[str]:
        """Each token as a string, for people."""
        return [self.tokenizer.decode([token], clean_up_tokenization_spaces=False) for token in ids]

    def control(self, text: str) -> list[int]:
        """Text of the template into ids, control tokens obeyed."""
        ids: list[int] = []
        for piece in self.template.split(text):
            special = self.template.specials.get(piece)
            ids += self.encode(piece) if special is None else [special]
        return ids

    def _content(self, ledger: Ledger, observation: Observation) -> list[_Piece]:
        """Pieces to append: text, and media with their placeholders."""
        parts: list[list[str] | Medium] = []
        for part in observation.parts:
            if not isinstance(part, Text):
                parts.append(part)
            elif parts and isinstance(parts[-1], list):
                parts[-1].append(f"\n{part.text}")
            else:
                parts.append([part.text])
        shape = tuple("text" if isinstance(part, list) else str(modality_of(part)) for part in parts)
        runs = {index: self.media.process(part).runs for index, part in enumerate(parts) if not isinstance(part, list)}
        first = ledger.spans[-1].kind not in (Kind.ACTION, Kind.REPLY)
        pieces = list(self.template.turn(shape or TEXT, first))
        if not first and ledger.ids[-1] == self.stop:
            pieces[0] = str(pieces[0]).removeprefix(self.template.stop)
        writer = _Writer(self)
        for piece in pieces:
            if isinstance(piece, str):
                writer.control(piece)
                continue
            content = parts[piece] if parts else [""]
            if isinstance(content, list):
                writer.text(["".join(content).strip()] if self.template.trims else content)
            else:
                writer.medium(content, runs[piece])
        return writer.finish()

    def _encode(self, text: str) -> tuple[int, ...]:
        plain = text.encode(errors="replace").decode()  # no tokenizer takes half a surrogate pair
        return tuple(self.tokenizer(plain, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def _must_agree(self) -> None:
        """Refuse a tokenizer that writes our pieces otherwise than the template's whole text."""
        ledger = self.open("Look here.")
        self.observe(ledger, Observation.of("What is it?"), 0)
        whole = self.template.render("Look here.", ["What is it?"])
        ids = self.tokenizer(whole, add_special_tokens=False, split_special_tokens=False)["input_ids"]
        if ledger.ids != ids:
            raise ConfigError(
                f"{self.template.name} encodes the pieces of its chat template otherwise than the whole: "
                f"{self.pieces(ledger.ids)}, and not {self.pieces(ids)}"
            )

    def _never_sampled(self) -> tuple[int, ...]:
        """Control tokens and padding rows of the vocabulary, except the token that ends a reply."""
        special = set(self.template.specials.values())
        padding = set(range(len(self.tokenizer), self.vocabulary))
        return tuple(sorted((special | padding | set(self.media.placeholders.values())) - {self.stop}))


class _Writer:
    """Joins what the template writes with contents, so that plain text beside a content is encoded with it."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._pieces: list[_Piece] = []
        self._ids: list[int] = []
        self._plain = ""  # text of the template, not yet encoded
        self._content = ""  # text of a world behind it

    def control(self, text: str) -> None:
        """Text of the template."""
        for piece in self._chat.template.split(text):
            special = self._chat.template.specials.get(piece)
            if special is None and self._content:
                self._content += piece
            elif special is None:
                self._plain += piece
            else:
                self._flush()
                self._ids.append(special)

    def text(self, texts: Sequence[str]) -> None:
        """The texts of one part, each encoded apart from the one before it."""
        for index, text in enumerate(texts):
            if index:
                self._flush()
            self._content += text

    def medium(self, medium: Medium, runs: Sequence[Run]) -> None:
        """Placeholders; where there are captions, what the template writes around a medium stands around each run."""
        self._flush()
        chat, kind = self._chat, modality_of(medium)
        token = chat.media.placeholders[kind]
        own = [token] * runs[0].tokens
        if len(runs) > 1 or runs[0].caption:
            around = chat.template.around(kind)
            if around is None:
                raise ConfigError(f"the model's chat template moves {kind} away from the text beside it")
            before, after = map(chat.control, around)
            self._ids = [*self._ids[: len(self._ids) - len(before)], *chat.encode(runs[0].caption), *before]
            for run in runs[1:]:
                own += [*after, *chat.encode(run.caption), *before, *[token] * run.tokens]
        self._pieces += [*self._rest(), _Piece(own, medium, sum(run.tokens for run in runs))]

    def finish(self) -> list[_Piece]:
        """All that was written; the last piece is text."""
        self._flush()
        return [*self._pieces, *self._rest()]

    def _flush(self) -> None:
        self._ids += self._chat.encode(self._plain + self._content)
        self._plain = self._content = ""

    def _rest(self) -> list[_Piece]:
        ids, self._ids = self._ids, []
        return [_Piece(ids)] if ids else []
