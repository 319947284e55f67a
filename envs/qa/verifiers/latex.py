r"""Mathematics as a model may write it -> a small, bounded LaTeX that is safe to hand to a computer algebra system.

Only listed tokens pass: numbers, single letters, functions, fractions, roots, relations, brackets. Length, digits and
exponents are bounded, so that no answer can ask for a number that fills the memory.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

MAX_EXPRESSION = 300
MAX_EXPONENTS = 200
"""Largest product of all numeric exponents of one expression."""

_FUNCTIONS = {"sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"}
_FUNCTIONS |= {"ln", "log", "exp"}
_GREEK = {"alpha", "beta", "gamma", "delta", "theta", "lambda", "mu", "omega", "phi", "rho", "sigma"}
_COMMANDS = {"frac", "cdot", "times", "div", "pm", "pi", "infty", "left", "right", "cup", "cap", "le", "ge", "neq"}
_SAME = {"dfrac": "frac", "tfrac": "frac", "leq": "le", "geq": "ge", "ne": "neq", "lbrace": "{", "rbrace": "}"}
_GLYPHS = {"\u2212": "-", "\u00d7": "*", "·": "*", "÷": "/", "π": "\\pi ", "∞": "\\infty ", "√": "sqrt", "≤": "\\le "}
_GLYPHS |= {"≥": "\\ge ", "≠": "\\neq ", "²": "^2", "³": "^3", "±": "\\pm ", "\u222a": "\\cup ", "θ": "\\theta "}
_GLYPHS |= {"**": "^"}
_TOKEN = re.compile(
    r"(?P<space>\s+|\\[,;:! ])|(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)|\\(?P<command>[A-Za-z]+)|(?P<word>[A-Za-z]+)"
    r"|(?P<mark>\\[{}]|[-+*/^(){}\[\]=,<>|_])",
    re.A,
)
_ROOMS = {"(": ")", "[": "]", "{": "}"}
_SEVERAL = {",", "\\pm", "\\cup", "\\{"}
_RELATIONS = {"=", "<", ">", "\\le", "\\ge", "\\neq"}


class Formula(NamedTuple):
    """A formula that passed.

    Attributes:
        latex: it, with decimals as fractions, exponents in braces, and one spelling of each command.
        letters: its variables.
        relations: how many relations it holds.
        several: whether it holds several things: a list, a set, a tuple, a union, a plus-minus.
    """

    latex: str
    letters: frozenset[str]
    relations: int
    several: bool


def read_formula(text: str) -> Formula | None:
    """The formula, or `None` where a token is not listed, a bracket not closed, or a bound is passed."""
    if len(text) > MAX_EXPRESSION:
        return None
    for glyph, written in _GLYPHS.items():
        text = text.replace(glyph, written)
    tokens = _tokens(text)
    tokens = _braces(tokens) if tokens else None
    if not tokens or not _bounded(tokens):
        return None
    letters = {token for token in tokens if (len(token) == 1 and token.isalpha()) or token[1:] in _GREEK}
    latex = "".join(f"{token} " if token[0] == "\\" and token[-1].isalpha() else token for token in tokens)
    relations = sum(token in _RELATIONS for token in tokens)
    return Formula(latex, frozenset(letters), relations, not _SEVERAL.isdisjoint(tokens))


def _tokens(text: str) -> list[str] | None:
    """One spelling of each token; decimals become fractions, as a rounded number is not the number."""
    found: list[str] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            return None
        place = match.end()
        kind, token = match.lastgroup, match[match.lastgroup or 0]
        if kind == "number":
            if len(token) > 20:
                return None
            whole, point, digits = token.partition(".")
            fraction = ["\\frac", "{", str(int(whole + digits)), "}", "{", f"1{'0' * len(digits)}", "}"]
            found += fraction if point else [whole]
        elif kind == "command":
            name = _SAME.get(token, token)
            if name in "{}":
                found.append(f"\\{name}")
            elif name in _COMMANDS or name in _FUNCTIONS or name in _GREEK:
                found += [] if name in ("left", "right") else [f"\\{name}"]
            else:
                return None
        elif kind == "word":
            found += [f"\\{token}"] if token in _FUNCTIONS or token == "pi" else list(token)
        elif kind == "mark":
            found.append("\\cdot" if token == "*" else token)
    return found


def _braces(tokens: list[str]) -> list[str] | None:
    """Roots and exponents with their argument in braces: `sqrt(2)`, `sqrt2`, `x^10`, `x^-1` and `x^(1/2)`."""
    found: list[str] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        found.append(token)
        place += 1
        if token == "\\sqrt" and tokens[place : place + 1] == ["["]:
            end = _closing(tokens, place)
            if end is None:
                return None
            found += tokens[place : end + 1]
            place = end + 1
        if token not in ("\\sqrt", "^"):
            continue
        if token == "^" and tokens[place : place + 1] in (["-"], ["+"]):
            argument, place = tokens[place : place + 2], place + 2
        elif tokens[place : place + 1] in (["("], ["{"]):
            end = _closing(tokens, place)
            inner = _braces(tokens[place + 1 : end]) if end else None
            if end is None or not inner:
                return None
            argument, place = inner, end + 1
        else:
            argument, place = tokens[place : place + 1], place + 1
        if not argument or (token == "^" and ("^" in argument or tokens[place : place + 1] == ["^"])):
            return None
        found += ["{", *argument, "}"]
    return found


def _closing(tokens: list[str], start: int) -> int | None:
    """Where the bracket at `start` closes, all kinds of brackets paired."""
    stack: list[str] = []
    for place in range(start, len(tokens)):
        token = tokens[place]
        if token in _ROOMS:
            stack.append(_ROOMS[token])
        elif token in _ROOMS.values():
            if not stack or stack.pop() != token:
                return None
            if not stack:
                return place
    return None


def _bounded(tokens: list[str]) -> bool:
    """Braces that pair, few of them, and exponents whose product is small."""
    depth = deepest = 0
    product = 1
    for place, token in enumerate(tokens):
        depth += (token in "{([") - (token in "})]")
        deepest = max(deepest, depth)
        if depth < 0:
            return False
        if token == "^":
            exponent = tokens[place : (_closing(tokens, place + 1) or place) + 1]
            product *= math.prod(max(int(each), 1) for each in exponent if each.isdigit())
            if product > MAX_EXPONENTS:
                return False
    return deepest <= 12
