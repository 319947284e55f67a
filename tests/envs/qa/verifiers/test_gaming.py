"""Ways to a score that are no answer, for every verifier; and what each forgives."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.envs.errors import ConfigError
from saccade.envs.qa.verifiers.anls import edit_distance
from saccade.envs.qa.verifiers.extract import EXTRACTIONS
from saccade.envs.qa.verify import VERIFIERS, check_verifier, judge, settings_of, solution

CHOICES = {"choices": ["red", "blue", "a circle", "2"]}
# verifier -> settings, right answer, ways to write it, other answers (which may be near), and attempts.
GAMES = {
    "exact": ({}, "red", ["Red", " red. "], ["blue"], ["red blue", "red or blue", "r\u0435d", "red\u200b"]),
    "integer": ({}, "7", ["7", "+7", "07."], ["8"], ["7 or 8", "7, 8", "7 8", "\uff17", "7.0"]),
    "text": (
        {},
        "the red circle",
        ["red circle", "A red circle.", '"Red circle"'],
        ["blue circle"],
        ["red or blue circle", "red circle, blue circle", "circle red", "r\u0435d circle", "not red circle"],
    ),
    "class": (
        {"classes": ["sea lion", "dog"]},
        "sea_lion",
        ["Sea lion", "the sea-lion"],
        ["dog"],
        ["sea lion, dog", "lion"],
    ),
    "option": (
        CHOICES,
        "B",
        ["B", "b", "(B)", "[B]", "B.", "B)", "B: blue", "(B) blue", "blue", "The answer is B", "**B**", "\\text{B}"],
        ["A", "D", "red", "2", "A. red"],
        [
            "A B",
            "A or B",
            "AB",
            "A, B",
            "B C",
            "(A) red (B) blue",
            "B. red",
            "\u0412",
            "\uff22",
            "B?",
            "not A",
            "Bb",
            "BB",
        ],
    ),
    "number": ({"unit": "cm"}, "5", ["5", "5 cm", "50 mm"], ["6", "5 m"], ["5 or 6", "5, 6", "4-6", "5 ± 1", "~5"]),
    "expression": (
        {},
        "\\frac{1}{2}",
        ["1/2", "0.5", "x = 0.5"],
        ["1/3", "2"],
        ["1/2 or 1/3", "1/2, 1/3", "0=1/2", "\\pm\\frac12"],
    ),
    "relaxed": ({}, "100", ["100", "104", "96."], ["106", "-100"], ["100 or 200", "50 100", "90-110", "100 200"]),
    "anls": (
        {},
        "main street",
        ["Main  Street"],
        ["completely different"],
        ["", "a b c d e f g h i j k main street l m n o p"],
    ),
    "set": (
        {},
        '["a1", "b1"]',
        ["b1, a1", "a1 and b1", "a1; b1; a1", '["b1", "a1"]'],
        ["a1"],
        ["a1, b1, c1", "a1 or b1", "a1 b1"],
    ),
    "list": ({}, "1, 2, 2", ["2, 1, 2", "[2, 2, 1.0]"], ["1, 2"], ["1, 2, 2, 3", "1 2 2", "1, 1, 2"]),
    "ordered": ({}, "b, a", ["b, a", "(b, a)", "b\na"], ["a, b"], ["b, a, b", "a, b, a", "b a"]),
    "point": (
        {},
        "[10, 10, 20, 20]",
        ["(15, 15)", "10 20"],
        ["(9, 15)"],
        ["(15, 15) or (1, 1)", "[10, 10, 20, 20]", "15"],
    ),
    "iou": (
        {"threshold": 0.5},
        "[0, 0, 10, 10]",
        ["0 0 10 10", "[0, 0, 10, 9]"],
        ["[9, 9, 20, 20]"],
        ["[[0,0,10,10],[1,1,2,2]]"],
    ),
    "boxes": (
        {},
        "[[0, 0, 9, 9]]",
        ["[0, 0, 9, 9]"],
        ["[[10, 10, 19, 19]]"],
        ["[]", "[0, 0, 9, 9] [1, 1, 2, 2]", "boxes"],
    ),
    "interval": (
        {"threshold": 0.5},
        "3 - 7",
        ["[3, 7]", "0:03 to 0:06.5", "from 3 to 7 s"],
        ["8 - 9"],
        ["0-99", "3-7 or 1-2", "3", "7-3"],
    ),
}
ALWAYS = [
    "",
    " ",
    "\n",
    ".",
    "?",
    "none",
    "I do not know",
    "\0",
    "\ud800",
    "<think>{gold}</think>",
    "<answer>{gold}</answer>",
]
ALWAYS += [
    "{gold} {gold}",
    "{gold}\n\n{other}",
    "{other} {gold}",
    "either {gold} or {other}",
    "the answer: {gold}, I am sure",
]
LONG = [
    "{gold}" * 200_000,
    " " * 1_000_000,
    "{gold}" + " " * 1_000_000,
    "(" * 1_000_000,
    "[" * 1_000_000,
    "-" * 1_000_000,
]
LONG += ["1,234" * 200_000, "\\frac" * 200_000, "9" * 1_000_000, "{gold}, " * 100_000, "\u00a0" * 1_000_000]
LONG += [
    " " * 3_999 + "x",
    "\u00a0" * 3_999,
    "a and " * 600,
    "1" * 999,
    "[" * 9_999,
    "(" * 999,
    "$" * 999,
    "{gold}," * 300,
]


def test_every_verifier_plays():
    assert set(GAMES) == set(VERIFIERS)


@pytest.mark.parametrize("name", GAMES)
def test_right_and_other_answers(name):
    options, gold, right, other, _ = GAMES[name]
    for answer in (solution(name, gold), *right):
        assert VERIFIERS[name](answer, gold, **options).score == 1.0, answer
    for answer in other:
        assert VERIFIERS[name](answer, gold, **options).score < 0.5, answer


@pytest.mark.parametrize("name", GAMES)
def test_attempts_score_nothing(name):
    options, gold, _, other, attempts = GAMES[name]
    if name == "anls":  # near is what it measures
        assert VERIFIERS[name](attempts[1], gold).score == 0.0
    own = solution(name, gold)
    general = [each.replace("{gold}", own).replace("{other}", other[0]) for each in ALWAYS]
    for answer in attempts + general:
        scored = VERIFIERS[name](answer, gold, **options).score
        near = name == "anls" or (name == "set" and answer == f"{own} {own}")
        assert scored == 0.0 or (near and scored < 1.0), answer


@pytest.mark.parametrize("name", GAMES)
def test_long_answers_cost_no_time(name):
    options, gold, *_ = GAMES[name]
    for answer in LONG:
        begun = time.process_time()
        score, reason = VERIFIERS[name](answer.replace("{gold}", gold), gold, **options)
        assert score < 1.0 and reason and time.process_time() - begun < 0.5, answer[:20]


@given(st.text(max_size=40), st.sampled_from(sorted(GAMES)), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_answer_and_any_gold_give_a_score(text, name, as_gold):
    answer, gold = (GAMES[name][1], text) if as_gold else (text, GAMES[name][1])
    score, reason = VERIFIERS[name](answer, gold)
    assert 0.0 <= score <= 1.0 and reason


@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
@settings(deadline=None)
def test_edit_distance_is_the_table_of_wagner_and_fischer(a, b):
    row = list(range(len(b) + 1))
    for left, x in enumerate(a, 1):
        diagonal, row[0] = row[0], left
        for right, y in enumerate(b, 1):
            diagonal, row[right] = row[right], min(row[right] + 1, row[right - 1] + 1, diagonal + (x != y))
    assert edit_distance(a, b) == row[-1]


def test_anls_by_hand():
    assert VERIFIERS["anls"]("main stret", "main street").score == pytest.approx(1 - 1 / 11)
    assert VERIFIERS["anls"]("abcd", "abxy").score == 0.0, "half of it wrong is wrong"
    assert judge("anls", "two", ["one", "two"]).score == 1.0


@pytest.mark.parametrize(
    ("name", "answer", "gold", "score"),
    [
        ("set", "a, b", "a, b, c", 0.8),
        ("list", "1, 1, 2", "1, 2, 2", 2 / 3),
        ("ordered", "a, c, b", "a, b, c", 2 / 3),
        ("set", "d", "a, b, c", 0.0),
    ],
)
def test_partial_scores(name, answer, gold, score):
    assert VERIFIERS[name](answer, gold, partial=True).score == pytest.approx(score)
    assert VERIFIERS[name](answer, gold).score == 0.0


def test_a_decimal_point_in_brackets_is_no_bracket():
    assert VERIFIERS["text"]("(.5)", "5").score == 0.0
    assert VERIFIERS["text"]("(.5)", ".5").score == VERIFIERS["text"]("(5)", "5").score == 1.0


def test_intervals_by_hand():
    assert VERIFIERS["interval"]("2 - 6", "4 - 8").score == pytest.approx(2 / 6)
    assert VERIFIERS["interval"]("1:00:00 - 1:00:10", "3600 - 3610").score == 1.0


REPLY = "<think>maybe <answer>1</answer> or \\boxed{2}</think>"


@pytest.mark.parametrize(
    ("way", "reply", "answer", "well_formed"),
    [
        ("whole", "7", "7", True),
        ("whole", " ", " ", False),
        ("tags", "<think>a</think><answer> 7 </answer>", "7", True),
        ("tags", f"{REPLY}<answer>7</answer>", "7", True),
        ("tags", "<answer>7</answer>", "7", True),
        ("tags", "so <answer>7</answer>", "7", False),
        ("tags", "<answer>7</answer><answer>8</answer>", "", False),
        ("tags", "<answer>7</answer> or <answer>7</answer>", "", False),
        ("tags", REPLY, "", False),
        ("tags", "<think><answer>7</answer>", "", False),
        ("tags", "</answer>7<answer>", "", False),
        ("tags", "<answer></answer>", "", False),
        ("tags", "<answer>7</answer><think></think>", "", False),
        ("tags", "thought</think><answer>7</answer>", "7", True),
        ("boxed", "so \\boxed{7}.", "7", True),
        ("boxed", "\\boxed{\\frac{1}{2}}", "\\frac{1}{2}", True),
        ("boxed", "\\boxed{7} and \\boxed{7}", "7", True),
        ("boxed", "\\boxed{7} or \\boxed{8}", "", False),
        ("boxed", f"{REPLY} \\boxed{{7}}", "7", True),
        ("boxed", REPLY, "", False),
        ("boxed", "\\boxed{7", "", False),
        ("boxed", "\\boxed{}", "", False),
        ("last_line", "One.\nThe answer is 7\n\n", "7", True),
        ("last_line", "Final answer: 7", "7", True),
        ("last_line", "7", "7", True),
        ("last_line", "<think>7", "", False),
        ("last_line", REPLY, "", False),
        ("last_line", "x" * 300_000, "", False),
    ],
)
def test_extraction(way, reply, answer, well_formed):
    assert EXTRACTIONS[way](reply) == (answer, well_formed)


@given(st.text(alphabet="<>/thinkaswer\\boxed{} \n7", max_size=120))
@settings(max_examples=200, deadline=None)
def test_extraction_is_total_and_never_looks_into_thoughts(text):
    for way in EXTRACTIONS.values():
        assert isinstance(way(text).answer, str)
        if way is not EXTRACTIONS["whole"] and "</think>" not in text:
            assert "SECRET" not in way(f"<think>{text}SECRET").answer


def test_names_and_settings_say_what_was_meant():
    with pytest.raises(ConfigError, match="did you mean 'relaxed'"):
        check_verifier("relax")
    with pytest.raises(ConfigError, match="did you mean 'tolerance'"):
        check_verifier("number", {"tolerence": 1})
    assert settings_of("option") == {"choices": ()} and settings_of("exact") == {}
