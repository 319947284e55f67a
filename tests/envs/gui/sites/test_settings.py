import pytest
from visit import do, finish

from saccade.envs.gui.sites.base import Click, Write

pytestmark = pytest.mark.browser


def test_one_switch_too_many_is_wrong(start):
    env = start("SettingsSwitch", level=1)
    old, new = (sections["sections"][0]["switches"] for sections in (env.sight.page["state"], env.wanted))
    meant = [after["name"] for before, after in zip(old, new, strict=True) if before != after]
    other = next(each["name"] for each in old if each["name"] not in meant)
    assert len(meant) == 2
    assert do(env, *(Click("checkbox", name) for name in (*meant, other)), Click("button", "Save")) is False


def test_switches_of_other_sections_count_and_the_solution_turns_them_back(start):
    env = start("SettingsSwitch")
    begun = env.sight.page["state"]["sections"]
    other = next(each for each in begun if each["name"] not in env.goal)
    assert do(env, Click("link", other["name"]), Click("checkbox", other["switches"][0]["name"])) is None
    assert env.sight.page["state"]["sections"] != begun
    assert finish(env)


def test_another_note_than_the_one_that_counts_is_wrong(start):
    env = start("SettingsRestore", level=1)
    [section] = env.sight.page["state"]["sections"]
    name = next(each.split()[2] for each in section["notes"] if each.split()[0] not in env.goal)
    assert do(env, Click("checkbox", name), Click("button", "Save")) is False


def test_one_need_of_the_help_holds_already(start):
    env = start("SettingsRestore")
    sections = zip(env.sight.page["state"]["sections"], env.wanted["sections"], strict=True)
    assert sum(old != new for old, new in sections) == 2
    note = next(each for each in env.wanted["sections"][-1]["notes"] if each.split()[0] in env.goal)
    assert note.count("(") == 3


def test_the_right_city_for_another_person_is_wrong(start):
    env = start("SettingsProfile")
    sections = list(zip(env.sight.page["state"]["sections"], env.wanted["sections"], strict=True))
    [new] = [after for before, after in sections if before != after]
    other = next(
        before for before, _ in sections if before["name"] not in env.goal and before["remark"] not in env.goal
    )
    fields = [Write(each["name"], each["text"]) for each in new["fields"][:2]]
    assert do(env, Click("link", other["name"]), *fields, Click("button", "Save")) is False


def test_an_empty_field_is_refused_and_a_wrong_one_is_mended(start):
    env = start("SettingsProfile", level=1)
    assert do(env, Write("City", ""), Click("button", "Save")) is None
    assert env.sight.page["message"] == "City is empty."
    do(env, Write("Phone", "no"), Write("Street", "no"))
    assert finish(env)
