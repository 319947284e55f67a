import pytest

from saccade.agents.load import load_model, saved_agent_config
from saccade.agents.runner import Runner
from saccade.agents.tiny import TinyConfig
from saccade.envs.errors import ConfigError
from saccade.rl.sft import SFTConfig, WarmStart
from saccade.rl.tiny_start import GrowConfig, corpus, grow


def test_a_warm_start_is_saved_with_its_way_of_writing(taught_path):
    assert saved_agent_config(taught_path).coordinates == "location-tokens"
    backbone, chat = load_model(taught_path)
    assert backbone.vocabulary == chat.vocabulary


def test_a_warm_start_stops_at_its_target(agent, learner, walk, monkeypatch):
    """Success is measured every second step and found to be a tenth of the step: .2, .4."""
    demos = Runner(agent, policy="demo")
    config = SFTConfig(steps=99, batch=2, pool=4, check_every=2, target=0.35)
    warm = WarmStart(agent, learner(kl_coef=0), [walk], demos, Runner(agent), config)
    monkeypatch.setattr(warm, "_success", lambda step: {"sft/success/walk": step / 10})
    assert warm.run()["sft/steps"] == 4
    demos.close()


def test_batches_see_every_episode_once_a_round(agent, learner, walk):
    warm = WarmStart(agent, learner(kl_coef=0), [walk], Runner(agent), Runner(agent), SFTConfig(batch=2, pool=6))
    batches = warm._batches([[index] for index in range(6)])
    rounds = [[item for _ in range(3) for item in next(batches)] for _ in range(2)]
    assert sorted(rounds[0]) == sorted(rounds[1]) == list(range(6))
    assert rounds[0] != rounds[1]


def test_a_demonstration_that_fails_is_an_error(agent, learner, walk, monkeypatch):
    import grid_walk

    from saccade.envs.episode import Demo

    def wrong(self):
        while True:
            yield Demo('move("left")')

    monkeypatch.setattr(grid_walk.GridWalk, "demo", wrong)
    demos = Runner(agent, policy="demo")
    warm = WarmStart(agent, learner(kl_coef=0), [walk], demos, Runner(agent), SFTConfig(batch=4, pool=8))
    with pytest.raises(ConfigError, match="mend the environment's demo"):
        warm.run()
    demos.close()


def test_a_warm_start_that_fails_leaves_no_model(tmp_path, monkeypatch):
    monkeypatch.setattr(WarmStart, "run", lambda self, report: 1 / 0)
    out = tmp_path / "model"
    with pytest.raises(ZeroDivisionError):
        grow(GrowConfig(("grid_walk:GridWalk-v0",), str(out)))
    assert not out.exists()


def test_a_lost_demonstration_is_passed_over_and_many_are_an_error(agent, learner, walk, monkeypatch):
    import grid_walk

    from saccade.envs.errors import WorldFailure

    act, calls = grid_walk.GridWalk.act, {"count": 0}

    def break_every(number):
        def breaking(self, call):
            calls["count"] += 1
            if calls["count"] % number == 0:
                raise WorldFailure("gone")
            return act(self, call)

        return breaking

    demos = Runner(agent, policy="demo")
    warm = WarmStart(agent, learner(kl_coef=0), [walk], demos, Runner(agent), SFTConfig(batch=4, pool=24))
    monkeypatch.setattr(grid_walk.GridWalk, "act", break_every(50))
    assert 22 <= len(warm._demonstrations()) < 24
    monkeypatch.setattr(grid_walk.GridWalk, "act", break_every(4))
    with pytest.raises(WorldFailure, match="demonstrations were lost"):
        warm._demonstrations()
    demos.close()


def test_the_corpus_holds_the_words_of_the_world(walk):
    text = " ".join(corpus([walk], tasks=2))
    assert "Reach the ring." in text and "go " in text and "move(" in text


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"check_every": 0}, "check_every"),
        ({"batch": 9, "pool": 8}, "batch"),
        ({"target": 0}, "target"),
        ({"target": 2}, "target"),
    ],
)
def test_bad_settings_are_refused(bad, message):
    with pytest.raises(ConfigError, match=message):
        SFTConfig(**bad)


def test_a_model_is_not_overwritten(tiny_path):
    with pytest.raises(ConfigError, match="holds a model already"):
        grow(GrowConfig(("grid_walk:GridWalk-v0",), str(tiny_path)))


def test_a_given_model_goes_on_from_what_it_knows(taught_path, tmp_path):
    sft = SFTConfig(steps=2, batch=8, pool=16, check_every=2, check_tasks=8, target=1, learning_rate=1e-6)
    metrics = grow(GrowConfig(("grid_walk:GridWalk-v0",), str(tmp_path / "more"), model=str(taught_path), sft=sft))
    fresh = grow(GrowConfig(("grid_walk:GridWalk-v0",), str(tmp_path / "fresh"), tiny=TinyConfig(layers=2), sft=sft))
    assert metrics["sft/loss"] < 0.5 * fresh["sft/loss"]
    assert saved_agent_config(tmp_path / "more") == saved_agent_config(taught_path)
    load_model(tmp_path / "more")
