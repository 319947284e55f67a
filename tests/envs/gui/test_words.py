import itertools
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from saccade.envs.errors import ConfigError
from saccade.envs.gui.browser import host
from saccade.envs.gui.click import ASKED
from saccade.envs.gui.env import ClickTarget
from saccade.envs.gui.observe import SCENES
from saccade.envs.gui.words import (
    ADVANCES,
    BACKGROUNDS,
    COUNTS,
    FONT_SIZE,
    GRID,
    SMALLEST,
    WORDS,
    ClickWord,
    make_words,
)


def scenes(level, size=0, count=200):
    return [make_words(np.random.default_rng(seed), level, size or SMALLEST[level]) for seed in range(count)]


def test_the_words_are_sixty_short_and_unlike():
    assert len(set(WORDS)) == len(WORDS) == 60
    assert all(3 <= len(word) <= 7 and set(word) <= set(ADVANCES) for word in WORDS)
    for one, two in itertools.combinations(WORDS, 2):
        if len(one) == len(two):
            assert sum(a != b for a, b in zip(one, two, strict=True)) >= 2, (one, two)
    for key in (len, lambda word: word[0]):
        assert min(Counter(map(key, WORDS)).values()) >= 2


@pytest.mark.parametrize("level", COUNTS)
def test_buttons_are_inside_apart_and_in_reading_order(level):
    for scene in scenes(level) + scenes(level, 300, 20):
        assert len({each.word for each in scene.objects}) == len(scene.objects) == COUNTS[level]
        assert [each.centre[::-1] for each in scene.objects] == sorted(each.centre[::-1] for each in scene.objects)
        for each in scene.objects:
            assert min(each.x, each.y) >= GRID
            assert max(each.x + each.width, each.y + each.height) <= scene.size - GRID
            assert not any(side % GRID for side in (each.x, each.y, each.width, each.height))
        for one, two in itertools.combinations(scene.objects, 2):
            beside = one.x + one.width + GRID <= two.x or two.x + two.width + GRID <= one.x
            assert beside or one.y + one.height + GRID <= two.y or two.y + two.height + GRID <= one.y


def test_every_word_and_every_place_is_asked_for():
    drawn = scenes(2, count=1500)
    asked = Counter(scene.objects[scene.target].word for scene in drawn)
    assert set(asked) == set(WORDS) and max(asked.values()) < 60
    places = Counter(scene.target for scene in drawn)
    assert all(300 < places[index] < 450 for index in range(4))


def test_six_long_words_have_no_room_and_are_drawn_anew():
    drawn = scenes(3, count=1000)  # it stopped at the first six that did not fit, for ever
    assert max(sum(each.width for each in scene.objects) for scene in drawn) < 160 * 4


def test_at_level_three_every_button_has_one_that_looks_like_it():
    for scene in scenes(3):
        words = [each.word for each in scene.objects]
        assert all(any(a != b and (a[0] == b[0] or len(a) == len(b)) for b in words) for a in words)


def test_the_split_looks_at_the_picture_alone():
    scene = scenes(2)[0]
    other = type(scene)(scene.size, scene.objects, target=(scene.target + 1) % 4)
    assert repr(scene) == repr(other) and scene.look == other.look and scene.goal != other.goal


def test_goal_thought_and_caption_name_the_words():
    env = ClickWord(level=1)
    env._scene = scene = scenes(1)[0]
    [demo] = env.demo()
    target, (first, second) = scene.objects[scene.target], scene.objects
    x, y = target.centre
    assert scene.goal == f'Click "{target.word}".'
    assert (demo.action, demo.thought) == (f"mouse_click({x}, {y})", f"{target.word} ({x}, {y})")
    assert demo.caption == "{} ({}, {}) {} ({}, {})".format(first.word, *first.centre, second.word, *second.centre)


@pytest.mark.parametrize(
    "settings", [{"level": -1}, {"level": 4}, {"size": 143}, {"level": 0, "size": 111}, {"size": 513}, {"max_turns": 0}]
)
def test_wrong_settings_are_refused(settings):
    with pytest.raises(ConfigError, match="must be"):
        ClickWord(**settings)


def test_the_usual_size_is_the_smallest():
    assert [ClickWord(level=level).size for level in COUNTS] == list(SMALLEST.values())


# In the browser.


@pytest.fixture(scope="module")
def env():
    env = ClickWord(level=3, max_turns=3)
    yield env
    env.close()


@pytest.mark.browser
def test_the_wrong_button_fails_and_the_page_says_which(env):
    for seed in range(5):
        seen, _ = env.reset(seed=seed)
        scene = env._scene
        assert seen["text"] == scene.goal and seen["images"][0].shape == (160, 160, 3)
        wrong = scene.objects[(scene.target + 1) % 6]
        _, reward, terminated, _, info = env.step(f"mouse_click{wrong.centre}")
        assert (reward, terminated, info["cause"], info["clicked"]) == (0.0, True, "failed", wrong.word)


@pytest.mark.browser
def test_a_click_beside_the_buttons_goes_on(env):
    first, _ = env.reset(seed=0)
    seen, reward, terminated, truncated, info = env.step("mouse_click(0, 0)")
    assert (seen["text"], reward, terminated, truncated) == ("Nothing there.", 0.0, False, False)
    assert np.array_equal(seen["images"][0], first["images"][0]) and info["clicked"] is None
    assert env.step(next(env.demo()).action)[4]["success"]


@pytest.mark.browser
def test_a_button_is_hit_exactly_where_it_is_drawn(env):
    for seed in range(3):
        env.reset(seed=seed)
        each = env._scene.objects[env._scene.target]
        right, bottom = each.x + each.width, each.y + each.height
        inside = [(each.x, each.y), (right - 1, each.y), (each.x, bottom - 1), (right - 1, bottom - 1)]
        outside = [(each.x - 1, each.y), (right, each.y), (each.x, bottom), (each.x, each.y - 1)]
        for places, hit in ((inside, each.word), (outside, None)):
            for place in places:
                env.reset(seed=seed)
                assert env.step(f"mouse_click{place}")[4]["clicked"] == hit, (seed, each, place)


@pytest.mark.browser
def test_words_are_dark_on_the_colour_of_their_button_and_centred(env):
    for seed in range(10):
        pixels = env.reset(seed=seed)[0]["images"][0].astype(int)
        for each in env._scene.objects:
            inner = pixels[each.y + 1 : each.y + each.height - 1, each.x + 1 : each.x + each.width - 1]
            assert tuple(inner[0, 0]) == each.background in BACKGROUNDS
            rows, columns = np.nonzero(inner.sum(2) < 300)
            assert np.ptp(columns) >= 10 and np.ptp(rows) >= 6, "letters are there, and not small"
            assert abs(columns.min() + columns.max() + 2 - each.width) <= 4
            assert columns.min() >= 3 and columns.max() <= inner.shape[1] - 4


@pytest.mark.browser
def test_a_word_looks_the_same_wherever_it_stands(env):
    looks = {}
    for seed in range(40):
        pixels = env.reset(seed=seed)[0]["images"][0]
        for each in env._scene.objects:
            look = pixels[each.y : each.y + each.height, each.x : each.x + each.width]
            key = each.word, each.background
            assert np.array_equal(looks.setdefault(key, look), look), key
    assert len(looks) < 40 * 6, "some were seen twice"


@pytest.mark.browser
def test_the_letters_are_the_bundled_ones_and_as_wide_as_we_think(env):
    env.reset(seed=0)
    tab = next(iter(env._held.values())).front
    script = """(async () => {
        await document.fonts.ready;
        const pen = document.createElement("canvas").getContext("2d");
        pen.font = getComputedStyle(document.querySelector(".word")).font;
        return [pen.font, [...document.fonts].map(face => face.status), WORDS.map(word => pen.measureText(word).width)];
    })()"""
    font, faces, widths = host().call(tab.evaluate(script.replace("WORDS", str(list(WORDS)))), 20)
    assert f"{FONT_SIZE}px" in font and font.endswith('"Saccade Sans"')
    assert faces == ["loaded", "loaded"]
    for word, width in zip(WORDS, widths, strict=True):
        assert width == pytest.approx(sum(ADVANCES[letter] for letter in word) * FONT_SIZE / 1000, abs=0.2), word


@pytest.mark.browser
def test_prefetched_pictures_are_those_of_the_episodes(env):
    SCENES.clear()
    alone = [env.reset(seed=seed)[0]["images"][0] for seed in range(12)]
    SCENES.clear()
    assert ClickWord.prefetch(range(12), level=3) == 12
    assert ClickWord.prefetch(range(12), level=3, max_turns=3) == 0
    for seed in range(12):
        assert np.array_equal(env.reset(seed=seed)[0]["images"][0], alone[seed])


@pytest.mark.browser
def test_prefetch_draws_no_more_than_the_cache_holds(monkeypatch):
    for cls in (ClickWord, ClickTarget):
        SCENES.clear()
        monkeypatch.setattr(SCENES, "max_bytes", 10 * 3 * cls().size ** 2)
        assert cls.prefetch(range(30)) == 10
        assert cls.prefetch(range(30)) == 0, "what was drawn is still there"
    SCENES.clear()


@pytest.mark.browser
@pytest.mark.parametrize("cls", [ClickWord, ClickTarget])
def test_lessons_show_the_pictures_of_the_episodes_and_ask_for_several_items(cls):
    env = cls(level=3, split="test")
    lessons = list(env.lessons(range(6)))
    for seed in range(6):
        env.reset(seed=seed)
        [shown] = env.demo()
        mine = [lesson.turns for number, lesson in lessons if number == seed]
        found = {seen.text: demo for [(seen, demo)] in mine}
        assert len(found) == len(mine) == ASKED
        for [(seen, demo)] in mine:
            assert seen.images[0].digest == env.view.images[0].digest and demo.caption == shown.caption
        assert found[env.view.text] == shown
        for text, demo in found.items():  # the page agrees with every one
            env.reset(seed=seed)
            clicked = env.step(demo.action)[4]["clicked"]
            assert clicked in text and demo.thought.startswith(f"{clicked} (")
    env.close()


@pytest.mark.browser
def test_pictures_need_no_font_of_the_system(tmp_path):
    """The same pixels with the fonts of this machine and in a browser that sees none of them."""
    bare = tmp_path / "fonts.conf"
    bare.write_text(f"<fontconfig><dir>{tmp_path}/none</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>")
    script = """
import gymnasium, saccade.envs
for id in ("saccade/ClickWord-v0", "saccade/TwoPageForm-v0"):
    env = gymnasium.make(id).unwrapped
    env.reset(seed=3)
    for turn in env.demo():
        print(env.view.images[0].digest)
        env.step(turn.action)
"""
    there, bare_digests = (
        subprocess.run(
            [sys.executable, "-c", script], env=os.environ | extra, capture_output=True, text=True, check=True
        ).stdout.split()
        for extra in ({}, {"FONTCONFIG_FILE": str(bare)})
    )
    assert len(there) == 6 and there == bare_digests
