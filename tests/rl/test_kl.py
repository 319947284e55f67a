import pytest

from saccade.envs.errors import ConfigError
from saccade.rl.kl import KLConfig, KLController, adapted, linear


def test_adaptive_control_by_hand():
    # 100 of 1000 rows: a tenth of the error, which is held at .2
    assert adapted(0.1, 0.2, target=0.1, rows=100, horizon=1000) == pytest.approx(0.1 * 1.02)
    assert adapted(0.1, 0.11, target=0.1, rows=100, horizon=1000) == pytest.approx(0.1 * 1.01)
    assert adapted(0.1, 0.0, target=0.1, rows=100, horizon=1000) == pytest.approx(0.1 * 0.98)
    assert adapted(0.1, 5.0, target=0.1, rows=9000, horizon=1000) == pytest.approx(0.12)


def test_adaptive_control_finds_its_target():
    """A policy whose divergence falls with the weight settles where it is the target."""
    controller = KLController(KLConfig(control="adaptive", target=0.05, horizon=100), 0.001)
    for _ in range(300):
        controller.observe(0.001 / controller.coefficient(0.5), rows=50)
    assert controller.coefficient(0.5) == pytest.approx(0.02, rel=0.05)


def test_linear_control_by_hand():
    assert [linear(0.0, 0.1, done) for done in (0.0, 0.25, 1.0, 1.5)] == pytest.approx([0.0, 0.025, 0.1, 0.1])
    controller = KLController(KLConfig(control="linear", final=0.1), 0.0)
    controller.observe(9.0, rows=1)
    assert controller.needed and controller.coefficient(0.5) == pytest.approx(0.05)


def test_fixed_control_never_moves():
    controller = KLController(KLConfig(), 0.03)
    controller.observe(9.0, rows=1)
    assert controller.coefficient(0.0) == controller.coefficient(1.0) == 0.03
    assert not KLController(KLConfig(), 0.0).needed


def test_bad_settings_are_refused():
    for bad, message in (
        ({"estimator": "k4"}, "unknown kl.estimator"),
        ({"control": "adaptiv"}, "did you mean 'adaptive'"),
        ({"estimator": "k1"}, "goes with kl.estimator 'k1'"),
        ({"place": "reward"}, "goes with kl.estimator 'k1'"),
        ({"target": 0.0}, "target > 0"),
        ({"decay": 1.0}, "kl.decay"),
    ):
        with pytest.raises(ConfigError, match=message):
            KLConfig(**bad)
    with pytest.raises(ConfigError, match="must be > 0, got 0"):
        KLController(KLConfig(control="adaptive"), 0.0)
