import numpy as np
import pytest

from saccade.envs.gui.env import ClickTarget
from saccade.envs.gui.observe import SCENES, SHEETS, Pictures, picture, render_scenes
from saccade.envs.gui.tasks import make_scene
from saccade.envs.gui.words import ClickWord, make_words
from saccade.envs.observation import Image


def image(value, side=10):
    return Image(np.full((side, side, 3), value, np.uint8))


def test_pictures_forget_the_longest_unused():
    kept = Pictures(max_bytes=3 * 300)
    for key in "abc":
        kept.put(key, image(1))
    assert kept.get("a") is not None
    kept.put("d", image(2))
    assert kept.get("b") is None and all(kept.get(key) for key in "acd")
    kept.put("a", image(3, side=17))  # 867 bytes: nothing else fits beside it
    assert len(kept) == 1 and kept.get("a").size == (17, 17)
    kept.put("e", image(4, side=40))  # larger than the bound: kept alone
    assert len(kept) == 1 and kept.get("e") is not None
    kept.clear()
    assert len(kept) == 0


def test_a_picture_keeps_its_bytes_unless_it_is_cropped():
    png = Image(np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)).png()
    whole, part = picture(png), picture(png, (10, 8))
    assert whole.encoded == png and whole.size == (30, 20)
    assert part.size == (10, 8) and np.array_equal(part.pixels, whole.pixels[:8, :10])
    assert np.array_equal(Image.decode(part.png()).pixels, part.pixels)


@pytest.mark.browser
def test_sheets_show_each_scene_exactly_as_its_own_page_does():
    drawn = [make_scene(np.random.default_rng(seed), 1 + seed % 3, (64, 100)[seed % 2]) for seed in range(70)]
    sheets = render_scenes(drawn)
    assert [each.size for each in sheets] == [(scene.size, scene.size) for scene in drawn]
    assert len({each.digest for each in sheets}) == 70
    envs = {size: ClickTarget(size=size) for size in (64, 100)}
    SCENES.clear()
    for index in (*range(8), 30, 31, 68, 69):
        env = envs[drawn[index].size]
        env.scene_of = lambda rng, scene=drawn[index]: scene
        env.reset(seed=0)
        assert np.array_equal(env.view.images[0].pixels, sheets[index].pixels)
        assert env.view.images[0].encoded is not None, "this one was a screenshot of its own"
    for env in envs.values():
        env.close()


@pytest.mark.browser
@pytest.mark.parametrize("count", [3, 67])
def test_sheets_of_words_are_exact_on_both_sheets(count):
    """One small sheet, or a large one and the beginning of another: the same letters as on a page of its own."""
    assert (SHEETS[0] // 160) ** 2 >= 3 and (SHEETS[1] // 160) ** 2 == 64
    drawn = [make_words(np.random.default_rng(seed), 1 + seed % 3, 160) for seed in range(count)]
    sheets = render_scenes(drawn)
    assert len({each.digest for each in sheets}) == count
    env = ClickWord(size=160)
    SCENES.clear()
    for index in (0, 1, 2, count // 2, count - 2, count - 1):
        env.scene_of = lambda rng, scene=drawn[index]: scene
        env.reset(seed=0)
        assert np.array_equal(env.view.images[0].pixels, sheets[index].pixels)
    env.close()


def test_no_scenes_need_no_browser():
    assert render_scenes([]) == []
