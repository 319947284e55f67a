"""Verifiers are total, strict about content and forgiving about spelling."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.envs.qa.verify import VERIFIERS, exact, integer


@pytest.mark.parametrize("answer", ["red", "Red", " RED ", "red.", "red .", "\tred\r\n"])
def test_exact_forgives_spelling(answer):
    assert exact(answer, "red") == (1.0, "right")


@pytest.mark.parametrize(
    "answer",
    [
        *[
            "",
            "blue",
            "red blue",
            "red or blue",
            "red, red",
            "'red'",
            "red..",
            "r ed",
            "the red",
            "red\0",
            "red" * 1000,
        ],
        *[
            "r\u0435d",
            "\u0280ed",
            "r\u200bed",
            "red\u00a0",
            "\uff52ed",
            "re\u0301d",
        ],  # Cyrillic e, zero width, full width
    ],
)
def test_exact_rejects_others_and_look_alikes(answer):
    assert exact(answer, "red")[0] == 0.0


def test_exact_does_not_fold_look_alikes_into_ascii():
    assert exact("\u212aeep", "keep")[0] == 0.0  # the Kelvin sign lowers to k
    assert exact("\u017feven", "seven")[0] == 0.0  # the long s folds to s


@pytest.mark.parametrize("answer", ["7", " 7 ", "7.", "+7", "07"])
def test_integer_accepts_the_number(answer):
    assert integer(answer, "7") == (1.0, "right")


@pytest.mark.parametrize(
    "answer",
    [
        *[
            "",
            "8",
            "-7",
            "1 or 7",
            "7 7",
            "7,",
            "7.0",
            "seven",
            "0x7",
            "7e0",
            "77",
            "7_",
            "--7",
            "(7)",
            "7\n8",
            "9" * 5000,
        ],
        *["\uff17", "\u0667", "\u2077", "\u2166"],  # full-width, Arabic-Indic and superscript seven, Roman numeral
    ],
)
def test_integer_rejects_others_and_look_alikes(answer):
    assert integer(answer, "7")[0] == 0.0


def test_integer_with_a_gold_that_is_no_number_never_scores():
    assert integer("red", "red")[0] == 0.0


@given(st.text(), st.sampled_from(["7", "red", "top left"]), st.sampled_from(sorted(VERIFIERS)))
@settings(deadline=None)
def test_total_and_bounded(answer, gold, name):
    score, reason = VERIFIERS[name](answer, gold)
    assert 0.0 <= score <= 1.0
    assert reason


@given(st.text(min_size=1), st.sampled_from(["exact", "integer"]))
def test_nothing_next_to_the_gold_scores(extra, name):
    gold = {"exact": "red", "integer": "7"}[name]
    if extra.strip(" \t\r\n.") and extra not in ("+", "0") and set(extra) - set("+0 \t\r\n."):
        assert VERIFIERS[name](extra + gold, gold)[0] == 0.0
        assert VERIFIERS[name](gold + extra, gold)[0] == 0.0
