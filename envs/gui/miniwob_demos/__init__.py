"""Demonstrations of MiniWoB++ tasks: functions from a page to the next step of a solution.

    step = SOLVERS["click-checkboxes"](page)    # Step("mouse_click(12, 64)", "Dxk (12, 64)"), or None if it is lost

A solver knows nothing but what stands on the page now, so that it goes on from wherever the page is. Tasks that need
more (what was seen before, a sense of time, eyes) have none.
"""

from __future__ import annotations

from collections.abc import Mapping

from saccade.envs.gui.miniwob_demos import buttons, choices, dates, drags, lists, mail, menus, text, values
from saccade.envs.gui.miniwob_demos.page import Page, Solver, Step

__all__ = ["SOLVERS", "Page", "Solver", "Step"]

SOLVERS: Mapping[str, Solver] = {
    name: solver
    for module in (buttons, choices, dates, drags, lists, mail, menus, text, values)
    for name, solver in module.SOLVERS.items()
}
