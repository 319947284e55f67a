import gymnasium as gym
import pytest
from visit import do, finish

from saccade.envs.gui.sites.base import Click
from saccade.envs.gui.sites.map import nearest

pytestmark = pytest.mark.browser


def label(place):
    return f"{place['name']}, {'ABCDEFGHIJKL'[place['x']]}{place['y'] + 1}"


def places(env):
    return {each["name"]: each for each in env.sight.page["state"]["places"]}


def test_another_place_of_the_kind_is_wrong(start):
    env = start("MapNearest")
    meant = places(env)[env.wanted["pins"][0]]
    same = [each for each in places(env).values() if (each["kind"], each["area"]) == (meant["kind"], meant["area"])]
    assert len(same) == 3 and sum(each["area"] == meant["area"] for each in places(env).values()) == 8
    other = next(each for each in same if each != meant)
    assert do(env, Click("link", meant["area"]), Click("button", label(other)), Click("button", "Save pins")) is False


def test_the_order_of_a_route_counts_and_pins_are_no_route(start):
    for button, backwards in (("Save route", True), ("Save pins", False)):
        env = start("MapRoute", level=1)
        stops = [Click("button", label(places(env)[name])) for name in env.wanted["route"]]
        assert do(env, *(stops[::-1] if backwards else stops), Click("button", button)) is False


def test_the_map_refuses_to_save_nothing_and_a_route_of_one_place(start):
    env = start("MapRoute")
    assert do(env, Click("button", "Save pins")) is None
    assert env.sight.page["message"] == "Click a place to mark it."
    first = places(env)[env.wanted["route"][0]]
    assert do(env, Click("link", first["area"]), Click("button", label(first)), Click("button", "Save route")) is None
    assert env.sight.page["message"] == "A route needs two places."
    assert finish(env)


def test_a_second_click_unmarks_and_marks_stay_from_area_to_area(start):
    env = start("MapRoute")
    first, last = (places(env)[env.wanted["route"][index]] for index in (0, -1))
    do(env, Click("link", last["area"]), Click("button", label(last)), Click("link", "Map"))
    assert env.sight.page["state"]["marks"] == [last["name"]]
    do(env, Click("link", first["area"]), Click("button", label(first)), Click("button", label(first)))
    assert env.sight.page["state"]["marks"] == [last["name"]]
    assert finish(env)  # it clears the marks first


def test_a_click_on_the_picture_marks_what_is_drawn_there():
    env = gym.make("saccade/MapNearest-v0", level=1).unwrapped
    env.reset(seed=0)
    before = env.view.images[0].pixels
    meant = places(env)[env.wanted["pins"][0]]
    x, y = 8 + 16 + 24 * meant["x"] + 12, 32 + 8 + 24 + 8 + 16 + 24 * meant["y"] + 12
    env.step(f"mouse_click({x}, {y})")
    assert env.sight.page["state"]["marks"] == [meant["name"]]
    changed = (env.view.images[0].pixels != before).any(axis=2)[y - 7 : y + 7, x - 7 : x + 7]
    assert changed.mean() > 0.5
    env.close()


def test_nearest_is_clearly_nearest():
    here, close, far = {"x": 0, "y": 0}, {"x": 2, "y": 0}, {"x": 0, "y": 3}
    assert nearest(here, [far, close]) is close
    assert nearest(here, [close, {"x": 1, "y": 2}]) is None
    assert nearest(here, [close]) is None
