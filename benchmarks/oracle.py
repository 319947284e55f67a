"""How far is each estimator and loss from the gradient that it stands for? No sampling: every sequence is enumerated.

    python benchmarks/oracle.py                                # prints the table
    python benchmarks/oracle.py --write docs/algorithms.md     # ... and puts it into the page

A policy over 3 tokens, one of which ends a sequence, and at most 3 steps; every step has a random reward, every prefix
logits of its own. The true gradient of the mean return (minus a KL divergence) is computed from all 15 sequences; the
mean of an estimate from all groups of 3 of them, each with its probability. The functions are those that train models.

`scale` is how long the mean of the estimate is along the true gradient, `angle` how far it points away from it, in
degrees. An unbiased estimate has 1 and 0; one with another scale and 0 degrees takes other steps in the same direction.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, product

import numpy as np
import torch
import tyro
from page import markdown_table, write_section
from torch import Tensor

from saccade.rl.advantages import ADVANTAGES
from saccade.rl.appraisal import RECURSIONS, appraise
from saccade.rl.losses import DIVERGENCES, LOSSES, Clip, token_weights
from saccade.rl.mismatch import CorrectionConfig, importance
from saccade.rl.rollouts import Rollouts

GROUP = 3
SEEDS = 5
DRIFT = 0.5
"""Size of the difference between a policy and another one: the reference, the sampler, or the policy after a step."""


class Oracle:
    """A policy small enough to know everything about.

    Attributes:
        sequences: all S sequences of at most L tokens; token 0 ends one.
        states, tokens, mask: [S, L], number of the prefix before each token, the token, whether it is there.
        theta: float64 [prefixes, tokens], the logits.
        rewards: [S, L] of each step.
    """

    def __init__(self, seed: int, vocabulary: int = 3, length: int = 3) -> None:
        generator = torch.Generator().manual_seed(seed)
        stopped = {
            word[: word.index(0) + 1] if 0 in word else word for word in product(range(vocabulary), repeat=length)
        }
        self.sequences = sorted(stopped)
        self.prefixes = sorted({word[:step] for word in self.sequences for step in range(len(word))})
        number = {prefix: index for index, prefix in enumerate(self.prefixes)}
        shape = len(self.sequences), length
        self.states, self.tokens = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        self.mask = torch.zeros(shape, dtype=torch.bool)
        for row, word in enumerate(self.sequences):
            for step, token in enumerate(word):
                self.states[row, step], self.tokens[row, step] = number[word[:step]], token
                self.mask[row, step] = True
        size = len(self.prefixes), vocabulary
        self.theta = torch.randn(size, generator=generator, dtype=torch.float64)
        self.other = self.theta + DRIFT * torch.randn(size, generator=generator, dtype=torch.float64)
        given = torch.randn(size, generator=generator, dtype=torch.float64)
        self.guess = torch.randn(size[0], generator=generator, dtype=torch.float64)
        self.rewards = given[self.states, self.tokens] * self.mask

    def logprobs(self, theta: Tensor) -> Tensor:
        """Of each token of each sequence, [S, L]; 0 where there is none."""
        return theta.log_softmax(-1)[self.states, self.tokens] * self.mask

    def probabilities(self, theta: Tensor) -> Tensor:
        """Of each sequence, [S]."""
        return self.logprobs(theta).sum(1).exp()

    def gradient(self, objective: Callable[[Tensor], Tensor], theta: Tensor | None = None) -> Tensor:
        """Of a function of the logits, flat."""
        free = (self.theta if theta is None else theta).clone().requires_grad_()
        (found,) = torch.autograd.grad(objective(free), free)
        return found.flatten()

    def true_gradient(self, theta: Tensor | None = None, beta: float = 0.0) -> Tensor:
        """Of E[R] - beta KL(policy || other)."""

        def objective(free: Tensor) -> Tensor:
            divergence = (self.logprobs(free) - self.logprobs(self.other)).sum(1)
            return (self.probabilities(free) * (self.rewards.sum(1) - beta * divergence)).sum()

        return self.gradient(objective, theta)

    def values(self) -> Tensor:
        """The exact value of each prefix, [prefixes]."""
        probabilities, reach = self.probabilities(self.theta), torch.zeros(len(self.prefixes), dtype=torch.float64)
        total = reach.clone()
        to_go = self.rewards.flip(1).cumsum(1).flip(1)
        for row, step in self.mask.nonzero().tolist():
            state = self.states[row, step]
            reach[state] += probabilities[row]
            total[state] += probabilities[row] * to_go[row, step]
        return total / reach

    def rollouts(self, rows: Sequence[int], values: Tensor | None = None, lam: float = 1.0) -> Rollouts:
        """Some sequences as a group; every token is a turn."""
        lengths = [len(self.sequences[row]) for row in rows]
        known = None
        if values is not None:
            known = [values[self.states[row, :n]].numpy() for row, n in zip(rows, lengths, strict=True)]
        return Rollouts(
            groups=["group"] * len(rows),
            rewards=[self.rewards[row, :n].numpy() for row, n in zip(rows, lengths, strict=True)],
            tokens=[np.ones(n, np.int64) for n in lengths],
            counts=np.ones(len(rows), bool),
            bootstrapped=np.zeros(len(rows), bool),
            state_keys=[[str(self.sequences[row][:step]) for step in range(len(self.sequences[row]))] for row in rows],
            lam=lam,
            values=known,
            tails=np.full(len(rows), np.nan),
        )

    def mean_estimate(
        self, estimator: Callable[[Rollouts], list[np.ndarray]], aggregation: str = "constant", size: int = GROUP
    ) -> Tensor:
        """The mean of the policy gradient over all groups of `size` sequences, flat."""
        probabilities = self.probabilities(self.theta).tolist()
        weights = torch.zeros_like(self.rewards)
        for rows in combinations_with_replacement(range(len(self.sequences)), size):
            orders = math.factorial(size)
            for count in Counter(rows).values():
                orders //= math.factorial(count)
            chance = orders * math.prod(probabilities[row] for row in rows)
            lengths = [len(self.sequences[row]) for row in rows]
            shares = token_weights(lengths, aggregation, int(aggregation == "constant"))
            for row, share, found in zip(rows, shares, estimator(self.rollouts(rows)), strict=True):
                weights[row, : len(found)] += chance * share * torch.from_numpy(found)
        return self.gradient(lambda free: (weights * self.logprobs(free)).sum())

    def mean_with_critic(self, recursion: str, values: Tensor, lam: float) -> Tensor:
        """The mean of the policy gradient under generalised advantages, not whitened."""
        rollouts = self.rollouts(range(len(self.sequences)), values, lam)
        weights = torch.zeros_like(self.rewards)
        for row, found in enumerate(appraise(rollouts, RECURSIONS[recursion]).advantages):
            weights[row, : len(found)] = torch.from_numpy(found)
        weights = weights * self.probabilities(self.theta).unsqueeze(1)
        return self.gradient(lambda free: (weights * self.logprobs(free)).sum())

    def mean_loss(self, name: str, clip: Clip, correction: CorrectionConfig | None = None) -> Tensor:
        """Minus the mean gradient of a loss at `other`, of sequences that the policy `theta` sampled.

        The advantage is the return minus its mean, which is exact. With a correction, the policy that learns is the old
        one, and the sampler's ratio is left to the correction.
        """
        chances, sampled = self.probabilities(self.theta), self.logprobs(self.theta)
        centred = self.rewards.sum(1) - (chances * self.rewards.sum(1)).sum()
        advantages = centred.unsqueeze(1).expand_as(self.rewards)
        row_of = torch.arange(len(self.sequences)).unsqueeze(1).expand_as(self.states)[self.mask]
        weights = chances[row_of]
        if correction:
            now = self.logprobs(self.other)
            found = [
                importance(now[row, here].numpy(), sampled[row, here].numpy(), correction)
                for row, here in enumerate(self.mask)
            ]
            weights = weights * torch.from_numpy(np.concatenate(found))
            sampled = now
        old = sampled[self.mask]

        def objective(free: Tensor) -> Tensor:
            found = LOSSES[name](self.logprobs(free)[self.mask], old, advantages[self.mask], row_of, clip)
            return -(found.loss * weights).sum()

        return self.gradient(objective, self.other)

    def mean_divergence(self, estimator: str, place: str) -> Tensor:
        """The mean gradient of minus the KL divergence, estimated in the loss or in the reward."""
        chances, reference = self.probabilities(self.theta).unsqueeze(1), self.logprobs(self.other)
        measure = DIVERGENCES[estimator]
        if place == "loss":
            return self.gradient(lambda free: -(chances * measure(self.logprobs(free), reference) * self.mask).sum())
        told = measure(self.logprobs(self.theta), reference) * self.mask
        to_go = told.flip(1).cumsum(1).flip(1)
        return self.gradient(lambda free: -(chances * to_go * self.logprobs(free)).sum())

    def true_divergence(self) -> Tensor:
        """The gradient of minus KL(policy || other)."""
        return self.true_gradient(beta=1.0) - self.true_gradient()


def compare(found: Tensor, true: Tensor) -> tuple[float, float]:
    """Scale along the true gradient, and the angle to it in degrees."""
    scale = float(found @ true / (true @ true))
    cosine = float(found @ true / (found.norm() * true.norm()).clamp(min=1e-300))
    return scale, math.degrees(math.acos(min(max(cosine, -1.0), 1.0)))


Case = tuple[str, Callable[[Oracle], Tensor], Callable[[Oracle], Tensor]]


def cases() -> list[Case]:
    """What is compared with what, by name."""
    out: list[Case] = []

    def returns(oracle: Oracle) -> Tensor:
        return oracle.true_gradient()

    def drifted(oracle: Oracle) -> Tensor:
        return oracle.true_gradient(oracle.other)

    for name in (name for name in ADVANTAGES if name not in RECURSIONS):
        out.append((f"`{name}`", lambda o, name=name: o.mean_estimate(ADVANTAGES[name]), returns))
    for aggregation in ("sequence-mean", "token-mean"):
        out.append((f"`rloo`, {aggregation}", lambda o, a=aggregation: o.mean_estimate(ADVANTAGES["rloo"], a), returns))
    for name, lam in product(RECURSIONS, (1.0, 0.5)):
        label = f"`{name}`, lambda {lam:g}, "
        out.append((label + "exact values", lambda o, n=name, x=lam: o.mean_with_critic(n, o.values(), x), returns))
        out.append((label + "random values", lambda o, n=name, x=lam: o.mean_with_critic(n, o.guess, x), returns))
    narrow = Clip(3e-4, 4e-4)
    for name, clip in (("reinforce", Clip()), ("clipped", Clip()), ("cispo", Clip()), ("gspo", narrow)):
        out.append((f"loss `{name}`, another policy sampled", lambda o, n=name, c=clip: o.mean_loss(n, c), drifted))
    unbounded = CorrectionConfig("truncate", "sequence", high=1e9)
    settings = [("sequence, no bound", unbounded), ("token, no bound", replace(unbounded, level="token"))]
    for kind, level in product(("truncate", "mask"), ("sequence", "token", "geometric")):
        settings.append((f"{kind} at 2, {level}", CorrectionConfig(kind, level)))
    for label, setting in settings:
        out.append((f"correction: {label}", lambda o, s=setting: o.mean_loss("reinforce", Clip(), s), drifted))

    for estimator, place in (("k1", "reward"), ("k2", "loss"), ("k3", "loss"), ("k1", "loss"), ("k3", "reward")):
        label = f"KL: {estimator} in the {place}"
        out.append((label, lambda o, e=estimator, p=place: o.mean_divergence(e, p), Oracle.true_divergence))
    return out


def measure(seeds: int = SEEDS) -> list[tuple[str, float, float, float]]:
    """Name, mean scale, mean and largest angle over random policies."""
    oracles = [Oracle(seed) for seed in range(seeds)]
    out = []
    for name, estimate, true in cases():
        found = [compare(estimate(oracle), true(oracle)) for oracle in oracles]
        angles = [angle for _, angle in found]
        out.append((name, sum(scale for scale, _ in found) / seeds, sum(angles) / seeds, max(angles)))
    return out


@dataclass(frozen=True)
class Arguments:
    """Where to write."""

    write: str = ""
    """Markdown page that gets the table."""


def main(arguments: Arguments) -> None:
    from pathlib import Path

    rows = [[name, f"{scale:.3f}", f"{mean:.1f}", f"{worst:.1f}"] for name, scale, mean, worst in measure()]
    text = markdown_table(["estimate", "scale", "angle", "largest"], rows)
    print(text)
    if arguments.write:
        write_section(Path(arguments.write), "oracle", text)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
