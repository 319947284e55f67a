"""Schemas of well-known data sets: a row -> the question as this project asks and judges it.

Benchmarks that are usually graded by a language model are judged by rules here (each says which), so scores are not
those of their leaderboards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from saccade.envs.qa.data.item import Item, box_text, letter_of, option_item, texts
from saccade.envs.qa.verifiers.number import read_number

Row = Mapping[str, Any]
MMMU_IMAGES = tuple(f"image_{number}" for number in range(1, 8))


@dataclass(frozen=True)
class Preset:
    """How the rows of a data set are read.

    Attributes:
        read: a row -> its question.
        needed: the columns that must be there.
        others: those that are read where they are there.
        about: the data set, and what judges its answers.
    """

    read: Callable[[Row], Item]
    needed: tuple[str, ...]
    others: tuple[str, ...] = ()
    about: str = ""

    @property
    def uses(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (*self.needed, *self.others)


def mathvista(row: Row) -> Item:
    """MathVista (arXiv 2310.02255), columns of `AI4Math/MathVista`."""
    image = row.get("decoded_image") or row["image"]
    more: dict[str, Any] = {"images": (image,), "info": {"id": str(row.get("pid", ""))}}
    choices = texts(row.get("choices"))
    answer = str(row["answer"])
    if row["question_type"] == "multi_choice":
        return option_item(row["question"], choices, letter_of(answer, choices), **more)
    match row.get("answer_type"):
        case "integer" | "float":
            settings: dict[str, Any] = {"unit": row.get("unit") or ""}
            if row["answer_type"] == "float" and row.get("precision") is not None:
                settings["decimals"] = int(row["precision"])
            return Item(row["question"], (answer,), "number", settings, **more)
        case "list":
            return Item(row["question"], (answer,), "ordered", **more)
    return Item(row["question"], (answer,), "text", **more)


def mathvision(row: Row) -> Item:
    """MATH-Vision (arXiv 2402.14804), columns of `MathLLMs/MathVision`."""
    image = row.get("decoded_image") or row["image"]
    info = {"id": str(row.get("id", "")), "subject": row.get("subject", "")}
    more: dict[str, Any] = {"images": (image,), "info": info}
    choices = texts(row.get("options"))
    if not choices:
        return Item(row["question"], (str(row["answer"]),), "expression", **more)
    return option_item(row["question"], choices, letter_of(row["answer"], choices), **more)


def mathverse(row: Row) -> Item:
    """MathVerse (arXiv 2403.14624), columns of `AI4Math/MathVerse`; its choices stand in question or picture."""
    info = {"id": str(row.get("sample_index", "")), "version": row.get("problem_version", "")}
    question = row["question"] or row.get("query_wo") or "Answer the question in the picture."
    is_option = row["question_type"] == "multi-choice"
    answer = str(row["answer"]).strip()
    return Item(question, (answer,), "option" if is_option else "expression", images=(row["image"],), info=info)


def geometry3k(row: Row) -> Item:
    """Geometry3K in the layout of `hiyouga/geometry3k`, which EasyR1 and Open-R1-Multimodal use."""
    return Item(row["problem"], (str(row["answer"]),), "expression", images=tuple(row["images"]))


def mmmu(row: Row) -> Item:
    """MMMU (arXiv 2311.16502): up to seven pictures, named `<image 1>` in question and choices."""
    images = tuple(row.get(name) for name in MMMU_IMAGES)
    more: dict[str, Any] = {"images": images, "info": {"id": row.get("id", ""), "subfield": row.get("subfield", "")}}
    if row["question_type"] == "multiple-choice":
        choices = texts(row["options"])
        return option_item(row["question"], choices, letter_of(row["answer"], choices), **more)
    golds = texts(row["answer"])
    is_number = all(read_number(gold) for gold in golds)
    return Item(row["question"], golds, "number" if is_number else "text", **more)


def scienceqa(row: Row) -> Item:
    """ScienceQA (arXiv 2209.09513), columns of `derek-thomas/ScienceQA`; some questions have no picture."""
    choices = texts(row["choices"])
    question = "\n".join(part for part in (row.get("hint"), row["question"]) if part)
    info = {"subject": row.get("subject", "")}
    return option_item(question, choices, letter_of(row["answer"], choices), images=(row.get("image"),), info=info)


def ai2d(row: Row) -> Item:
    """AI2D (arXiv 1603.07396), columns of `lmms-lab/ai2d`: the answer is the number of a choice from 0."""
    choices = texts(row["options"])
    answer = str(row["answer"]).strip()
    gold = letter_of(int(answer) if answer.isdecimal() else answer, choices)
    return option_item(row["question"], choices, gold, images=(row["image"],))


def chartqa(row: Row) -> Item:
    """ChartQA (arXiv 2203.10244), columns of `lmms-lab/ChartQA` or `HuggingFaceM4/ChartQA`."""
    golds = texts(row["answer"] if "answer" in row else row["label"])[:1]
    info = {"type": str(row.get("type", row.get("human_or_machine", "")))}
    question = row["question"] if "question" in row else row["query"]
    return Item(question, golds, "relaxed", images=(row["image"],), info=info)


def docvqa(row: Row) -> Item:
    """DocVQA (arXiv 2007.00398), columns of `lmms-lab/DocVQA`; several answers are right."""
    info = {"id": str(row.get("questionId", ""))}
    return Item(row["question"], texts(row["answers"]), "anls", images=(row["image"],), info=info)


def screenspot(row: Row) -> Item:
    """ScreenSpot (arXiv 2401.10935): its own JSON (pixels, left top width height) or `rootsautomation/ScreenSpot`."""
    own = "img_filename" in row
    gold = box_text(list(row["bbox"]), "xywh" if own else "xyxy")
    info = {name: row.get(name, "") for name in ("data_type", "data_source")}
    image = row["img_filename"] if own else row["image"]
    question = f"Where do you click for this? {row['instruction']}"
    return Item(question, (gold,), "point", images=(image,), shares=not own, info=info)


def refcoco(row: Row) -> Item:
    """RefCOCO (arXiv 1608.00272), columns of `lmms-lab/RefCOCO`: `answer` holds the expressions, `bbox` is x y w h."""
    gold = box_text(list(row["bbox"]), "xywh")
    question = f"Where is this? {texts(row['answer'])[0]}"
    return Item(question, (gold,), "iou", {"threshold": 0.5}, images=(row["image"],))


def medical(row: Row) -> Item:
    """VQA-RAD and PathVQA, columns of `flaviagiammarino/vqa-rad` and `flaviagiammarino/path-vqa`."""
    return Item(row["question"], (str(row["answer"]),), "text", images=(row["image"],))


def video(row: Row) -> Item:
    """Questions about a video file, with or without choices (`candidates` as in MVBench, arXiv 2311.17005)."""
    choices = texts(next((row[name] for name in ("candidates", "options", "choices") if row.get(name)), None))
    if not choices:
        return Item(row["question"], texts(row["answer"]), "text", video=row["video"])
    return option_item(row["question"], choices, letter_of(row["answer"], choices), video=row["video"])


def audio(row: Row) -> Item:
    """Questions about a WAV file, with or without choices (columns as in MMAU, arXiv 2410.19168)."""
    choices = texts(row.get("choices"))
    if not choices:
        return Item(row["question"], texts(row["answer"]), "text", audio=row["audio"])
    return option_item(row["question"], choices, letter_of(row["answer"], choices), audio=row["audio"])


def imagefolder(row: Row) -> Item:
    """One folder of pictures a class; also any `image` and `label` of words."""
    return Item("What is in the picture?", (str(row["label"]),), "class", images=(row["image"],))


_MATH = ("pid", "unit", "precision", "answer_type", "choices", "decoded_image")
PRESETS: Mapping[str, Preset] = {
    "mathvista": Preset(mathvista, ("question", "answer", "question_type", "image"), _MATH, "letters, numbers, words"),
    "mathvision": Preset(
        mathvision,
        ("question", "answer", "image"),
        ("options", "decoded_image", "id", "subject"),
        "letters, expressions",
    ),
    "mathverse": Preset(
        mathverse,
        ("question", "answer", "question_type", "image"),
        ("query_wo", "sample_index", "problem_version"),
        "letters, expressions",
    ),
    "geometry3k": Preset(geometry3k, ("images", "problem", "answer"), (), "expressions"),
    "mmmu": Preset(
        mmmu,
        ("question", "options", "answer", "question_type", "image_1"),
        ("id", "subfield", *MMMU_IMAGES[1:]),
        "letters, numbers, words",
    ),
    "scienceqa": Preset(scienceqa, ("question", "choices", "answer"), ("image", "hint", "subject"), "letters"),
    "ai2d": Preset(ai2d, ("question", "options", "answer", "image"), (), "letters"),
    "chartqa": Preset(
        chartqa,
        ("image",),
        ("question", "answer", "query", "label", "type", "human_or_machine"),
        "relaxed accuracy",
    ),
    "docvqa": Preset(docvqa, ("question", "answers", "image"), ("questionId",), "ANLS"),
    "screenspot": Preset(
        screenspot, ("instruction", "bbox"), ("image", "img_filename", "data_type", "data_source"), "a point in the box"
    ),
    "refcoco": Preset(refcoco, ("image", "answer", "bbox"), (), "a box, IoU at least 0.5"),
    "medical": Preset(medical, ("image", "question", "answer"), (), "words"),
    "video": Preset(video, ("video", "question", "answer"), ("candidates", "options", "choices"), "letters, words"),
    "audio": Preset(audio, ("audio", "question", "answer"), ("choices",), "letters, words"),
    "imagefolder": Preset(imagefolder, ("image", "label"), (), "classes"),
}
"""Every preset by the name that `schema` takes."""
