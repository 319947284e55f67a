"""What people see while a run goes on."""

import io

from rich.console import Console

from saccade.agents.evaluation import proportion
from saccade.rl.display import ProgressDisplay, share, table


def test_the_numbers_that_matter_are_shown():
    out = io.StringIO()
    metrics = {"return": 0.5, "thought/accuracy": 0.253, "policy/kl": 0.0123, "unheard/of": 3.0}
    with ProgressDisplay(20, "run", console=Console(file=out, width=160)) as display:
        display.report(0, metrics)
        display.report(10, {"return": 0.75})
    assert "update 0: return 0.5  thoughts 0.253  KL 0.0123" in out.getvalue()
    assert "update 10: return 0.75" in out.getvalue() and "unheard" not in out.getvalue()


def test_a_share_that_is_not_known_is_a_dash():
    assert share(proportion([True, False])) == "0.500" and share(None) == "-"
    out = io.StringIO()
    Console(file=out, width=80).print(table("Found", ["environment", "right thoughts"], [["x", share(None)]]))
    assert "right thoughts" in out.getvalue() and out.getvalue().rstrip().splitlines()[-2].split() == [
        "│",
        "x",
        "│",
        "-",
        "│",
    ]
