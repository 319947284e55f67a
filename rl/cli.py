"""The command line: `saccade envs | tiny | train | eval | card | play | replay | doctor`."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import tyro
from rich.console import Console

from saccade.envs.errors import SaccadeError, near
from saccade.rl.commands import CONSOLE, Card, Doctor, Envs, Eval, Play, Replay, Tiny, Train, escape_markup

COMMANDS: dict[str, tuple[type[Any], Callable[[Any], int]]] = {
    "envs": (Envs, Envs.run),
    "tiny": (Tiny, Tiny.run),
    "train": (Train, Train.go),
    "eval": (Eval, Eval.run),
    "card": (Card, Card.run),
    "play": (Play, Play.run),
    "replay": (Replay, Replay.run),
    "doctor": (Doctor, Doctor.run),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an expected error is one line, not a traceback (set SACCADE_TRACEBACK to see it)."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    if not args or args[0] in ("-h", "--help") or args[0] not in COMMANDS:
        return _usage(args)
    try:
        command = parse(args)
        return COMMANDS[args[0]][1](command)
    except KeyboardInterrupt:
        resumable = any(field.name == "resume" for field in dataclasses.fields(COMMANDS[args[0]][0]))
        hint = "; the same command with --resume goes on from what is stored" if resumable else ""
        Console(stderr=True).print(f"interrupted{hint}", highlight=False, soft_wrap=True)
        return 130
    except SaccadeError as error:
        if os.environ.get("SACCADE_TRACEBACK"):
            raise
        Console(stderr=True).print(f"[bold red]error:[/] {escape_markup(str(error))}", highlight=False, soft_wrap=True)
        return 2


def parse(args: Sequence[str]) -> Any:
    """The command that some arguments stand for, checked and not yet run."""
    cls = COMMANDS[args[0]][0]
    return tyro.cli(
        _with_saved_agent(cls, args) if cls in (Train, Eval) else cls,
        prog=f"saccade {args[0]}",
        description=cls.__doc__,
        args=args[1:],
        config=(tyro.conf.AvoidSubcommands,),
    )


def _with_saved_agent(cls: type[Any], args: Sequence[str]) -> type[Any]:
    """The command with the agent defaults of the model folder, so that single ones can be overridden by flags."""
    from saccade.agents.agent import AgentConfig
    from saccade.agents.load import saved_agent_config

    words = [word for argument in args for word in argument.split("=", 1)]
    model = next((value for flag, value in pairwise(words) if flag == "--model"), None)
    agent = dataclasses.field(default=saved_agent_config(model) if model else AgentConfig())
    return dataclasses.make_dataclass(cls.__name__, [("agent", AgentConfig, agent)], bases=(cls,), frozen=True)


def _usage(args: Sequence[str]) -> int:
    for name, (cls, _) in COMMANDS.items():
        CONSOLE.print(f"saccade {name:8}{(cls.__doc__ or '').splitlines()[0]}", highlight=False)
    CONSOLE.print("saccade COMMAND --help explains one.", highlight=False)
    if args and args[0] not in ("-h", "--help"):
        error = f"error: unknown command {args[0]!r}; {near(args[0], COMMANDS, 'commands')}"
        Console(stderr=True).print(error, markup=False)
        return 2
    return 0
