"""All families of generated questions: seeds, splits, balance, levels; and their answers, found again in the pixels."""

import importlib
import math
from collections import Counter
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from saccade.envs import FAMILIES
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Audio, Image, Video
from saccade.envs.palette import PALETTE
from saccade.envs.qa.canvas import INK, PALE, UNITS
from saccade.envs.qa.families.base import LETTERS, LEVELS, NO_ANSWER
from saccade.envs.qa.families.geometry import area
from saccade.envs.qa.families.plots import STEP, formulas
from saccade.envs.qa.tasks import digits, pick
from saccade.envs.qa.verify import VERIFIERS
from saccade.envs.task import make

NAMES = " ".join(FAMILIES.values()).split()
EACH = [(name, level) for name in NAMES for level in LEVELS]
CLICKED = ("PagePoint",)
PROPOSED = ("Levers", "Ramps", "Pulleys")
"""Families whose `make` does not aim at the answer."""


@pytest.fixture(scope="module")
def script():
    """The measuring script: it has the blind guessers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))
        yield importlib.import_module("qa_families")


def family(name, level=1, **settings):
    return make(f"saccade/{name}-v0", level=level, **settings).unwrapped


def shown(name, level, count, size=UNITS):
    """(content, medium) of some tasks; contents are drawn again from the task's own generator."""
    env = family(name, level, size=size)
    for seed in range(count):
        env.reset(seed=seed)
        item = env.item(env._task_rng(seed))
        yield item, env.view.parts[-1]


def mask(pixels, colour):
    return (pixels == np.array(PALETTE[colour] if isinstance(colour, str) else colour)).all(-1)


def blobs(filled):
    """The number of connected regions, diagonals included."""
    todo, count = {(int(y), int(x)) for y, x in np.argwhere(filled)}, 0
    while todo:
        count, stack = count + 1, [todo.pop()]
        while stack:
            y, x = stack.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & todo
            todo -= near
            stack += near
    return count


def test_there_are_enough():
    assert len(NAMES) == len(set(NAMES)) >= 24


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(("name", "level"), EACH)
def test_gold_is_right_others_are_wrong_and_seeds_decide(name, level, split):
    env, again = family(name, level, split=split), family(name, level, split=split)
    for seed in range(4):
        (seen, info), (other, same) = env.reset(seed=seed), again.reset(seed=seed)
        assert info == same and seen["text"] == other["text"] and env.view.parts[1].digest == again.view.parts[1].digest
        [demo] = env.demo()
        assert demo == next(again.demo()) and demo.caption
        assert env.step(demo.action)[1] == 1.0
        wrong = "click(-1, -1)" if name in CLICKED else next(each for each in env.choices if each != demo.action)
        assert again.step(wrong)[1:3] == (0.0, True)
        assert not list(env.demo())


@cache
def drawn(name, level):
    """Some contents of a family and their questions."""
    return tuple(importlib.import_module("qa_families").items(family(name, level), 200))


@pytest.mark.parametrize(("name", "level"), EACH)
def test_contents_are_many_answers_balanced_and_splits_apart(name, level, script):
    env, pairs = family(name, level), drawn(name, level)
    contents = {repr(item) for item, _ in pairs}
    assert len(contents) > 181, "of 1,000 alike, 200 draws would meet 181"
    counts = Counter(item.answer for item, _ in pairs)
    expected = 200 / len(env.choices)
    assert set(counts) <= set(env.choices) and max(counts.values()) < expected + 4.5 * math.sqrt(expected) + 2
    if name not in CLICKED:
        best = script.blind([(question, item.answer) for item, question in pairs])
        assert best < env.chance + 0.03 + 4 * math.sqrt(env.chance * (1 - env.chance) / 100)
        assert all(VERIFIERS[env.verifier](item.answer, item.answer).score == 1.0 for item, _ in pairs[:20])
    apart = family(name, level, split="test")
    assert not contents & {repr(item) for item, _ in script.items(apart, 40)}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "level"), EACH)
def test_a_thousand_contents_and_a_blind_guess_within_three_points(name, level, script):
    env = family(name, level)
    pairs = list(script.items(env, 6000))
    assert len({repr(item) for item, _ in pairs}) >= 1000
    if name in CLICKED:
        best = script.blind_click([item for item, _ in pairs])
    else:
        best = script.blind([(question, item.answer) for item, question in pairs])
    assert best <= env.chance + 0.03 + 2 * math.sqrt(env.chance * (1 - env.chance) / 3000)


@pytest.mark.parametrize("name", NAMES)
def test_levels_are_harder(name, script):
    """More answers to choose from, or more to read, see and work out."""
    loads = []
    for level in LEVELS:
        loads.append(script.load(family(name, level), [item for item, _ in drawn(name, level)]))
    assert loads[0] < loads[1] < loads[2]


@pytest.mark.parametrize(("name", "level"), EACH)
def test_what_is_made_for_an_answer_has_that_answer(name, level):
    """Two computations: `make` builds towards the answer, `answer` reads it from the finished content."""
    if name in PROPOSED:
        pytest.skip("contents are proposed at random; their answers are checked by simulation below")
    env = family(name, level)
    rng = np.random.default_rng(5)
    made = 0
    for _ in range(60):
        answer = pick(rng, env.choices)
        item = env.make(rng, answer)
        if item is not None and item.answer != NO_ANSWER:
            assert item.answer == answer
            made += 1
    assert made >= 6


@pytest.mark.parametrize("name", NAMES)
def test_media_tell_contents_apart_at_any_size(name):
    for size in (UNITS, 64, 200):
        found = {}
        for item, medium in shown(name, 2, 6, size):
            assert found.setdefault(medium.digest, item) == item
            match medium:
                case Image():
                    assert medium.size == (size, size)
                case Video():
                    assert medium.frames.shape[1:] == (size, size, 3) and len(medium.frames) % 2 == 0
                case Audio():
                    assert np.abs(medium.samples).max() == pytest.approx(0.5, abs=0.01) and medium.samples[-1] == 0


def test_wrong_settings_say_what_was_meant():
    with pytest.raises(ConfigError, match="level must be one of 1, 2, 3, got 4"):
        family("Clocks", 4)
    with pytest.raises(ConfigError, match="size must be 16 to 2048"):
        family("Clocks", size=4)


def test_a_family_is_one_file(monkeypatch):
    """The example of the page, from its folder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "examples"))
    for level in LEVELS:
        env = make("traffic_light:TrafficLight-v0", level=level).unwrapped
        for seed in range(5):
            env.reset(seed=seed)
            item = env.item(env._task_rng(seed))
            pixels = env.view.images[0].pixels
            column = pixels[:, int(112 * (item.asked - 0.5) / len(item.lit))]
            [seen] = [colour for colour in env.choices if (column == PALETTE[colour]).all(-1).any()]
            assert env.step(seen)[1] == 1.0


# The answer, found again in what is shown.


def test_counted_things_are_so_many_blobs():
    for item, image in shown("Counting", 2, 15):
        assert str(blobs(mask(image.pixels, item.colour))) == item.answer


@pytest.mark.parametrize("level", LEVELS)
def test_the_odd_cell_is_unlike_the_others(level):
    for item, image in shown("OddOneOut", level, 8, size=240):  # 240 pixels are a whole number of 3, 4 and 5 cells
        cell = 240 // item.side
        cells = image.pixels.reshape(item.side, cell, item.side, cell, 3).swapaxes(1, 2).reshape(-1, cell, cell, 3)
        away = [np.mean([np.abs(one.astype(int) - other).mean() for other in cells]) for one in cells]
        assert str(int(np.argmax(away)) + 1) == item.answer


def _directions(pixels, colour, least):
    """Degrees from the right, clockwise, of the pixels of a colour that are at least so far from the middle."""
    y, x = (np.argwhere(mask(pixels, colour)) + 0.5 - UNITS / 2).T
    return np.degrees(np.arctan2(y, x))[np.hypot(x, y) > least]


def test_angles_are_drawn_to_scale():
    for item, image in shown("Angles", 3, 15):
        turned = (_directions(image.pixels, item.colour, 22) - item.turn - item.degrees / 2 + 180) % 360 - 180
        assert turned[turned > 0].mean() - turned[turned < 0].mean() == pytest.approx(item.degrees, abs=2)


def test_needles_point_at_the_mark():
    for item, image in shown("Dials", 2, 15):
        turned = (_directions(image.pixels, item.colour, 20) + 90 - item.turn + 180) % 360 - 180
        assert str(round((turned.mean() + 135) / 270 * item.most)) == item.answer


@pytest.mark.parametrize("level", LEVELS)
def test_areas_are_as_many_pixels(level):
    for item, image in shown("Areas", level, 8, size=448):
        scale = 4 * item.unit
        plain = (image.pixels != 246).any(-1) & ~(np.ptp(image.pixels.astype(int), axis=-1) < 5)
        assert plain.sum() / scale**2 == pytest.approx(area(item.kind, item.sides), rel=0.07)


def test_similar_triangles_are_drawn_to_scale():
    for item, image in shown("SimilarTriangles", 3, 12, size=448):
        small, large = (mask(image.pixels, colour).sum() for colour in item.colours)
        if item.colours[0] != item.colours[1]:
            assert large / small == pytest.approx(float(item.ratio) ** 2, rel=0.12)


@pytest.mark.parametrize("level", LEVELS)
def test_the_answered_formula_is_the_drawn_one(level):
    x = np.linspace(-4.5, 4.5, 61)
    for item, image in shown("Formulas", level, 8, size=224):
        ink = mask(image.pixels, item.colour)
        scores = []
        for formula in item.offered:
            y = formulas(level)[formula](x)
            seen = np.abs(y) < 4.7
            columns, rows = ((UNITS / 2 + STEP * each[seen]) * 2 for each in (x, -y))
            scores.append(ink[rows.astype(int), columns.astype(int)].mean() if seen.any() else 0)
        assert LETTERS[int(np.argmax(scores))] == item.answer and max(scores) > 0.9


@pytest.mark.parametrize("level", LEVELS)
def test_graphs_pass_through_their_values(level):
    for item, image in shown("FunctionValues", level, 12, size=224):
        row, column = (int((UNITS / 2 + STEP * each) * 2) for each in (-int(item.answer), item.x))
        assert mask(image.pixels[row - 3 : row + 4, column - 1 : column + 2], item.colour).any()
        assert item.answer.lstrip("-").isdecimal() and f"x = {item.x}" in item.questions[0]


def test_bars_are_as_high_as_their_values():
    for item, image in shown("BarCharts", 2, 12):
        heights = mask(image.pixels, item.colour).sum(0)
        runs = [run for run in np.split(heights, np.flatnonzero(np.diff(heights > 0)) + 1) if run[0]]
        tops = [int(run.max()) for run in runs]
        assert len(tops) == 5 and LETTERS[tops.index(max(tops) if item.rank == "highest" else min(tops))] == item.answer


def test_slices_cover_their_shares():
    for item, image in shown("PieCharts", 2, 12):
        seen = {colour: int(mask(image.pixels, colour).sum()) for colour in item.colours}
        assert (max if item.rank == "highest" else min)(seen, key=seen.get) == item.answer


def test_lines_are_highest_where_they_say():
    for item, image in shown("LineCharts", 1, 12):
        rows, columns = np.nonzero(mask(image.pixels, item.colours[0]))
        assert LETTERS[int((columns[rows.argmin()] - 16) / (92 / 4))] == item.answer


def test_charts_show_real_rows():
    from sklearn.datasets import load_iris

    for item, _ in shown("BarCharts", 3, 40):
        if item.name == "petal":
            assert set(item.values) <= set(load_iris().data[:, 2])


def test_hands_point_at_the_time():
    for item, image in shown("Clocks", 3, 12, size=224):
        for turn, share in ((30 * item.hour + item.minute / 2, 0.4), (6 * item.minute, 0.65)):
            x = item.x + share * item.radius * math.sin(math.radians(turn))
            y = item.y - share * item.radius * math.cos(math.radians(turn))
            assert tuple(image.pixels[int(2 * y), int(2 * x)]) == INK


def test_open_ways_lead_to_the_answer_alone():
    for item, image in shown("Mazes", 2, 6):
        open_, cell = ~mask(image.pixels, INK), (UNITS - 4) / item.side
        for y, x in ((at // item.side, at % item.side) for at in item.goals):  # letters are no walls
            open_[round(2 + y * cell) + 3 : round(2 + (y + 1) * cell) - 2, round(2 + x * cell) + 3 :][
                :, : round(cell) - 5
            ] = True
        spots = [[int(2 + (each + 0.5) * cell) for each in divmod(at, item.side)] for at in (item.start, *item.goals)]
        reached, stack = np.zeros_like(open_), [tuple(spots[0])]
        while stack:
            y, x = stack.pop()
            if open_[y, x] and not reached[y, x]:
                reached[y, x] = True
                stack += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        assert [LETTERS[index] for index, (y, x) in enumerate(spots[1:]) if reached[y, x]] == [item.answer]


def test_walks_end_on_the_colour_that_is_there():
    for item, image in shown("Walks", 3, 10):
        x, y = item.start % item.side, item.start // item.side
        for word in item.questions[0].split(" go ")[1].split(". ")[0].split(", "):
            x, y = x + (word == "right") - (word == "left"), y + (word == "down") - (word == "up")
        cell = UNITS / item.side
        corner = image.pixels[int(y * cell) + 3, int(x * cell) + 3]
        assert tuple(corner) == PALETTE[item.answer]


def test_roads_are_counted_by_another_algorithm():
    """Floyd and Warshall."""
    for item, _ in shown("RoadMaps", 3, 12):
        count = len(item.places)
        away = np.full((count, count), np.inf)
        np.fill_diagonal(away, 0)
        for one, other in item.roads:
            away[one, other] = away[other, one] = 1
        for middle in range(count):
            away = np.minimum(away, away[:, [middle]] + away[[middle]])
        assert away[item.start, item.end] == int(item.answer)


def test_every_completion_of_a_latin_square_has_the_digit():
    for item, _ in shown("LatinSquares", 2, 10):
        used = item.seen[2]
        fits = [
            [row for row in permutations(used) if all(a in ("?", ".", b) for a, b in zip(line, row, strict=True))]
            for line in item.rows
        ]
        row, column = item.place
        squares = [[]]
        for rows in fits:
            squares = [
                [*above, each]
                for above in squares
                for each in rows
                if all(one != other for line in above for one, other in zip(line, each, strict=True))
            ]
        assert squares and {square[row][column] for square in squares} == {item.answer}


def test_patterns_are_seen_as_they_are_made():
    for item, image in shown("Patterns", 1, 10):
        colours = {look[1] for look in item.cells if look}
        assert all(mask(image.pixels, colour).any() == (colour in colours) for colour in PALETTE)
        x, y = (UNITS // 3 * each for each in (item.cells.index(None) % 3, item.cells.index(None) // 3))
        assert not any(mask(image.pixels[y : y + 36, x : x + 36], colour).any() for colour in PALETTE)


@pytest.mark.parametrize("level", LEVELS)
def test_the_piece_that_fits_is_the_one_that_was_cut_out(level):
    from saccade.envs.qa.canvas import Canvas

    for item, image in shown("Jigsaws", level, 6):
        whole = item.texture(Canvas(UNITS))
        (x, y), side = item.hole, item.side
        assert (image.pixels[y + 2 : y + side - 2, x + 2 : x + side - 2] == PALE).all()
        away = []
        for index in range(len(item.pieces)):
            left = round((index + 0.5) * UNITS / len(item.pieces) - side / 2)
            piece = image.pixels[87 : 87 + side, left : left + side]
            away.append(np.abs(piece - whole[y : y + side, x : x + side]).mean())
        assert LETTERS[int(np.argmin(away))] == item.answer and min(away) < 1 and sorted(away)[1] > 4


def test_digits_of_a_sum_are_real_and_of_one_split():
    labels = {digit.ink: digit.label for digit in digits()}
    seen = {}
    for split in ("train", "test"):
        env = family("DigitSums", 3, split=split)
        seen[split] = set()
        for seed in range(10):
            env.reset(seed=seed)
            total = 0
            for x, y in ((4, 4), (60, 4), (4, 60), (60, 60)):
                block = env.view.images[0].pixels[y : y + 48 : 6, x : x + 48 : 6, 0]
                ink = np.rint((255 - block.astype(float)) * 16 / 255).astype(np.uint8).tobytes()
                seen[split].add(ink)
                total += labels[ink]
            assert str(total) == next(env.demo()).action
    assert not seen["train"] & seen["test"]


@pytest.mark.parametrize("level", LEVELS)
def test_things_move_the_way_that_is_answered(level):
    for item, film in shown("Motions", level, 6):
        first = item.movers[0]
        if sum(each.colour == first.colour for each in item.movers) > 1:
            continue
        middles = np.array([np.argwhere(mask(frame, first.colour)).mean(0) for frame in film.frames])
        steps = np.diff(middles, axis=0).mean(0)
        words = [("down" if steps[0] > 0 else "up") if abs(steps[0]) > 2 else ""]
        words += [("right" if steps[1] > 0 else "left") if abs(steps[1]) > 2 else ""]
        assert " ".join(filter(None, words)) == item.answer


def test_the_first_frame_does_not_tell_the_direction():
    starts = {}
    for item, _ in shown("Motions", 1, 200):
        starts.setdefault(item.answer, []).append((item.movers[0].x, item.movers[0].y))
    assert all(np.abs(np.mean(each, axis=0) - 56).max() < 4 for each in starts.values())


def test_colours_come_in_the_order_that_is_asked():
    for item, film in shown("Orders", 3, 8):
        order = [next(colour for colour in PALETTE if mask(frame, colour).any()) for frame in film.frames]
        word = item.questions[0].split()[-1].rstrip("?")
        assert order[["first", "second", "third", "fourth", "fifth", "last"].index(word)] == item.answer


def test_lamps_go_on_as_often_as_answered():
    for item, film in shown("Blinks", 3, 5):
        lit = np.array([mask(frame, item.colours[0]).any() for frame in film.frames]).astype(int)
        assert str(int((np.diff(lit, prepend=0) == 1).sum())) == item.answer


def _heard(audio):
    """(start, seconds, hertz) of each tone, from the samples."""
    loud = np.abs(audio.samples) > 0.02
    quiet = np.convolve(loud, np.ones(400), "same") > 0  # 25 ms bridge the zero crossings
    edges = np.flatnonzero(np.diff(quiet.astype(int), prepend=0, append=0))
    for start, stop in edges.reshape(-1, 2):
        part = audio.samples[start:stop]
        crossings = np.flatnonzero((part[:-1] <= 0) & (part[1:] > 0))
        yield (stop - start) / audio.rate, (len(crossings) - 1) / (np.ptp(crossings) / audio.rate)


def test_beeps_are_heard():
    for level in LEVELS:
        for item, audio in shown("Beeps", level, 5):
            tones = [hertz for _, hertz in _heard(audio) if level < 3 or hertz > 900]
            assert str(len(tones)) == item.answer


def test_tunes_are_heard():
    for level in LEVELS:
        for item, audio in shown("Tunes", level, 5):
            tones = list(_heard(audio))
            values = [length if item.which == "longest" else hertz for length, hertz in tones]
            best = values.index((min if item.which == "lowest" else max)(values))
            assert str(best + 1) == item.answer


@pytest.mark.parametrize("level", LEVELS)
def test_clicks_count_inside_of_the_control_alone(level):
    env = family("PagePoint", level, size=224)
    for seed in range(6):
        env.reset(seed=seed)
        box = env._target
        x, y, right, bottom = (2 * each for each in (box.x, box.y, box.x + box.width, box.y + box.height))
        clicks = {(x, y): 1, (right - 1, bottom - 1): 1, (x - 1, y): 0, (x, bottom): 0, (right, y): 0}
        for (across, down), score in clicks.items():
            env.reset(seed=seed)
            assert box.word in env.view.text
            assert env.step(f"click({across}, {down})")[1] == score
        screen = env.item(env._task_rng(seed))
        assert sum(each.name == box.name for each in screen.controls) == 1


def test_beams_tip_by_signed_moments():
    for level in LEVELS:
        for item, _ in shown("Levers", level, 12):
            moment = sum(at * mass for at, mass in item.weights)
            assert item.answer == ("left" if moment < 0 else "right" if moment > 0 else "neither")
            assert len(item.weights) == 2 * level


def test_balls_land_where_a_simulation_says():
    """The ball goes down in steps of a quarter unit; a line that it would cross stops it, and it slides to the end."""
    for item, _ in shown("Ramps", 3, 15):
        x, y = float(item.ball), 6.0
        while y < 94:
            on = [
                ramp
                for ramp in item.ramps
                if ramp.left < x < ramp.right
                and 0 <= ramp.y - ramp.rise + 2 * ramp.rise * (x - ramp.left) / (ramp.right - ramp.left) - y < 0.25
            ]
            if on:
                x = on[0].right + 3.0 if on[0].rise > 0 else on[0].left - 3.0
                y = on[0].y + abs(on[0].rise)
            y += 0.25
        assert LETTERS[int(x * item.cups / UNITS)] == item.answer


def test_belts_turn_by_parity():
    for item, _ in shown("Pulleys", 3, 12):
        turned = item.clockwise ^ (sum(item.crossed) % 2 == 1)
        assert item.answer == ("clockwise" if turned else "anticlockwise")


def test_signs_can_be_read_letter_by_letter():
    from saccade.envs.qa.font import LETTERS as FONT

    for item, image in shown("SignReading", 3, 6):
        sign = item.signs[0]
        board = np.argwhere(mask(image.pixels, sign.colour))
        (top, left), (bottom, right) = board.min(0), board.max(0) + 1
        ink = ~mask(image.pixels, sign.colour)[top:bottom, left:right]
        assert ink.shape[0] == 12
        rows, columns = np.nonzero(ink)
        read = ""
        first = round(sign.x - (6 * len(sign.word) - 1) / 2) - left
        line = ink[round(sign.y - 3.5) - top :, first:]
        for index in range(len(sign.word)):
            dots = line[:8, 6 * index : 6 * index + 5]
            read += next(letter for letter, shape in FONT.items() if np.array_equal(shape[: len(dots)] > 0, dots))
        assert read == item.answer and rows.size and columns.size
