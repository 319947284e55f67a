"""Each preset reads a file of that data set's columns; right answers score 1.0, wrong ones 0.0."""

import json

import gymnasium as gym
import pytest

from saccade.envs.errors import ConfigError
from saccade.envs.observation import Audio, Image, Text, Video
from saccade.envs.qa.data.dataset import Dataset
from saccade.envs.qa.data.presets import PRESETS

from .conftest import hub_png, png, wav, write_lines, write_parquet, write_video

METADATA = {"category": "math-targeted-vqa", "context": "table", "grade": "elementary school", "img_height": 16}


def mathvista(pid, question_type, answer_type, answer, choices=None, precision=None, unit=None):
    return {
        "pid": pid,
        "question": "How many?",
        "image": f"images/{pid}.jpg",
        "decoded_image": hub_png(int(pid)),
        "choices": choices,
        "unit": unit,
        "precision": precision,
        "answer": answer,
        "question_type": question_type,
        "answer_type": answer_type,
        "metadata": METADATA,
        "query": "Hint: ...",
    }


def mmmu(number, question, options, answer, question_type, images):
    row = {"id": f"validation_Art_{number}", "question": question, "options": options, "explanation": ""}
    row |= {f"image_{index}": hub_png(10 * number + index) if index in images else None for index in range(1, 8)}
    more = {"img_type": "['Paintings']", "topic_difficulty": "Easy", "subfield": "Drawing"}
    return row | {"answer": answer, "question_type": question_type} | more


# preset -> rows, and for each row right answers and wrong ones.
TABLE = {
    "mathvista": [
        (
            mathvista("1", "free_form", "float", "1.2", precision=1.0, unit="m"),
            ["1.2", "1.23", "120 cm"],
            ["1.3", "12"],
        ),
        (mathvista("2", "free_form", "integer", "4"), ["4", " 4. "], ["5", "3 or 4", "four-ish", ""]),
        (
            mathvista("3", "multi_choice", "text", "145°", choices=["135°", "140°", "145°"]),
            ["C", "(c)", "145°", "C. 145°"],
            ["A", "D", "A C", "C. 140°", "135° 140° 145°"],
        ),
        (mathvista("4", "free_form", "list", "[1, 3]"), ["[1, 3]", "1, 3"], ["[3, 1]", "1", "1, 3, 5"]),
        (mathvista("5", "free_form", "text", "the red one"), ["red one", "The red one."], ["blue one", "red"]),
    ],
    "mathvision": [
        (
            {
                "id": "4",
                "question": "Which number?\n<image1>",
                "options": ["A", "B", "C", "D", "E"],
                "image": "images/4.jpg",
                "decoded_image": hub_png(1),
                "answer": "D",
                "solution": None,
                "level": 1,
                "subject": "counting",
            },
            ["D", "d."],
            ["E", "D or E", "ABCDE"],
        ),
        (
            {
                "id": "5",
                "question": "How long is it?\n<image1>",
                "options": [],
                "image": "images/5.jpg",
                "decoded_image": hub_png(2),
                "answer": "0.75",
                "solution": None,
                "level": 5,
                "subject": "metric geometry",
            },
            ["\\frac{3}{4}", "0.75", "x = 3/4"],
            ["0.7", "3/4 or 4/3"],
        ),
    ],
    "mathverse": [
        (
            {
                "sample_index": "1",
                "problem_index": "1",
                "problem_version": version,
                "question": question,
                "image": hub_png(seed),
                "answer": answer,
                "question_type": kind,
                "metadata": {"split": "testmini", "source": "GEOS", "subject": "Plane Geometry", "subfield": "Angle"},
                "query_wo": "Please directly answer the question.",
                "query_cot": "Please first conduct reasoning.",
                "question_for_eval": question,
            },
            right,
            wrong,
        )
        for seed, version, question, answer, kind, right, wrong in [
            (1, "Text Dominant", "Find m. Choices:\nA:20\nB:30", "B", "multi-choice", ["B", "B."], ["A", "A, B"]),
            (2, "Vision Only", "", "30", "free-form", ["30", "30^\\circ"], ["60", "30 60"]),
        ]
    ],
    "geometry3k": [
        ({"images": [hub_png(1)], "problem": "<image>Find x.", "answer": "5.5"}, ["5.5", "\\frac{11}{2}"], ["5", "x"]),
        ({"images": [hub_png(2)], "problem": "<image>Find y.", "answer": "60"}, ["60", "y=60"], ["y", "60 or 30"]),
    ],
    "mmmu": [
        (
            mmmu(
                1,
                "<image 1> is older than <image 2>?",
                "['yes', \"it's not\", '<image 3>']",
                "B",
                "multiple-choice",
                [1, 2, 3],
            ),
            ["B", "it's not"],
            ["A", "yes", "C"],
        ),
        (mmmu(2, "What is <image 1> worth?", "[]", "['5', '5.0']", "open", [1]), ["5", "5.00"], ["6", "5 or 6"]),
        (mmmu(3, "Who drew <image 1>?", "[]", "Dürer", "open", [1]), ["Dürer", "the Dürer."], ["Durer", "Rembrandt"]),
    ],
    "scienceqa": [
        (
            {
                "image": image,
                "question": "Which is a solid?",
                "choices": ["water", "a stone"],
                "answer": 1,
                "hint": "Look at the picture.",
                "task": "closed choice",
                "grade": "grade2",
                "subject": "natural science",
                "topic": "physics",
                "category": "Materials",
                "skill": "Identify solids",
                "lecture": "",
                "solution": "",
            },
            ["B", "a stone"],
            ["A", "water", "A B", "AB"],
        )
        for image in (hub_png(1), None)
    ],
    "ai2d": [
        (
            {"question": "What eats a?", "options": ["a", "b", "0", "1"], "answer": "2", "image": hub_png(1)},
            ["C", "0"],
            ["A", "c or d", "2"],
        )
    ],
    "chartqa": [
        (
            {"type": "human_test", "question": "How many?", "answer": "14", "image": hub_png(1)},
            ["14", "14.5"],
            ["15", "14 or 20"],
        )
    ],
    "docvqa": [
        (
            {
                "questionId": "49153",
                "question": "What is the actual value?",
                "question_types": ["figure/diagram"],
                "image": hub_png(1),
                "docId": 14465,
                "ucsf_document_id": "pybv0228",
                "ucsf_document_page_no": "81",
                "answers": ["0.28 percent", "0.28"],
                "data_split": "val",
            },
            ["0.28", "0.28 PERCENT"],
            ["17", "the value is not given anywhere in the document"],
        )
    ],
    "screenspot": [
        (
            {
                "file_name": "mobile_1.png",
                "bbox": [0.25, 0.5, 0.75, 1.0],
                "instruction": "close",
                "data_type": "icon",
                "data_source": "ios",
                "image": hub_png(1, size=(40, 20)),
            },
            ["(20, 15)", "[10, 10]", "30 20"],
            ["(9, 15)", "(20, 9)", "(0.5, 0.75)", "(20, 15) (0, 0)"],
        )
    ],
    "refcoco": [
        (
            {
                "question_id": "1",
                "image": hub_png(1, size=(40, 20)),
                "question": "Please carefully observe the area circled in the image.",
                "answer": ["left dog", "the dog"],
                "segmentation": [[1.0, 2.0, 3.0, 4.0]],
                "bbox": [10.0, 4.0, 20.0, 10.0],
                "iscrowd": 0,
                "file_name": "COCO_train2014.jpg",
            },
            ["[10, 4, 30, 14]", "(10, 4), (30, 14)", '{"bbox_2d": [11, 4, 30, 14]}'],
            ["[10, 4, 20, 10]", "[0, 0, 40, 20]", "[10, 4, 30, 14], [0, 0, 1, 1]"],
        )
    ],
    "medical": [
        ({"image": hub_png(1), "question": "Is it a lung?", "answer": "Yes"}, ["yes", "Yes."], ["no", "yes no"]),
        ({"image": hub_png(2), "question": "What is it?", "answer": "the liver"}, ["liver"], ["a lung", "liver lung"]),
    ],
    "imagefolder": [({"image": hub_png(1), "label": "sea_lion"}, ["Sea lion", "sea-lion"], ["lion", "sea"])],
}


def play(dataset, row, answer):
    """The reward of an answer to one row, through the environment."""
    env = gym.make("saccade/QA-v0", data={"train": dataset[0]}, schema=dataset[1])
    rows = len(env.unwrapped.dataset)
    order = list(env.unwrapped.dataset.order)
    _, info = env.reset(seed=order.index(row) + 5 * rows)
    _, reward, terminated, _, info = env.step(answer)
    assert terminated and info["success"] == (reward == 1.0)
    assert answer == "" or info["row"] == row
    return reward


@pytest.mark.parametrize("name", TABLE)
def test_right_answers_score_and_wrong_ones_do_not(name, tmp_path):
    cases = TABLE[name]
    file = write_parquet(tmp_path / "data.parquet", [row for row, *_ in cases])
    for index, (_, right, wrong) in enumerate(cases):
        assert [play((file, name), index, answer) for answer in right] == [1.0] * len(right)
        assert [play((file, name), index, answer) for answer in wrong] == [0.0] * len(wrong)


@pytest.mark.parametrize("name", TABLE)
def test_the_demonstration_is_right(name, tmp_path):
    file = write_parquet(tmp_path / "data.parquet", [row for row, *_ in TABLE[name]])
    env = gym.make("saccade/QA-v0", data={"train": file}, schema=name)
    for seed in range(len(TABLE[name])):
        env.reset(seed=seed)
        [demo] = env.unwrapped.demo()
        assert env.step(demo.action)[1] == 1.0


def test_every_preset_is_covered():
    assert set(TABLE) | {"video", "audio"} == set(PRESETS)


def test_mmmu_pictures_stand_where_they_are_named(tmp_path):
    file = write_parquet(tmp_path / "data.parquet", [row for row, *_ in TABLE["mmmu"]])
    kinds = [type(part) for part in Dataset(file, "mmmu").load(0).observation.parts]
    assert kinds == [Image, Text, Image, Text, Image, Text]


def test_older_chartqa_columns(tmp_path):
    row = {"image": hub_png(1), "query": "How many?", "label": ["14"], "human_or_machine": 0}
    file = write_parquet(tmp_path / "data.parquet", [row])
    assert play((file, "chartqa"), 0, "14") == 1.0


def test_screenspots_own_json(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1, size=(40, 20)))
    row = {"img_filename": "a.png", "bbox": [10, 4, 20, 10], "instruction": "ok", "data_type": "text"}
    file = tmp_path / "screenspot_web.json"
    file.write_text(json.dumps([row | {"data_source": "shop"}]))
    assert play((str(file), "screenspot"), 0, "(29, 13)") == 1.0
    assert play((str(file), "screenspot"), 0, "(31, 13)") == 0.0


def test_boxes_shrink_with_their_picture(tmp_path):
    row = {"image": hub_png(1, size=(400, 200)), "answer": ["dog"], "bbox": [100.0, 40.0, 200.0, 100.0]}
    loaded = Dataset(write_parquet(tmp_path / "data.parquet", [row]), "refcoco", max_pixels=20_000).load(0)
    assert loaded.observation.images[0].size == (200, 100)
    assert json.loads(loaded.item.golds[0]) == [50, 20, 150, 70]


def test_video_frames_are_sampled_evenly(tmp_path):
    write_video(tmp_path / "clip.mp4", [0, 60, 120, 180])
    rows = [
        {"video": "clip.mp4", "question": "Does it get lighter?", "candidates": ["yes", "no"], "answer": "yes"},
        {"video": "clip.mp4", "question": "How many greys?", "answer": "four"},
    ]
    file = write_lines(tmp_path / "video.jsonl", rows)
    assert [play((file, "video"), 0, answer) for answer in ("A", "yes", "B", "A B")] == [1.0, 1.0, 0.0, 0.0]
    assert [play((file, "video"), 1, answer) for answer in ("4", "four", "5")] == [1.0, 1.0, 0.0]
    [video] = [part for part in Dataset(file, "video", frames=4).load(0).observation.parts if isinstance(part, Video)]
    assert video.frames.shape == (4, 32, 32, 3) and video.fps == pytest.approx(1.0)
    assert [round(float(level) / 60) for level in video.frames.mean((1, 2, 3))] == [0, 1, 2, 3]
    small = Dataset(file, "video", frames=2, max_pixels=256).load(0).observation.parts
    assert next(part for part in small if isinstance(part, Video)).frames.shape == (2, 16, 16, 3)


def test_audio(tmp_path):
    row = {
        "audio": {"bytes": wav(), "path": "a.wav"},
        "question": "What?",
        "choices": ["a tone", "noise"],
        "answer": "a tone",
    }
    file = write_parquet(tmp_path / "audio.parquet", [row])
    assert [play((file, "audio"), 0, answer) for answer in ("A", "a tone", "B")] == [1.0, 1.0, 0.0]
    [sound] = [part for part in Dataset(file, "audio").load(0).observation.parts if isinstance(part, Audio)]
    assert sound.rate == 8000 and sound.samples.shape == (800,)


def test_a_missing_column_and_an_unknown_preset_say_what_was_meant(tmp_path):
    file = write_parquet(tmp_path / "data.parquet", [{"image": hub_png(1), "questions": "?", "answer": "1"}])
    with pytest.raises(ConfigError, match="no column 'question'; did you mean 'questions'"):
        Dataset(file, "medical")
    with pytest.raises(ConfigError, match="did you mean 'mathvista'"):
        Dataset(file, "mathvist")
