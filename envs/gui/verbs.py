"""What an agent can do in a browser, under the names of BrowserGym's action set (arXiv 2412.05467).

    actions = gui_actions(("coord", "nav"))
    actions.parse("mouse_click(12, 30)")

Groups: `ref` acts on elements named in the accessibility tree or marked on the picture, `coord` on pixels of the
picture, with mouse and keyboard; `nav` and `tab` move between pages; `chat` speaks to the user; `infeasible` gives up.
`noop` is always there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from saccade.envs.actions import REF, STR, ActionSet, Param, Verb, X, Y, verb
from saccade.envs.errors import ActionError, ConfigError, near

BUTTON = Param("str", default="left", choices=("left", "middle", "right"))
MODIFIERS = ("Alt", "Control", "ControlOrMeta", "Meta", "Shift")
NO_MODIFIERS = Param("list", default=[])
NUMBER = Param("float")

GROUPS: dict[str, tuple[Verb, ...]] = {
    "ref": (
        verb("click", "Click an element.", bid=REF, button=BUTTON, modifiers=NO_MODIFIERS),
        verb("dblclick", "Double-click an element.", bid=REF, button=BUTTON, modifiers=NO_MODIFIERS),
        verb("hover", "Move the mouse over an element.", bid=REF),
        verb("fill", "Replace the text of a field.", bid=REF, value=STR),
        verb("clear", "Empty a field.", bid=REF),
        verb("select_option", "Choose one option, or a list of them.", bid=REF, options=Param("texts")),
        verb("press", 'Focus an element and press a key or a chord, such as "Control+a".', bid=REF, key_comb=STR),
        verb("focus", "Focus an element.", bid=REF),
        verb("drag_and_drop", "Drag one element onto another.", from_bid=REF, to_bid=REF),
        verb("upload_file", "Choose one of the task's files, or a list of them.", bid=REF, file=Param("texts")),
    ),
    "coord": (
        verb("mouse_click", "Click at a pixel.", x=X, y=Y, button=BUTTON),
        verb("mouse_dblclick", "Double-click at a pixel.", x=X, y=Y, button=BUTTON),
        verb("mouse_move", "Move the mouse to a pixel.", x=X, y=Y),
        verb("mouse_down", "Press a mouse button at a pixel and hold it.", x=X, y=Y, button=BUTTON),
        verb("mouse_up", "Release a mouse button at a pixel.", x=X, y=Y, button=BUTTON),
        verb("mouse_drag_and_drop", "Drag from one pixel to another.", from_x=X, from_y=Y, to_x=X, to_y=Y),
        verb("mouse_upload_file", "Choose a file where a click asks for one.", x=X, y=Y, file=Param("texts")),
        verb("keyboard_press", 'Press a key or a chord, such as "Enter" or "Control+a".', key=STR),
        verb("keyboard_type", "Type into what has the focus.", text=STR),
        verb("keyboard_insert_text", "Insert a text at once into what has the focus.", text=STR),
        verb("keyboard_down", "Press a key and hold it.", key=STR),
        verb("keyboard_up", "Release a key.", key=STR),
    ),
    "scroll": (verb("scroll", "Turn the mouse wheel by pixels.", delta_x=NUMBER, delta_y=NUMBER),),
    "nav": (
        verb("goto", "Open an address.", url=STR),
        verb("go_back", "Go back in the history."),
        verb("go_forward", "Go forward in the history."),
    ),
    "tab": (
        verb("new_tab", "Open a tab and go to it."),
        verb("tab_close", "Close this tab."),
        verb("tab_focus", "Go to a tab by its number.", index=Param("int")),
    ),
    "chat": (verb("send_msg_to_user", "Say something to the user: an answer, or that it is done.", text=STR),),
    "infeasible": (verb("report_infeasible", "Give up: say why the task cannot be done.", reason=STR),),
}
NOOP = verb("noop", "Do nothing and look again, after some milliseconds.", wait_ms=Param("float", default=1000))
MAX_WAIT = 2000.0
"""Milliseconds that `noop` waits at most."""

KEYS = frozenset(
    (
        *("Backspace", "Tab", "Enter", "Shift", "Control", "Alt", "Meta", "ControlOrMeta", "Escape", "Space", "PageUp"),
        *("PageDown", "End", "Home", "ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown", "Insert", "Delete", "F2"),
    )
)
"""Keys that have names; any single printable character is a key as well."""

MAX_TYPED = 500


def gui_actions(groups: Iterable[str]) -> ActionSet:
    """The action set of some groups.

    Raises:
        ConfigError: there is no such group.
    """
    chosen = list(groups)
    for group in chosen:
        if group not in GROUPS:
            raise ConfigError(f"unknown group of actions {group!r}; {near(group, GROUPS, 'groups')}")
    scrolls = ["scroll"] if {"ref", "coord"} & set(chosen) else []
    return ActionSet(*(each for group in dict.fromkeys(chosen + scrolls) for each in GROUPS[group]), NOOP)


def check_keys(chord: str) -> str:
    """The chord, if it is one: keys joined by `+`, all but the last of them modifiers."""
    *held, key = (
        [*chord[:-2].split("+"), "+"] if chord.endswith("++") else [chord] if chord == "+" else chord.split("+")
    )
    for each in held:
        if each not in MODIFIERS:
            raise ActionError(f"{each!r} cannot be held in {chord!r}; {near(each, MODIFIERS, 'modifiers')}")
    if key not in KEYS and not (len(key) == 1 and key.isprintable()):
        raise ActionError(f"unknown key {key!r}; {near(key, sorted(KEYS), 'keys')}, or one character")
    if held and held != ["Shift"] and key.lower() in ("n", "t", "w", "q", "p"):
        raise ActionError(f"the chord {chord!r} belongs to the browser: use the actions for tabs")
    return chord


def check_text(text: str) -> str:
    """The text, if a keyboard can write it."""
    if len(text) > MAX_TYPED:
        raise ActionError(f"at most {MAX_TYPED} characters can be typed at once, got {len(text)}")
    if not all(letter.isprintable() or letter in "\n\t" for letter in text):
        raise ActionError(f"only printable characters can be typed, got {text[:40]!r}")
    return text


def check_modifiers(names: Sequence[object]) -> list[str]:
    """The modifiers of a click, if they are such."""
    for each in names:
        if each not in MODIFIERS:
            raise ActionError(f"unknown modifier {each!r}; {near(str(each), MODIFIERS, 'modifiers')}")
    return [str(each) for each in names]


def texts(value: object) -> list[str]:
    """One text, or a list of them, as a list."""
    return [value] if isinstance(value, str) else [str(each) for each in value]  # type: ignore[attr-defined]
