import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from saccade.agents.agent import AgentConfig
from saccade.agents.tiny import TinyConfig
from saccade.envs.errors import ConfigError
from saccade.rl.courses import BLOCK, Course, Stream
from saccade.rl.curve import Curve, read_curve
from saccade.rl.lessons import Tutor
from saccade.rl.pretrain import PretrainConfig, pretrain

SMALL = PretrainConfig(
    courses=(Course("grid_walk:GridWalk-v0", 2, pool=6), Course("saccade/Shapes-v0?level=1", 2)),
    steps=6,
    ranks=1,
    tiny=TinyConfig(layers=2, merges=40),
    agent=AgentConfig(coordinates="location-tokens", max_reply_tokens=16, explain=False),
    warmup=1,
    save_every=3,
    check_every=6,
    check_tasks=2,
)


def losses(folder):
    return [line["sft/loss"] for line in read_curve(Path(folder) / "curve.jsonl")]


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """A whole small run."""
    config = dataclasses.replace(SMALL, out=str(tmp_path_factory.mktemp("school") / "run"))
    pretrain(config)
    return config


def test_a_run_ends_with_a_model(school):
    from saccade.agents.load import load_model, saved_agent_config

    model = Path(school.out) / "model"
    assert saved_agent_config(model) == school.agent
    backbone, chat = load_model(model)
    assert backbone.vocabulary == chat.vocabulary
    assert len(losses(school.out)) == 6
    assert losses(school.out)[-1] < losses(school.out)[0]
    assert set(read_curve(Path(school.out) / "curve.jsonl")[-1]) >= {"success/saccade/Shapes-v0?level=1", "time/learn"}


def test_a_part_of_it_repeats_the_curve_bit_for_bit(school, tmp_path):
    """And one that was stopped goes on as if it had not been."""
    config = dataclasses.replace(school, out=str(tmp_path / "again"))
    pretrain(config, stop_at=3)
    assert losses(config.out) == losses(school.out)[:3]
    assert not (tmp_path / "again" / "model").exists()
    pretrain(config, resume=True)
    assert losses(config.out) == losses(school.out)
    weights = [(Path(folder) / "model" / "model.safetensors").read_bytes() for folder in (config.out, school.out)]
    assert weights[0] == weights[1]


def test_two_ranks_go_on_where_they_stopped(tmp_path):
    config = dataclasses.replace(SMALL, ranks=2, steps=2, check_every=9, courses=SMALL.courses[:1])
    for name, stops in (("whole", (0,)), ("stopped", (1, 0))):
        for stop in stops:
            pretrain(dataclasses.replace(config, out=str(tmp_path / name)), resume=True, stop_at=stop)
    assert losses(tmp_path / "whole") == losses(tmp_path / "stopped")


def test_a_run_is_not_overwritten_and_not_mixed_with_another(school):
    with pytest.raises(ConfigError, match="holds a run already"):
        pretrain(school)
    with pytest.raises(ConfigError, match="belongs to recipe"):
        pretrain(dataclasses.replace(school, seed=1), resume=True)
    with pytest.raises(ConfigError, match="between 0 and 6 steps, got 7"):
        pretrain(school, resume=True, stop_at=7)


def test_a_recipe_killed_before_its_first_checkpoint_is_not_taken_for_another(tmp_path):
    config = dataclasses.replace(SMALL, out=str(tmp_path / "run"), save_every=99)
    pretrain(config, stop_at=1)
    for folder in (tmp_path / "run" / "checkpoints").iterdir():
        shutil.rmtree(folder)
    with pytest.raises(ConfigError, match="belongs to recipe"):
        pretrain(dataclasses.replace(config, tiny=TinyConfig(layers=3, merges=40)), resume=True)


def test_a_torn_line_does_not_count(tmp_path):
    path = tmp_path / "curve.jsonl"
    path.write_text('{"step": 1, "sft/loss": 2.5}\n{"step": 2, "sft/lo')
    assert read_curve(path) == [{"step": 1, "sft/loss": 2.5}]
    Curve(path, 9).add(2, {"sft/loss": 2.25})
    assert [line["sft/loss"] for line in read_curve(path)] == [2.5, 2.25]


def test_courses_have_a_span_and_a_rhythm(agent):
    course = Course("saccade/Digits-v0", 1, span=(0.25, 0.75), every=2)
    stream = Stream(course, Tutor(agent), 8, 0, 0)
    assert [step for step in range(8) if stream.rows(step)] == [2, 4]
    with pytest.raises(ConfigError, match="two growing shares"):
        Course("saccade/Digits-v0", span=(0.5, 0.5))
    with pytest.raises(ConfigError, match="every must be >= 1, got 0"):
        Course("saccade/Digits-v0", every=0)


def test_another_recipe_has_another_name():
    names = {
        SMALL.run_id,
        dataclasses.replace(SMALL, seed=1).run_id,
        dataclasses.replace(SMALL, courses=SMALL.courses[:1]).run_id,
    }
    assert len(names) == 3
    assert dataclasses.replace(SMALL, out="elsewhere", save_every=9).run_id == SMALL.run_id


@pytest.mark.parametrize("pool", [0, 5])
def test_lessons_are_a_function_of_the_step(agent, pool):
    course = Course("saccade/Shapes-v0?level=1", 2, pool=pool)

    def ids(stream, step):
        return [row.sample.ids.tolist() for row in stream.rows(step)]

    one, two = Stream(course, Tutor(agent), 99, 0, 0), Stream(course, Tutor(agent), 99, 0, 0)
    other_rank, other_seed = Stream(course, Tutor(agent), 99, 0, 1), Stream(course, Tutor(agent), 99, 1, 0)
    steps = [0, 1, BLOCK, BLOCK + 1]
    in_order = {step: ids(one, step) for step in steps}
    assert {step: ids(two, step) for step in reversed(steps)} == in_order
    assert {step: ids(other_rank, step) for step in steps} != in_order
    assert {step: ids(other_seed, step) for step in steps} != in_order
    assert pool or len({str(value) for value in in_order.values()}) == len(steps)


def test_two_courses_of_one_environment_teach_other_tasks(agent):
    courses = (Course("saccade/Shapes-v0", 3, span=(0.0, 0.5)), Course("saccade/Shapes-v0", 3))
    one, two = (Stream(course, Tutor(agent), 9, 0, 0) for course in courses)
    assert one._seeds(0) != two._seeds(0)


def test_ranks_with_a_pool_have_tasks_of_their_own(agent):
    streams = [Stream(Course("saccade/Digits-v0", 3, pool=4), Tutor(agent), 99, 0, rank) for rank in (0, 1)]
    drawn = [{seed for step in range(20) for seed in stream._seeds(step)} for stream in streams]
    assert drawn == [{0, 1, 2, 3}, {4, 5, 6, 7}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"courses": ()}, "at least one environment"),
        ({"steps": 0}, "steps must be >= 1"),
        ({"ranks": 0}, "ranks"),
        ({"micro_batch_tokens": 0}, "micro_batch_tokens must be >= 1"),
    ],
)
def test_bad_recipes(change, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(SMALL, **change)


def test_bad_courses():
    with pytest.raises(ConfigError, match="tasks must be >= 1, got 0"):
        Course("saccade/Digits-v0", 0)
    with pytest.raises(ConfigError, match="pool must be >= 0"):
        Course("saccade/Digits-v0", pool=-1)


def test_curves_are_compared(tmp_path, capsys):
    from pretrain_tiny import compare

    rng = np.random.default_rng(0)
    losses = rng.normal(2, 0.2, size=60)

    def write(name, values):
        lines = [f'{{"step": {step}, "sft/loss": {value}}}\n' for step, value in enumerate(values)]
        (tmp_path / name).write_text("".join(lines))
        return tmp_path / name

    recorded = write("recorded", losses)
    assert compare(write("same", losses[:20]), recorded)
    assert "equal bit for bit" in capsys.readouterr().out
    assert compare(write("near", losses[:30] * 1.005), recorded)
    assert not compare(write("far", losses[:30] * 1.05), recorded)
    assert not compare(write("none", []), recorded)
