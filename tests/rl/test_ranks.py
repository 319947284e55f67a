import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from saccade.envs.errors import ConfigError
from saccade.rl.ranks import RankError, Ranks, in_ranks


def test_alone_nothing_is_sent():
    values = [torch.tensor([1.0, 2.0])]
    Ranks().sum(values)
    assert values[0].tolist() == [1.0, 2.0]
    assert Ranks().total({"a": 3.0}) == {"a": 3.0}


def test_a_rank_must_be_one_of_them():
    with pytest.raises(ConfigError, match="between 0 and 1, got 2"):
        Ranks(2, 2)


def add_up(ranks, folder):
    tensors = [torch.full((2, 3), float(ranks.rank + 1)), torch.tensor([10.0 * (ranks.rank + 1)])]
    ranks.sum(tensors)
    total = ranks.total({"loss": ranks.rank + 0.5, "gap/max": float(ranks.rank)})
    (folder / f"{ranks.rank}").write_text(f"{tensors[0].tolist()} {tensors[1].tolist()} {sorted(total.items())}")


def test_ranks_add_tensors_and_metrics(tmp_path):
    in_ranks(2, add_up, tmp_path, meeting=tmp_path / "meeting")
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text()
    assert (tmp_path / "0").read_text() == f"{[[3.0] * 3] * 2} [30.0] [('gap/max', 1.0), ('loss', 2.0)]"


def fail(ranks):
    if ranks.rank == 1:
        raise ValueError("broken")
    ranks.total({"a": 1.0})


def test_a_rank_that_fails_ends_them_all(tmp_path):
    with pytest.raises(RankError, match="of 2 ended with status 1"):
        in_ranks(2, fail, meeting=tmp_path / "meeting")


def linger(ranks, folder):
    (folder / f"{ranks.rank}.partial").write_text(str(os.getpid()))
    (folder / f"{ranks.rank}.partial").rename(folder / f"{ranks.rank}")
    time.sleep(90)


def runs(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc")
def test_ranks_end_with_the_process_that_started_them(tmp_path):
    """Even where it is killed and can stop nobody; else they would go on beside the run that is resumed."""
    script = (
        "from pathlib import Path; from test_ranks import linger; from saccade.rl.ranks import in_ranks; "
        f"folder = Path({str(tmp_path)!r}); in_ranks(2, linger, folder, meeting=folder / 'meeting')"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": paths})
    deadline = time.monotonic() + 50
    while not all((tmp_path / name).exists() for name in "01") and time.monotonic() < deadline:
        time.sleep(0.1)
    pids = [int((tmp_path / name).read_text()) for name in "01"]
    assert all(map(runs, pids))
    parent.kill()
    parent.wait()
    while any(map(runs, pids)) and time.monotonic() < deadline + 10:
        time.sleep(0.1)
    assert not any(map(runs, pids))


def idle(ranks, path):
    """Rank 1 has no row; all ranks hear of it."""
    from saccade.agents.load import load_model
    from saccade.rl.learner import Learner, LearnerConfig

    learner = Learner(*load_model(path), LearnerConfig(kl_coef=0), 1, ranks=ranks)
    row = SimpleNamespace(tokens=3, taught=3, episode=None)
    with pytest.raises(ConfigError, match="each of 2 ranks needs a row, 1 of them got none"):
        learner.imitate([row] * (1 - ranks.rank))


def test_a_rank_without_rows_is_an_error_and_no_hang(tiny_path, tmp_path):
    in_ranks(2, idle, tiny_path, meeting=tmp_path / "meeting")


def half(ranks, path, folder):
    """Imitate this rank's share of eight captions; write the weights down."""
    from saccade.agents.agent import Agent
    from saccade.agents.engines.transformers import TransformersEngine
    from saccade.agents.load import load_model, saved_agent_config
    from saccade.envs.observation import Image
    from saccade.rl.critic import CriticConfig
    from saccade.rl.learner import Learner, LearnerConfig
    from saccade.rl.lessons import Tutor, row_of

    torch.set_num_threads(1)
    backbone, chat = load_model(path)
    agent = Agent(TransformersEngine(backbone, chat.media), chat, saved_agent_config(path))
    tutor = Tutor(agent)
    rows = []
    for index in range(8):
        picture = Image(np.full((32, 32, 3), 20 * index, np.uint8))
        rows.append(row_of(tutor.caption(picture, "dot " * (index + 1))))
    # SGD-like: one AdamW step hides the size of a gradient, so the gradient itself is compared too.
    learner = Learner(backbone, chat, LearnerConfig(kl_coef=0, warmup=1, max_grad_norm=1e9), 10, ranks=ranks)
    metrics = learner.imitate(rows[ranks.rank :: ranks.size])
    gradient = torch.cat([p.grad.flatten() for p in learner.parameters.values()])
    # Then a policy step whose mean is over rows, with a critic that has a target at every second token.
    critic = CriticConfig("shared", clip=0.0)
    settings = LearnerConfig(loss="reinforce", aggregation="sequence-mean", critic=critic, max_grad_norm=1e9)
    policy = Learner(backbone, chat, settings, 10, ranks=ranks)
    taught = []
    for index, row in enumerate(rows):
        targets = np.where(np.arange(row.tokens) % 2, np.nan, float(index))
        taught.append(
            replace(row, advantages=np.full(row.tokens, index - 3.5), values=np.zeros(row.tokens), targets=targets)
        )
    policy.step(taught[ranks.rank :: ranks.size])
    both = [*policy.parameters.values(), *policy.critic.parameters.values()]
    taught_gradient = torch.cat([p.grad.flatten() for p in both])
    found = {"gradient": gradient, "loss": metrics["sft/loss"], "policy": taught_gradient}
    torch.save(found, folder / f"{ranks.size}-{ranks.rank}.pt")
    agent.engine.close()


def test_two_ranks_have_the_gradient_of_one_batch(tiny_path, tmp_path):
    """Rows of unlike length: denominators are those of all ranks together."""
    in_ranks(1, half, tiny_path, tmp_path, meeting=tmp_path / "one")
    in_ranks(2, half, tiny_path, tmp_path, meeting=tmp_path / "two")
    whole, first, second = (torch.load(tmp_path / f"{name}.pt") for name in ("1-0", "2-0", "2-1"))
    for name in ("gradient", "policy"):
        assert torch.equal(first[name], second[name])
        assert (first[name] - whole[name]).abs().max() / whole[name].abs().max() < 1e-5
    assert first["loss"] == pytest.approx(whole["loss"], rel=1e-5)
