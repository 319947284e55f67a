"""Actions are strings: either calls of typed verbs, or a free answer.

    actions = ActionSet(verb("click", "Press the left mouse button at a pixel.", x=X, y=Y))
    actions.parse("click(12, 30)")        # Call(verb="click", args={"x": 12, "y": 30})
    actions.parse("clack(12, 30)")        # ActionError: unknown action 'clack'; did you mean 'click'? ...

Text is parsed by Python's grammar with literals only; nothing is ever executed or evaluated.
"""

from __future__ import annotations

import ast
import math
import random
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from saccade.envs.errors import ActionError, near

Kind = Literal["x", "y", "int", "float", "str", "ref", "bool", "list", "texts"]
Value = int | float | str | bool | list[Any]
MAX_ACTION_LENGTH = 10_000
_HUGE = 1e300

_SOURCE = "<action>"
"""The file name in Python's remarks on odd model output (`1or 2`, `"\\d"`), which nobody needs: they are silenced."""
for _category in (SyntaxWarning, DeprecationWarning):  # once, at import: `catch_warnings` is not safe in threads
    warnings.filterwarnings("ignore", category=_category, module=_SOURCE)

_REQUIRED: Any = ...
"""No default. It is a constant of the language, and so still itself in another process."""


@dataclass(frozen=True)
class Param:
    """One parameter of a verb.

    Attributes:
        kind: `x` and `y` are pixels of the delivered picture (a `CoordinateCodec` may rewrite them); `ref` names an
            element; `texts` is one string or a list of them; the others are what they say.
        default: value when the argument is left out; without one it is required.
        choices: allowed values; empty for any.
    """

    kind: Kind
    default: Any = _REQUIRED
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """Whether the argument must be written."""
        return self.default is _REQUIRED

    def check(self, name: str, value: Any) -> Value:
        """Return the value in its type, or raise `ActionError`."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        match self.kind:
            case "x" | "y" | "float":
                if number and abs(value) < 1e9 and math.isfinite(value):
                    return value  # type: ignore[no-any-return]
                raise ActionError(f"{name} must be a finite number, got {_short(value)}")
            case "int":
                if isinstance(value, int) and number and abs(value) < 10**9:
                    return value
                raise ActionError(f"{name} must be a whole number, got {_short(value)}")
            case "bool":
                if isinstance(value, bool):
                    return value
                raise ActionError(f"{name} must be True or False, got {_short(value)}")
            case "list":
                if isinstance(value, list):
                    return value
                raise ActionError(f"{name} must be a list, got {_short(value)}")
            case "texts" if isinstance(value, list):
                if value and all(isinstance(item, str) for item in value):
                    return value
                raise ActionError(f"{name} must be a quoted string or a list of them, got {_short(value)}")
        if not isinstance(value, str):
            raise ActionError(f"{name} must be a quoted string, got {_short(value)}")
        if self.choices and value not in self.choices:
            raise ActionError(f"{name} cannot be {_short(value)}; {near(value, self.choices, 'allowed')}")
        return value


X = Param("x")
Y = Param("y")
STR = Param("str")
REF = Param("ref")


@dataclass(frozen=True)
class Verb:
    """A named action with typed parameters and one sentence of help."""

    name: str
    help: str
    params: Mapping[str, Param]

    @property
    def signature(self) -> str:
        """How to write it, as `click(x, y)`; optional arguments show their default."""
        shown = [name if param.required else f"{name}={param.default!r}" for name, param in self.params.items()]
        return f"{self.name}({', '.join(shown)})"


def verb(name: str, help: str, **params: Param) -> Verb:
    """Declare a verb: `verb("click", "Press the left mouse button.", x=X, y=Y)`."""
    return Verb(name, help, params)


@dataclass(frozen=True)
class Call:
    """A parsed action: a verb and its checked arguments, by name, in the order of the signature."""

    verb: str
    args: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.verb}({', '.join(repr(value) for value in self.args.values())})"


class ActionFormat(Protocol):
    """How an environment reads action strings."""

    @property
    def help(self) -> str:
        """What to write, for the model and for people."""

    def parse(self, text: str) -> Any:
        """Read one action, or raise `ActionError` with a message for the agent."""

    def sample(self, rng: random.Random, size: tuple[int, int]) -> str:
        """Write a random well-formed action for a picture of `size` (width, height)."""


class ActionSet:
    """A closed set of verbs; the format of interactive environments."""

    def __init__(self, *verbs: Verb) -> None:
        self.verbs = {each.name: each for each in verbs}

    @property
    def help(self) -> str:
        """One line a verb."""
        return "\n".join(f"{each.signature}: {each.help}" for each in self.verbs.values())

    def parse(self, text: str) -> Call:
        """Read one call such as `click(3, 4)` or `fill("e2", value="Ann")`; raise `ActionError` otherwise."""
        node = _parse_call(text)
        if not isinstance(node.func, ast.Name):
            raise ActionError(f"an action is one call such as {self._example()}")
        spec = self.verbs.get(node.func.id)
        if spec is None:
            raise ActionError(f"unknown action {_short(node.func.id)}; {near(node.func.id, self.verbs, 'actions')}")
        if len(node.args) > len(spec.params):
            raise ActionError(f"{spec.signature} takes {len(spec.params)} arguments, got {len(node.args)}")
        given = dict(zip(spec.params, (_literal(arg) for arg in node.args), strict=False))
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in spec.params:
                raise ActionError(f"{spec.signature} has no argument {keyword.arg!r}")
            if keyword.arg in given:
                raise ActionError(f"{spec.signature} got {keyword.arg!r} twice")
            given[keyword.arg] = _literal(keyword.value)
        args: dict[str, Value] = {}
        for name, param in spec.params.items():
            if name in given:
                args[name] = param.check(name, given[name])
            elif param.required:
                raise ActionError(f"{spec.signature} needs the argument {name!r}")
            else:
                args[name] = param.default
        return Call(spec.name, args)

    def sample(self, rng: random.Random, size: tuple[int, int]) -> str:
        """Write a random well-formed call; coordinates fall inside the picture."""
        return self.sample_of(rng.choice(list(self.verbs.values())), rng, size)

    def sample_of(self, spec: Verb, rng: random.Random, size: tuple[int, int]) -> str:
        """Write a random well-formed call of one verb."""
        values = [_sample(param, rng, size) for param in spec.params.values()]
        return f"{spec.name}({', '.join(map(repr, values))})"

    def _example(self) -> str:
        return next(iter(self.verbs.values())).signature


@dataclass(frozen=True)
class Answer:
    """A free answer: any string is well formed; the task's verifier judges it."""

    help: str = "Answer in a word or a number."
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> str:
        """The answer, stripped; an empty one is an error."""
        answer = text.strip()
        if not answer:
            raise ActionError("the answer is empty; write it between the answer tags")
        if len(answer) > MAX_ACTION_LENGTH:
            raise ActionError(f"an answer has at most {MAX_ACTION_LENGTH} characters, got {len(answer)}")
        return answer

    def sample(self, rng: random.Random, size: tuple[int, int]) -> str:
        """One of the known choices, else a digit."""
        return rng.choice(self.choices or tuple("0123456789"))


def _parse_call(text: str) -> ast.Call:
    source = text.strip()
    if not source:
        raise ActionError("the action is empty")
    if len(source) > MAX_ACTION_LENGTH:
        raise ActionError(f"an action has at most {MAX_ACTION_LENGTH} characters, got {len(source)}")
    try:
        body = ast.parse(source, _SOURCE, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ActionError(
            f"cannot read the action {_short(source)}: it must be one call with literal values"
        ) from error
    if not isinstance(body, ast.Call):
        raise ActionError(f"cannot read the action {_short(source)}: it must be one call with literal values")
    return body


def _literal(node: ast.expr) -> Any:
    """The value of a literal: number, string, boolean, or a flat list of them."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float, str)):
        if isinstance(node.value, (int, float)) and not abs(node.value) < _HUGE:
            raise ActionError("numbers must be finite and have at most 300 digits")  # longer ones cannot even be shown
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        # One sign only: a recursion as deep as the text is long could not be stopped in time.
        value = _literal(node.operand) if isinstance(node.operand, ast.Constant) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.List) and all(isinstance(item, ast.Constant) for item in node.elts):
        return [_literal(item) for item in node.elts]
    raise ActionError("arguments must be plain numbers, quoted strings, True, False or lists of these")


def _sample(param: Param, rng: random.Random, size: tuple[int, int]) -> Value:
    if param.choices:
        return rng.choice(param.choices)
    match param.kind:
        case "x":
            return rng.randrange(size[0])
        case "y":
            return rng.randrange(size[1])
        case "int":
            return rng.randrange(10)
        case "float":
            return round(rng.uniform(-1, 1), 3)
        case "bool":
            return rng.random() < 0.5
        case "ref":
            return f"e{rng.randrange(10)}"
        case "list":
            return []
        case "str" | "texts":
            return "".join(rng.choices("abcdefgh", k=4))


def _short(value: object) -> str:
    shown = repr(value) if isinstance(value, (str, bool)) else str(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
