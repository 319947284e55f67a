"""Formats in which an action is a JSON object: the tool-call block of Qwen's templates, and a JSON reply.

    <think>the circle</think>
    <tool_call>
    {"name": "click", "arguments": {"x": 3, "y": 4}}
    </tool_call>

    {"thought": "the circle", "action": {"name": "click", "arguments": {"x": 3, "y": 4}}}

Both become `click(x=3, y=4)`, which the world parses as it parses everything; a world of free answers has one tool,
`answer`. JSON is read within bounds of size and depth, and anything else is feedback.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from saccade.agents.formats.reply import FREE, Reply
from saccade.envs.actions import MAX_ACTION_LENGTH, ActionFormat, ActionSet, Param
from saccade.envs.errors import ActionError

MAX_DEPTH = 5
"""Of nested objects and lists: a JSON reply with lists as arguments needs five."""
_INSIDE = r"(?:(?!</?tool_call>|</?think>).)*+"
_BLOCK = re.compile(rf"<tool_call>({_INSIDE})</tool_call>", re.S)
_EXACT = re.compile(rf"\s*+(?:<think>({_INSIDE})</think>)?\s*+((?:<tool_call>{_INSIDE}</tool_call>\s*+)++)", re.S)
_TAG = re.compile(r"<(?=/?(?:tool_call|think)>)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.S)
_SURROGATE = re.compile("[\ud800-\udfff]")

_STRING = '"([ !#-\\[\\]-~\u00a0-\ud7ff]|\\\\["\\\\/bfnrt])*"'
"""JSON texts without control characters; the other patterns are as narrow as a forced format needs."""
_SCALAR = rf"({_STRING}|-?(0|[1-9][0-9]{{0,8}})(\.[0-9]{{1,8}})?|true|false)"
_VALUE = rf"({_SCALAR}|\[({_SCALAR}(, {_SCALAR})*)?\])"
_WORD = "[a-z_][a-z0-9_]{0,31}"
_ARGUMENT = rf'"{_WORD}": {_VALUE}'
_CALL = rf'\{{"name": "{_WORD}", "arguments": \{{({_ARGUMENT}(, {_ARGUMENT})*)?\}}\}}'

TYPES: dict[str, dict[str, Any]] = {
    "x": {"type": "integer"},
    "y": {"type": "integer"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array"},
    "str": {"type": "string"},
    "ref": {"type": "string"},
    "texts": {"type": "array", "items": {"type": "string"}},
}
"""JSON Schema of each kind of parameter."""


class ToolCall:
    """The tool-call block that Qwen's chat templates describe, with the system text that they would write.

    Args:
        limit: most actions of a reply, each in a block of its own.
    """

    strict = True

    def __init__(self, limit: int = 1) -> None:
        self.limit = limit

    @property
    def pattern(self) -> str:
        """Of well-formed replies."""
        block = rf"<tool_call>\n{_CALL}\n</tool_call>"
        blocks = rf"{block}(\n{block}){{0,{self.limit - 1}}}" if self.limit > 1 else block
        return rf"(<think>[^<]*</think>)?{blocks}"

    def explain(self, actions: ActionFormat, coordinates: str) -> list[str]:
        """The verbs as tools, in the words of Qwen's templates, and last as there."""
        many = f"Call at most {self.limit} functions in a reply; they are run in order." if self.limit > 1 else ""
        tools = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools_of(actions))
        return [
            coordinates,
            many,
            "\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            "You are provided with function signatures within <tools></tools> XML tags:\n"
            f"<tools>\n{tools}\n</tools>\n\n"
            "For each function call, return a json object with function name and arguments within "
            '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": '
            "<args-json-object>}\n</tool_call>",
        ]

    def read(self, text: str, actions: ActionFormat = FREE) -> Reply:
        """The calls of an exact reply; else what was wrong."""
        match = _EXACT.fullmatch(text)
        if match is None:
            return _unread(text, "a reply is one function call inside <tool_call></tool_call>")
        return _read(text, (match[1] or "").strip(), lambda: map(load, _BLOCK.findall(match[2])), self.limit, actions)

    def write(self, thought: str, action: str, actions: ActionFormat = FREE) -> str:
        """The thought in tags, where there is one, and the call."""
        head = f"<think>{thought}</think>" if thought else ""
        inside = _TAG.sub(r"\\u003c", json.dumps(call_of(action, actions), ensure_ascii=False))
        return f"{head}<tool_call>\n{inside}\n</tool_call>"


class Json:
    """One JSON object: `thought`, which may be left out, and `action`, or `actions` where several are allowed."""

    strict = True

    def __init__(self, limit: int = 1) -> None:
        self.limit = limit

    @property
    def help(self) -> str:
        """How to write a reply."""
        call = '{"name": <function-name>, "arguments": <args-json-object>}'
        if self.limit == 1:
            return f'Reply with one JSON object and nothing else: {{"thought": <text>, "action": {call}}}'
        return (
            "Reply with one JSON object and nothing else, its actions are run in order, at most "
            f'{self.limit} of them: {{"thought": <text>, "actions": [{call}, ...]}}'
        )

    @property
    def pattern(self) -> str:
        """Of well-formed replies."""
        calls = rf'"action": {_CALL}'
        if self.limit > 1:
            calls = rf'({calls}|"actions": \[{_CALL}(, {_CALL}){{0,{self.limit - 1}}}\])'
        return rf'\{{("thought": {_STRING}, )?{calls}\}}'

    def explain(self, actions: ActionFormat, coordinates: str) -> list[str]:
        """The verbs as functions, one a line, and how to write a reply."""
        functions = [json.dumps(each["function"], ensure_ascii=False) for each in tools_of(actions)]
        return ["Functions:", *functions, coordinates, self.help]

    def read(self, text: str, actions: ActionFormat = FREE) -> Reply:
        """The actions of an exact reply; else what was wrong."""
        try:
            found = load(text)
            if not isinstance(found, dict) or not found.keys() <= {"thought", "action", "actions"}:
                raise ActionError("a reply is a JSON object with `thought` and `action`, and nothing else")
            thought = found.get("thought", "")
            if not isinstance(thought, str):
                raise ActionError("`thought` must be a text")
            if ("action" in found) == ("actions" in found):
                raise ActionError("a reply has `action`, or `actions`, and not both")
            calls = found.get("actions", [found.get("action")])
            if not isinstance(calls, list):
                raise ActionError("`actions` must be a list")
        except ActionError as error:
            return _unread(text, str(error))
        return _read(text, thought.strip(), lambda: calls, self.limit, actions)

    def write(self, thought: str, action: str, actions: ActionFormat = FREE) -> str:
        """The thought, where there is one, and the call."""
        head = {"thought": thought} if thought else {}
        return json.dumps(head | {"action": call_of(action, actions)}, ensure_ascii=False)


def load(text: str) -> Any:
    """Read JSON within `MAX_ACTION_LENGTH` characters and `MAX_DEPTH`; raise `ActionError` for anything else."""
    source = text.strip()
    if len(source) > MAX_ACTION_LENGTH:
        raise ActionError(f"a reply in JSON has at most {MAX_ACTION_LENGTH} characters, got {len(source)}")
    depth = deepest = 0
    for token in _BRACKETS.findall(source):
        depth += (token in "[{") - (token in "]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ActionError(f"JSON may be nested {MAX_DEPTH} deep, got {deepest}")
    try:
        return json.loads(source, parse_constant=_no_constant, object_pairs_hook=_once)
    except ValueError as error:
        raise ActionError(f"the JSON cannot be read: {error}") from error


def action_of(call: Any, actions: ActionFormat) -> str:
    """A call as the action that the world parses; raise `ActionError` where it is none."""
    if not isinstance(call, dict) or call.keys() != {"name", "arguments"}:
        raise ActionError('a call is a JSON object {"name": ..., "arguments": ...} and nothing else')
    name, arguments = call["name"], call["arguments"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ActionError("`name` must be the name of a function")
    if not isinstance(arguments, dict) or not all(map(_NAME.fullmatch, arguments)):
        raise ActionError("`arguments` must be a JSON object with the names of arguments")
    if not isinstance(actions, ActionSet):
        text = arguments.get("text")
        if name != "answer" or arguments.keys() != {"text"} or isinstance(text, (list, dict)) or text is None:
            raise ActionError('call {"name": "answer", "arguments": {"text": <text>}}')
        return text if isinstance(text, str) else json.dumps(text)
    return f"{name}({', '.join(f'{key}={_literal(key, value)}' for key, value in arguments.items())})"


def call_of(action: str, actions: ActionFormat) -> dict[str, Any]:
    """An action as a call; one that the world would not parse is an answer."""
    if isinstance(actions, ActionSet):
        try:
            call = actions.parse(action)
        except ActionError:
            return {"name": "answer", "arguments": {"text": action}}
        params = actions.verbs[call.verb].params
        given = {name: call.args[name] for name, param in params.items() if _needed(param, call.args[name])}
        return {"name": call.verb, "arguments": given}
    return {"name": "answer", "arguments": {"text": action}}


def tools_of(actions: ActionFormat) -> list[dict[str, Any]]:
    """What can be done as tool definitions, as chat templates take them."""
    if not isinstance(actions, ActionSet):
        return [_tool("answer", actions.help, {"text": {"type": "string"}}, ["text"])]
    return [
        _tool(
            each.name,
            each.help,
            {name: TYPES[param.kind] | _details(param) for name, param in each.params.items()},
            [name for name, param in each.params.items() if param.required],
        )
        for each in actions.verbs.values()
    ]


def _read(text: str, thought: str, calls: Callable[[], Iterable[Any]], limit: int, actions: ActionFormat) -> Reply:
    """The actions of calls, which may turn out to be unreadable when they are asked for."""
    try:
        found = [action_of(call, actions) for call in _at_most(calls(), limit)]
    except ActionError as error:
        return _unread(text, str(error))
    return Reply(thought, found[0], True, tuple(found[1:]))


def _at_most(calls: Iterable[Any], limit: int) -> Sequence[Any]:
    found = list(calls)
    if not 1 <= len(found) <= limit:
        raise ActionError(f"a reply has {'one action' if limit == 1 else f'1 to {limit} actions'}, got {len(found)}")
    return found


def _unread(text: str, reason: str) -> Reply:
    return Reply("", text.strip(), False, error=f"{reason}; nothing was done")


def _literal(name: str, value: Any) -> str:
    plain = (str, int, float)  # bool is an int
    if isinstance(value, plain) or (isinstance(value, list) and all(isinstance(item, plain) for item in value)):
        return repr(value)
    raise ActionError(f"{name} must be a number, a text, true, false or a list of these")


def _needed(param: Param, value: Any) -> bool:
    return param.required or value != param.default


def _details(param: Param) -> dict[str, Any]:
    choices = {"enum": list(param.choices)} if param.choices else {}
    return choices if param.required else choices | {"default": param.default}


def _tool(name: str, help: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": help, "parameters": parameters}}


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    for value in (*found, *found.values()):
        if isinstance(value, str) and _SURROGATE.search(value):
            raise ValueError("a text holds half a character")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("a number is too large")
    return found
