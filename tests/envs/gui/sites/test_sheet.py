import pytest
from visit import do, finish

from saccade.envs.gui.sites.base import Click, Write

pytestmark = pytest.mark.browser


def cells(env):
    """Name of the sheet, and name and text of its one cell that is to change; a cell that is not."""
    sheets = zip(env.sight.page["state"]["sheets"], env.wanted["sheets"], strict=True)
    [(old, new)] = [pair for pair in sheets if pair[0] != pair[1]]
    names = [f"{row} {column}" for row in old["rows"] for column in old["columns"]]
    before, after = ([text for row in each["cells"] for text in row] for each in (old, new))
    texts = zip(names, before, after, strict=True)
    changes = {name: (before, after) for name, before, after in texts}
    [meant] = [name for name, (before, after) in changes.items() if before != after]
    return old["name"], meant, changes[meant][1], next(name for name in names if name != meant)


def test_the_right_number_in_another_cell_is_wrong(start):
    env = start("SheetEnter")
    sheet, _, text, other = cells(env)
    assert do(env, Click("link", sheet), Write(other, text), Click("button", "Save")) is False


def test_a_second_cell_that_changed_is_wrong(start):
    env = start("SheetCorrect")
    sheet, meant, text, other = cells(env)
    assert do(env, Click("link", sheet), Write(meant, text), Write(other, "1"), Click("button", "Save")) is False


def test_the_right_number_in_the_same_cell_of_another_sheet_is_wrong(start):
    env = start("SheetEnter")
    sheet, meant, text, _ = cells(env)
    other = next(each["name"] for each in env.wanted["sheets"] if each["name"] != sheet)
    assert do(env, Click("link", other), Write(meant, text), Click("button", "Save")) is False


def test_a_sheet_without_a_change_is_not_saved(start):
    env = start("SheetTotal", level=1)
    assert do(env, Click("button", "Save")) is None
    assert env.sight.page["message"] == "Nothing was changed."
    assert finish(env)


def test_what_was_written_and_not_saved_is_forgotten_on_another_sheet(start):
    env = start("SheetCorrect")
    sheet, _, _, other = cells(env)
    do(env, Click("link", sheet), Write(other, "1"), Click("link", "Sheets"), Click("link", sheet))
    assert env.sight.page["drafts"][other] != "1"
    assert do(env, Write(other, "1")) is None and finish(env)  # and the solution mends it


def test_every_row_differs_from_its_copy_somewhere(start):
    env = start("SheetCorrect", seed=4)
    paper = {each["name"]: each["cells"] for each in env.sight.page["state"]["sheets"]}
    for name in paper:
        if f"{name} bills" in paper:
            rows = zip(paper[name], paper[f"{name} bills"], strict=True)
            assert all(sum(a != b for a, b in zip(*row, strict=True)) == 1 for row in rows)
