"""Data sets as episodes: seeds, splits, schemas of your own, and what an answer is."""

import random

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env

from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Text
from saccade.envs.qa.data.dataset import Dataset
from saccade.envs.qa.data.env import QA
from saccade.envs.task import make

from .conftest import hub_png, png, write_lines, write_parquet


@pytest.fixture
def forty(tmp_path):
    """Forty questions about twenty pictures."""
    for index in range(20):
        (tmp_path / f"{index}.png").write_bytes(png(index))
    rows = [{"question": f"Number {row}?", "answer": str(row), "image": f"{row % 20}.png"} for row in range(40)]
    return write_lines(tmp_path / "forty.jsonl", rows)


def test_gymnasium_accepts_it(forty):
    check_env(gym.make("saccade/QA-v0", data=forty).unwrapped, skip_render_check=True)


def test_no_picture_is_in_both_splits_and_every_question_is_in_one(forty):
    pictures, rows = {}, {}
    for split in ("train", "test"):
        env = QA(data=forty, split=split)
        pictures[split], rows[split] = set(), set()
        for seed in range(40):
            pictures[split].add(env.reset(seed=seed)[0]["images"][0].tobytes())
            rows[split].add(env.step("x")[4]["row"])
    assert not pictures["train"] & pictures["test"] and len(pictures["train"] | pictures["test"]) == 20
    assert rows["train"] | rows["test"] == set(range(40)) and rows["train"].isdisjoint(rows["test"])
    assert 0 < len(rows["test"]) < 20


def test_a_row_whose_pictures_are_on_both_sides_is_in_neither_split(tmp_path):
    file = write_parquet(
        tmp_path / "two.parquet",
        [{"question": "?", "answer": "1", "image": [hub_png(index), hub_png(index + 40)]} for index in range(40)],
    )
    sides = [Dataset(file).load(row).is_test for row in range(40)]
    assert {True, False, None} >= set(sides) and None in sides and False in sides
    seen = {"train": set(), "test": set()}
    for split, pictures in seen.items():
        env = QA(data=file, split=split)
        for seed in range(40) if split in {"train"} or True in sides else []:
            pictures |= {each.tobytes() for each in env.reset(seed=seed)[0]["images"]}
    assert not seen["train"] & seen["test"]


def test_files_by_split_are_taken_whole_and_each_row_is_met_once(forty, tmp_path):
    other = write_lines(tmp_path / "other.jsonl", [{"question": "?", "answer": "1"}] * 3)
    env = QA(data={"train": forty, "test": other})
    met = []
    for seed in range(40):
        env.reset(seed=seed)
        met.append(env.step("x")[4]["row"])
    assert sorted(met) == list(range(40)) and met != sorted(met)
    assert len(QA(data={"train": forty, "test": other}, split="test").dataset) == 3


def test_the_same_seed_asks_the_same_and_workers_agree(forty):
    first = [QA(data=forty).reset(seed=seed)[0]["text"] for seed in range(10)]
    env = QA(data=forty)
    assert [env.reset(seed=seed)[0]["text"] for seed in reversed(range(10))] == first[::-1]
    fresh = Dataset(forty)
    assert (fresh.order == env.dataset.order).all()


def test_a_split_without_rows_says_so(tmp_path):
    file = write_lines(tmp_path / "one.jsonl", [{"question": "?", "answer": "1"}])
    splits = [split for split in ("train", "test") if (Dataset(file).load(0).is_test) != (split == "test")]
    with pytest.raises(ConfigError, match="give each split its own file"):
        QA(data=file, split=splits[0]).reset(seed=0)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"schema": {"anser": "a"}}, "did you mean 'answer'"),
        ({"schema": {"verifier": "optoin"}}, "did you mean 'option'"),
        ({"schema": {"verifier": "iou", "settings": {"treshold": 0.5}}}, "did you mean 'threshold'"),
        ({"schema": {"boxes": "yxyx"}}, "boxes must be xyxy or xywh"),
        ({"schema": {"image": "picture"}}, "no column 'picture'"),
        ({"extract": "boxes"}, "did you mean 'boxed'"),
        ({"frames": 0}, "must be >= 1"),
    ],
)
def test_wrong_settings_say_what_was_meant(forty, settings, match):
    with pytest.raises(ConfigError, match=match):
        make("saccade/QA-v0", data=forty, **settings)
    with pytest.raises(ConfigError, match="data has no 'test'"):
        QA(data={"train": forty}, split="test")
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        QA(data={"trian": forty})


def test_a_schema_of_ones_own(tmp_path):
    rows = [
        {
            "name": "box",
            "hint": "Look.",
            "right": 2,
            "options": ["a", "b", "c"],
            "pic": [hub_png(1), hub_png(2)],
            "id": "q1",
        },
        {"name": "cup", "hint": "Look.", "right": 0, "options": ["a", "b", "c"], "pic": [hub_png(3)], "id": "q2"},
    ]
    schema = {
        "question": "Which {name}? {hint} <image 2>",
        "answer": "right",
        "choices": "options",
        "image": "pic",
        "info": ["id"],
    }
    file = write_parquet(tmp_path / "own.parquet", rows)
    env = QA(data={"train": file}, schema=schema)
    seed = list(env.dataset.order).index(0)
    observation, _ = env.reset(seed=seed)
    assert observation["text"].startswith("Which box? Look.") and "(C) c" in observation["text"]
    assert [type(part) for part in env.view.parts] == [Text, Image, Text, Image]
    assert {env.sample_action(random.Random(draw)) for draw in range(30)} == {"A", "B", "C"}
    _, reward, *_, info = env.step("C")
    assert reward == 1.0 and info["id"] == "q1"


@pytest.mark.parametrize(
    ("schema", "answer", "right", "wrong"),
    [
        ({"verifier": "number", "settings": {"tolerance": 0.5}}, "7", "7.4", "7.6"),
        ({"verifier": "set"}, ["red", "blue"], "blue, red", "blue, red, green"),
        ({"verifier": "list"}, ["1,234", "a and b"], '["a and b", "1234"]', "1, 234, a, b"),
        ({"verifier": "anls"}, ["one", "another"], "Another", "nothing like it"),
        ({"verifier": "boxes", "boxes": "xywh"}, [[0, 0, 4, 4], [8, 8, 4, 4]], "[[8, 8, 12, 12], [0, 0, 4, 4]]", "[]"),
        ({"verifier": "point", "shares": True}, [0.5, 0.5, 1, 1], "(20, 12)", "(5, 12)"),
        ({"verifier": "interval", "settings": {"threshold": 0.5}}, "3 - 7", "0:03 to 0:06", "7 - 9"),
        ({"verifier": "class"}, "sea_lion", "sea lion", "lion"),
    ],
)
def test_verifiers_of_ones_own_schema(tmp_path, schema, answer, right, wrong):
    file = write_parquet(tmp_path / "own.parquet", [{"question": "?", "answer": answer, "image": hub_png(1)}])
    env = QA(data={"train": file}, schema=schema)
    for given, reward in ((right, 1.0), (wrong, 0.0)):
        env.reset(seed=0)
        assert env.step(given)[1] == reward
    env.reset(seed=0)
    [demo] = env.demo()
    assert env.step(demo.action)[1] == 1.0


def test_answers_are_found_where_the_setting_says(forty):
    for extract, write in [
        ("tags", "<think>1 <answer>0</answer></think> <answer>{}</answer>"),
        ("boxed", "so \\boxed{{{}}}"),
        ("last_line", "I think\nThe answer is {}\n"),
    ]:
        env = QA(data=forty, extract=extract)
        env.reset(seed=3)
        [demo] = env.demo()
        assert env.step(demo.action)[1] == 1.0
        env.reset(seed=3)
        gold = env._loaded.item.golds[0]
        assert env.step(write.format(gold))[1] == 1.0
        env.reset(seed=3)
        *_, info = env.step(" ")
        assert info["action_error"] and not info["success"]


def test_text_of_the_data_forges_no_picture(tmp_path):
    rows = [{"question": "<image 9> <image> <|im_start|> <video>", "answer": "1", "image": hub_png(1)}]
    loaded = Dataset(write_parquet(tmp_path / "a.parquet", rows)).load(0)
    assert [type(part) for part in loaded.observation.parts] == [Text, Image, Text]
    assert "<image 9>" in loaded.observation.parts[0].text and loaded.observation.parts[2].text.startswith(
        "<|im_start|> <video>"
    )


def test_a_row_that_its_own_verifier_refuses_is_told(tmp_path):
    file = write_lines(tmp_path / "a.jsonl", [{"question": "?", "answer": "many"}, {"question": "?", "answer": "3"}])
    [problem] = Dataset(file, {"verifier": "number"}).problems()
    assert "row 0" in problem and "does not accept the row's own answer" in problem


def test_a_picture_may_hold_nothing_to_find(tmp_path):
    (tmp_path / "0.png").write_bytes(png(0))
    file = write_lines(tmp_path / "a.jsonl", [{"question": "Find all.", "answer": [], "image": "0.png"}])
    env = QA(data={"train": file}, schema={"verifier": "boxes"})
    for answer, reward in (("[]", 1.0), ("[[0, 0, 9, 9]]", 0.0)):
        env.reset(seed=0)
        assert env.step(answer)[1] == reward
