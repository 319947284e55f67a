"""What sharing a group's prompt saves: an update with shared prefixes beside the same rows computed one prompt each.

    python benchmarks/learner.py

Both ways in the same run on the same rows: 16 tasks x 8 episodes of a one-turn environment with one picture each. Also
prints the rollouts beside the bare generation of Hugging Face on the same prompts.
"""

import statistics
import tempfile
import time

import torch

from saccade.agents.agent import Agent
from saccade.agents.engines.transformers import TransformersEngine, TransformersEngineConfig
from saccade.agents.load import load_model
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.agents.tiny import TinyConfig, build_tiny
from saccade.envs.task import TaskSource
from saccade.rl.batch import Row, collate, score
from saccade.rl.display import make_console, table
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.tiny_start import TINY_AGENT, corpus


def main() -> None:
    torch.set_num_threads(1)
    source = TaskSource("saccade/Shapes-v0", {"level": 2})
    with tempfile.TemporaryDirectory() as folder:
        backbone, chat = load_model(build_tiny(folder, TinyConfig(), corpus([source])))
    agent = Agent(TransformersEngine(backbone, chat.media, TransformersEngineConfig(max_batch=128)), chat, TINY_AGENT)
    runner = Runner(agent, RunnerConfig(concurrency=128))
    jobs = [Job(source.task(seed), sample) for seed in range(16) for sample in range(8)]
    trajectories = runner.run(jobs)
    rows = [Row(s, s.logprobs[s.action_mask].astype(float)) for each in trajectories for s in each.samples]
    learner = Learner(backbone, chat, LearnerConfig(kl_coef=0.0), 10)

    def shared() -> None:
        batch = collate(rows, backbone, chat.media)
        score(backbone, batch, learner.banned, 1.0)[0].mean().backward()

    def repeated() -> None:
        features = [chat.media.process(row.sample.media[0]) for row in rows]
        length = max(len(row.sample.ids) for row in rows)
        ids = torch.zeros(len(rows), length, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row.sample.ids)] = torch.from_numpy(row.sample.ids)
            mask[index, : len(row.sample.ids)] = 1
        out = backbone.model(
            input_ids=ids,
            attention_mask=mask,
            pixel_values=torch.cat([each.values for each in features]),
            image_grid_thw=torch.tensor([each.grid for each in features]),
            mm_token_type_ids=(ids == backbone.placeholders["image"]).int(),
        )
        logprobs = out.logits[:, :-1].float().log_softmax(-1).gather(-1, ids[:, 1:, None])
        logprobs.mean().backward()

    def rollouts() -> None:
        runner.run(jobs)

    def generate() -> None:
        prompts = [row.sample.ids[: row.prefix] for row in rows]
        length = max(map(len, prompts))
        ids = torch.full((len(rows), length), chat.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for index, prompt in enumerate(prompts):
            ids[index, length - len(prompt) :] = torch.from_numpy(prompt)
            mask[index, length - len(prompt) :] = 1
        features = [chat.media.process(row.sample.media[0]) for row in rows]
        with torch.no_grad():
            backbone.model.generate(
                input_ids=ids,
                attention_mask=mask,
                pixel_values=torch.cat([each.values for each in features]),
                image_grid_thw=torch.tensor([each.grid for each in features]),
                mm_token_type_ids=(ids == backbone.placeholders["image"]).int(),
                max_new_tokens=TINY_AGENT.max_reply_tokens,
                do_sample=True,
            )

    lines = []
    pairs = {"forward and backward": (shared, repeated), "128 replies": (rollouts, generate)}
    for name, (ours, theirs) in pairs.items():
        one, other = timed(ours), timed(theirs)
        lines.append([name, f"{one:.0f}", f"{other:.0f}", f"{other / one:.2f}"])
    columns = ["128 episodes, 16 prompts", "Saccade ms", "one prompt each ms", "ratio"]
    make_console().print(table("Medians of 7 runs, one thread", columns, lines))
    runner.close()
    agent.engine.close()


def timed(function) -> float:
    function()
    times = []
    for _ in range(7):
        started = time.perf_counter()
        function()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
