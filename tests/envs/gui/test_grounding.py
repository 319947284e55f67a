import json

import gymnasium as gym
import numpy as np
import pytest

from saccade.envs.errors import ConfigError
from saccade.envs.gui.grounding import Grounding
from saccade.envs.observation import Image


@pytest.fixture
def data(tmp_path):
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "a.png").write_bytes(Image(np.zeros((50, 100, 3), np.uint8)).png())
    lines = [
        {"image": "shots/a.png", "instruction": f"button {number}", "bbox": [number, 10, 20, 30], "data_type": "icon"}
        for number in range(40)
    ]
    file = tmp_path / "items.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    return file


def test_a_click_into_the_box_hits(data):
    env = gym.make("saccade/Grounding-v0", data=str(data)).unwrapped
    for seed in range(5):
        seen, _ = env.reset(seed=seed)
        left, top, right, bottom = env.bounds
        assert seen["images"][0].shape == (50, 100, 3) and seen["text"] == f"button {left:g}"
        assert (top, right - left, bottom - top) == (10, 20, 30)
        inside = ((left, top), (right, bottom), (left + 5, top + 5))
        outside = ((right + 1, top), (left, top - 1), (left, bottom + 1))
        for places, reward in ((inside, 1.0), (outside, 0.0)):
            for x, y in places:
                env.reset(seed=seed)
                _, got, terminated, _, info = env.step(f"mouse_click({x}, {y})")
                assert (got, terminated, info["success"], info["data_type"]) == (reward, True, bool(reward), "icon")
        env.reset(seed=seed)
        assert env.step(next(env.demo()).action)[1] == 1.0


def test_boxes_are_understood_in_each_way(data):
    def bounds(box, bbox):
        data.write_text(json.dumps({"image": "shots/a.png", "instruction": "x", "bbox": bbox}) + "\n")
        env = Grounding.__new__(Grounding)
        from saccade.envs.gui.grounding import read_targets

        read_targets.cache_clear()
        env.box, env.image = box, Image(np.zeros((50, 100, 3), np.uint8))
        [env.target] = read_targets(data)
        return env.bounds

    assert bounds("xywh", [10, 20, 30, 5]) == (10, 20, 40, 25)
    assert bounds("xyxy", [10, 20, 30, 25]) == (10, 20, 30, 25)
    assert bounds("xyxy", [0.1, 0.4, 0.3, 0.5]) == (10, 20, 30, 25)
    assert bounds("xywh", [0.1, 0.4, 0.2, 0.1]) == pytest.approx((10, 20, 30, 25))


def test_train_and_test_share_no_item(data):
    shown = {}
    for split in ("train", "test"):
        env = Grounding(data=str(data), split=split)
        shown[split] = {env.reset(seed=seed)[0]["text"] for seed in range(60)}
    assert shown["train"] and shown["test"] and not shown["train"] & shown["test"]


def test_wrong_data_is_refused(data, tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Grounding(data=str(tmp_path / "none.jsonl"))
    with pytest.raises(ConfigError, match="box must be one of"):
        Grounding(data=str(data), box="yxyx")
    for number, text in enumerate(
        ("", "nonsense", '{"image": "a"}', '{"image": "a", "instruction": "b", "bbox": [1]}')
    ):
        file = tmp_path / f"bad{number}.jsonl"
        file.write_text(text)
        with pytest.raises(ConfigError):
            Grounding(data=str(file))
    file = tmp_path / "gone.jsonl"
    file.write_text(
        "\n".join(json.dumps({"image": f"{n}.png", "instruction": "x", "bbox": [1, 2, 3, 4]}) for n in range(9))
    )
    with pytest.raises(ConfigError, match="picture"):
        Grounding(data=str(file)).reset(seed=0)
