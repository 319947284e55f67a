"""The families of generated questions: how many there are, how well a blind guesser does, how fast they are drawn.

    python benchmarks/qa_families.py                # the table, as markdown; levels are parted by strokes
    python benchmarks/qa_families.py Clocks Mazes   # some families
    python benchmarks/qa_families.py --sheet docs/images/qa-families.png    # a picture of each at every level

A row counts distinct contents among `--items` draws; says what chance is, and what the better of two guessers that
see nothing but the question scores on the half that it did not learn from; the load (bits of the answer, and words of
question, caption and thought); and pictures (frames, sounds) a second of CPU time, everything from the seed on.
"""

import argparse
import math
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from saccade.envs import FAMILIES
from saccade.envs.observation import Audio, Video
from saccade.envs.qa.canvas import UNITS, Canvas
from saccade.envs.qa.families.base import LEVELS
from saccade.envs.qa.families.pages import PagePoint
from saccade.envs.qa.tasks import pick
from saccade.envs.task import make

NAMES = " ".join(FAMILIES.values()).split()


def family(name, level, **settings):
    """The environment of a family at a level."""
    return make(f"saccade/{name}-v0", level=level, **settings).unwrapped


def items(env, count, seed=0):
    """Contents and the phrasing of their question, drawn as the environment draws them, not shown."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        item = env.item(rng)
        yield item, pick(rng, item.questions)


def blind(pairs):
    """The best score of guesses that see only the question: (question, answer) pairs, learnt on one half.

    One guesser always gives the most common answer; the other (naive Bayes) weighs every word of the question, and the
    question as a whole.
    """
    half = len(pairs) // 2
    learnt, asked = pairs[:half], pairs[half:]
    answers = Counter(answer for _, answer in learnt)
    words = defaultdict(Counter)
    for question, answer in learnt:
        words[answer].update({question, *question.split()})
    known = {word for counts in words.values() for word in counts}

    def guess(question):
        seen = {question, *question.split()} & known
        return max(
            answers,
            key=lambda answer: (
                math.log(answers[answer])
                + sum(math.log((words[answer][word] + 1) / (answers[answer] + 2)) for word in seen)
            ),
        )

    constant = answers.most_common(1)[0][0]
    return max(
        sum(answer == constant for _, answer in asked) / len(asked),
        sum(answer == guess(question) for question, answer in asked) / len(asked),
    )


def blind_click(screens):
    """The best score of a click at one place: over every unit of the page."""
    hits = np.zeros((UNITS, UNITS))
    for screen in screens:
        box = screen.target
        hits[box.y : box.y + box.height, box.x : box.x + box.width] += 1
    return hits.max() / len(screens)


def load(env, contents):
    """Bits of the answer, and mean words of the shortest question, the caption and the thought."""
    texts = ((min(item.questions, key=len), item.caption, item.thought) for item in contents)
    return math.log2(len(env.choices)) + float(np.mean([len(" ".join(each).split()) for each in texts]))


def speed(env, count):
    """Pictures, frames or sounds a second of CPU time, from the seed to the pixels."""
    env.reset(seed=0)
    shown, begun = 0, time.process_time()
    for seed in range(count):
        env.reset(seed=seed)
        medium = env.view.parts[-1]
        shown += len(medium.frames) if isinstance(medium, Video) else 1
    return shown / (time.process_time() - begun)


def row(name, level, count, drawn):
    env = family(name, level)
    found = list(items(env, count))
    contents = [item for item, _ in found]
    if isinstance(env, PagePoint):
        best = blind_click(contents)
    else:
        best = blind([(question, item.answer) for item, question in found])
    distinct = len({repr(item) for item in contents})
    return distinct, 100 * env.chance, 100 * best, load(env, contents[:300]), speed(env, drawn)


def sheet(path, each=UNITS):
    """One picture a family and level; a film shows its third frame, a sound its wave."""
    from PIL import Image as Pillow

    across = 4
    rows = math.ceil(len(NAMES) / across)
    pixels = np.full((rows * (each + 20), across * (3 * each + 24), 3), 255, np.uint8)
    for index, name in enumerate(NAMES):
        top, left = index // across * (each + 20), index % across * (3 * each + 24)
        page = Canvas(UNITS, (255, 255, 255))
        page.text(UNITS / 2, 6, name)
        pixels[top : top + 13, left : left + UNITS] = page.pixels[:13]
        for level in LEVELS:
            env = family(name, level, size=each)
            env.reset(seed=1)
            medium = env.view.parts[-1]
            match medium:
                case Video():
                    shown = medium.frames[2]
                case Audio():
                    shown = wave(medium, each)
                case _:
                    shown = medium.pixels
            at = left + (level - 1) * (each + 4)
            pixels[top + 14 : top + 14 + each, at : at + each] = shown
    Pillow.fromarray(pixels).quantize(128, dither=Pillow.Dither.NONE).save(path, optimize=True)


def wave(audio, size):
    """A sound as a picture: the loudest sample of each column."""
    loud = [np.abs(part).max() for part in np.array_split(audio.samples, size)]
    reach = np.abs(np.arange(size) - size / 2)[:, None] / (size / 2)
    return np.where((reach < np.array(loud))[..., None], np.uint8(90), np.uint8(246)).repeat(3, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES, help="families; all by default")
    parser.add_argument("--items", type=int, default=2400)
    parser.add_argument("--drawn", type=int, default=60)
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    if args.sheet:
        sheet(args.sheet)
        return
    print(f"| family | the three levels | distinct of {args.items} | chance % | blind % | load | pictures a second |")
    print("|---|---|---|---|---|---|---|")
    for name in args.names:
        levels = [row(name, level, args.items, args.drawn) for level in LEVELS]
        about = str(family(name, 1).__doc__).split("\n")[0]
        shown = ("{:d}", "{:.1f}", "{:.1f}", "{:.1f}", "{:.0f}")
        columns = [" / ".join(map(form.format, each)) for form, *each in zip(shown, *levels, strict=True)]
        print(f"| `{name}` | {about} | " + " | ".join(columns) + " |", flush=True)


if __name__ == "__main__":
    main()
