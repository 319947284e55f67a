import pytest
from visit import do, finish

from saccade.envs.gui.sites.base import Click, Write
from saccade.envs.gui.sites.files import limit

pytestmark = pytest.mark.browser


def change(env):
    """Folder and file that are to change, and where and what they are to be."""
    old, new = (
        {(folder["name"], file["name"]) for folder in state["folders"] for file in folder["files"]}
        for state in (env.sight.page["state"], env.wanted)
    )
    [gone], come = old - new, new - old
    return *gone, *(next(iter(come)) if come else (None, None))


def folders(env):
    return {each["name"]: each["files"] for each in env.sight.page["state"]["folders"]}


def test_the_largest_of_the_other_folder_is_wrong(start):
    env = start("FilesDelete")
    source, _, _, _ = change(env)
    word = env.goal.split()[2]
    other = next(name for name in folders(env) if name and name in env.goal and name != source)
    file = limit(word, folders(env)[other])
    assert do(env, Click("link", other), Click("radio", file["name"]), Click("button", "Delete")) is False


def test_a_file_of_the_same_name_in_the_other_folder_is_wrong(start):
    env = start("FilesFolder")
    source, name, new, _ = change(env)
    other = next(each for each in folders(env) if each and each in env.goal and each not in (source, new))
    steps = Click("link", other), Click("radio", name), Write("Name", new), Click("button", "Move to new folder")
    assert do(env, *steps) is False


def test_the_right_file_in_another_folder_is_wrong(start):
    env = start("FilesMove")
    source, name, target, _ = change(env)
    other = next(each for each in folders(env) if each not in ("", source, target))
    assert do(env, Click("link", source), Click("radio", name), Click("button", f"Move to {other}")) is False


def test_nothing_is_done_without_a_selected_file_or_a_name(start):
    env = start("FilesRename", level=1)
    _, name, _, new = change(env)
    other = next(each["name"] for each in folders(env)[""] if each["name"] != name)
    for steps, message in (
        ([Click("button", "Delete")], "Select a file."),
        ([Click("radio", name), Click("button", "Rename")], "Enter a name."),
        ([Click("button", "Move to new folder")], "Enter a name."),
        ([Write("Name", other), Click("button", "Rename")], f"Files has a {other} already."),
    ):
        assert do(env, *steps) is None
        assert env.sight.page["message"] == message and name in {each["name"] for each in folders(env)[""]}
    assert do(env, Write("Name", new), Click("button", "Rename")) is True


def test_a_selection_in_another_folder_is_no_selection_here(start):
    env = start("FilesMove")
    source, _, _, _ = change(env)
    other = next(each for each in folders(env) if each not in ("", source))
    do(env, Click("link", other), Click("radio", folders(env)[other][0]["name"]), Click("link", source))
    assert do(env, Click("button", "Delete")) is None
    assert env.sight.page["message"] == "Select a file."
    assert finish(env)


def test_a_folder_takes_no_second_file_of_a_name_and_no_second_folder_a_name(start):
    env = start("FilesFolder")
    source, name, _, _ = change(env)
    other = next(
        each for each in folders(env) if each != source and name in {file["name"] for file in folders(env)[each]}
    )
    assert do(env, Click("link", source), Click("radio", name), Click("button", f"Move to {other}")) is None
    assert env.sight.page["message"] == f"{other} has a {name} already."
    assert do(env, Write("Name", other), Click("button", "Move to new folder")) is None
    assert env.sight.page["message"] == f"There is a folder {other} already."
    assert finish(env)
