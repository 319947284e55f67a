import pytest

from saccade.envs.replay.marks import points


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("click(3, 4)", [[3, 4]]),
        ("click(y=4, x=3.5)", [[3.5, 4]]),
        ("drag(1, 2, 30, 40)", [[1, 2], [30, 40]]),
        ("say('click(3, 4)')", []),
        ("crash()", []),
        ("click(3)", []),
        ("hover(3, 4)", [[3, 4]]),  # not a verb of this world: the usual names
        ("scroll(0, 100)", []),
        ("__import__('os').system('x')", []),
        ("", []),
        ("click(1e999, 2)", []),
        (None, []),
    ],
)
def test_points_of_a_known_world(store, action, expected):
    assert points(action, "test/Tiles-v0") == expected


def test_points_of_an_unknown_world():
    assert points("double_click(3, 4)", "elsewhere/World-v3") == [[3, 4]]
    assert points("pick_place(1, 2, 3, 4)", "elsewhere:World-v3") == [[1, 2], [3, 4]]
    assert points("fill('e3', 'x')", "elsewhere/World-v3") == []


def test_an_answer_points_nowhere():
    assert points("3", "saccade/Shapes-v0") == []


@pytest.mark.parametrize(
    ("action", "env_id", "expected"),
    [
        ("mouse_click(50, 22)", "saccade/ShopOrder-v0", [[50, 22]]),
        ("mouse_drag_and_drop(1, 2, 30, 40)", "saccade/MiniWoB-drag-box-v0", [[1, 2], [30, 40]]),
        ("keyboard_press('Enter')", "saccade/ShopOrder-v0", []),
        ("press('e3', 'Enter')", "saccade/ShopOrder-v0", []),
        ("turn(3, 4, -90)", "saccade/TurnKnob-v0", [[3, 4]]),
        ("pull(1, 2, 30, 40)", "saccade/OpenDrawer-v0", [[1, 2], [30, 40]]),
        ("turn(90)", "saccade/GoTo-v0", []),
    ],
)
def test_points_where_settings_choose_the_actions(action, env_id, expected):
    assert points(action, env_id) == expected
