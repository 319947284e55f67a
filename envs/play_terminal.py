"""A game in the terminal: an action a line, and pictures in a file that any picture viewer shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from saccade.envs.observation import Text
from saccade.envs.play import Game
from saccade.envs.replay.files import write_atomically
from saccade.envs.replay.media import shown

COMMANDS = ":demo shows what the demonstration would do next, :do does it, :new begins the next task, :quit ends."


def play_in_terminal(game: Game, folder: Path, read: Callable[[], str], tell: Callable[[str], None]) -> None:
    """Play until `:quit`, the end of the input, or the last episode.

    Args:
        game: what is played.
        folder: where the pictures are written, as `now.png`.
        read: the next line; raises `EOFError` after the last.
        tell: shows a text.
    """
    for text in (game.instructions, game.help, COMMANDS, game.title):
        tell(plain(text))
    _look(game, folder, tell)
    try:
        while not game.done:
            line = read().strip()
            if line == ":quit":
                return
            if line:
                _follow(line, game, folder, tell)
    except EOFError:
        tell("")


def plain(text: str) -> str:
    """The text without anything that a terminal would obey: control characters are written as escapes."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
    )


def _follow(line: str, game: Game, folder: Path, tell: Callable[[str], None]) -> None:
    """Do what a line says: one of the commands, or an action."""
    if line == ":new":
        game.new()
        tell(plain(game.title))
        _look(game, folder, tell)
    elif game.end is not None:
        tell("The episode is over: :new begins the next task, :quit ends.")
    elif line in (":demo", ":do"):
        demo = game.demo()
        if demo is None:
            tell("No demonstration is known.")
            return
        tell(plain(f"{demo.thought} -> {demo.action}" if demo.thought else demo.action))
        if line == ":do":
            _act(demo.action, game, folder, tell)
    elif line.startswith(":"):
        tell(COMMANDS)
    else:
        _act(line, game, folder, tell)


def _act(action: str, game: Game, folder: Path, tell: Callable[[str], None]) -> None:
    game.act(action)
    tell(plain(f"reward {game.moves[-1].reward:g}; {game.status}"))
    _look(game, folder, tell)


def _look(game: Game, folder: Path, tell: Callable[[str], None]) -> None:
    """Tell the texts of the observation, and write its media to files."""
    count = 0
    for part in game.observation.parts:
        if isinstance(part, Text):
            tell(plain(part.text))
            continue
        kind, data = shown(part)
        count += 1
        path = folder / f"now{'' if count == 1 else f'-{count}'}.{kind.partition('/')[2]}"
        write_atomically(path, [data])
        size = getattr(part, "size", None)
        tell(f"{path} ({size[0]} x {size[1]} pixels)" if size else str(path))
