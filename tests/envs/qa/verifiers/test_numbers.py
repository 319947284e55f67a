"""Numbers and expressions against a table of hand-made cases, traps included."""

import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.envs.qa.verifiers.latex import read_formula
from saccade.envs.qa.verifiers.math_process import MathProcess, is_installed
from saccade.envs.qa.verifiers.number import read_number
from saccade.envs.qa.verify import VERIFIERS

algebra = pytest.mark.skipif(not is_installed(), reason="math-verify is not installed")
LINES = Path(__file__).with_name("numbers.txt").read_text(encoding="utf-8").splitlines()
CASES = [line.split(" | ") for line in LINES if not line.startswith("#")]


def test_the_table_is_long_enough():
    assert len({tuple(case[:3]) for case in CASES}) == len(CASES) >= 150


@pytest.mark.parametrize(
    ("name", "answer", "gold", "score"),
    [pytest.param(*case, marks=[algebra] if case[0] == "algebra" else [], id=" | ".join(case[:3])) for case in CASES],
)
def test_case(name, answer, gold, score):
    verdict = VERIFIERS["expression" if name == "algebra" else name](answer, gold)
    assert verdict.score == float(score), verdict.reason


@pytest.mark.parametrize(
    ("answer", "gold", "settings", "score"),
    [
        ("9.9", "10", {"tolerance": 0.1}, 1),
        ("9.89", "10", {"tolerance": 0.1}, 0),
        ("98", "100", {"relative": 0.02}, 1),
        ("97.9", "100", {"relative": 0.02}, 0),
        ("-102", "-100", {"relative": 0.02}, 1),
        ("3.14159", "3.14", {"decimals": 2}, 1),
        ("3.146", "3.14", {"decimals": 2}, 0),
        ("22/7", "3.14", {"decimals": 2}, 1),
        ("1/3", "0.33", {"decimals": 2}, 1),
        ("5 cm", "5", {"unit": "cm"}, 1),
        ("0.05 m", "5", {"unit": "cm"}, 1),
        ("5 m", "5", {"unit": "cm"}, 0),
        ("51 mm", "5", {"unit": "cm", "tolerance": 0.1}, 1),
    ],
)
def test_tolerance_unit_and_decimals(answer, gold, settings, score):
    assert VERIFIERS["number"](answer, gold, **settings).score == score


@given(st.fractions(min_value=-1000, max_value=1000, max_denominator=999))
@settings(deadline=None)
def test_fractions_are_read_exactly(value):
    read = read_number(f"{value.numerator}/{value.denominator}")
    assert read is not None and read.value == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9))
@settings(deadline=None)
def test_decimals_are_read_exactly(value):
    read = read_number(f"{value:f}")
    assert read is not None and read.value == Fraction(value)


FORMULAS = st.text(alphabet="0123456789xy+-*/^(){}[],=<>\\ .sqrtfac", max_size=60)


@given(FORMULAS)
@settings(max_examples=300, deadline=None)
def test_what_passes_the_list_has_no_name_that_could_be_called(text):
    formula = read_formula(text)
    if formula:
        assert "__" not in formula.latex and "'" not in formula.latex and '"' not in formula.latex
        assert len(formula.latex) < 4_000


@pytest.mark.parametrize(
    "text",
    [
        "x^2^2",
        "9^201",
        "(9^15)^15",
        "x^{10^9}",
        "1" * 21,
        "(" * 13 + ")" * 13,
        "x" * 301,
        "a.b",
        "f'",
        "#",
        "\\def\\x{}",
    ],
)
def test_bounds_of_formulas(text):
    assert read_formula(text) is None


@algebra
def test_a_formula_that_takes_too_long_is_given_up_and_the_worker_comes_back():
    process = MathProcess(seconds=30.0)
    try:
        assert process.same("2x", "x+x") is True
        first = process._process
        process.seconds = 0.0
        begun = time.monotonic()
        assert process.same("\\sin (x)", "\\cos (x)") is None
        assert time.monotonic() - begun < 10 and first.poll() is not None
        process.seconds = 30.0
        assert process.same("2x", "x+x") is True
        assert process.same("\\frac{", "}") is False, "nonsense is no error"
    finally:
        process.close()
