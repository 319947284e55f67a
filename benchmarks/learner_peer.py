"""GRPO of TRL on the episodes that `learner.py` measures: run there by `--peer-python`, in an interpreter that has it.

Needs trl 1.16 and nothing of Saccade. Its own trainer, tool loop and fused vocabulary projection; float32, one batch a
step, no reference. Its parser of tool calls is replaced by one that always finds one: an untrained model writes none.
Each line on standard input is a step; seconds come back as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np

SYSTEM = "Look at the picture."
FIRST = "Say what you see."
AGAIN = "Look again."
END = "{{- '<|im_end|>\\n' -}}"
CALLS = "{%- if message.tool_calls -%}{{- message.tool_calls | tojson -}}{%- endif -%}"


def picture(key: str) -> np.ndarray:
    """The picture of a name: uint8 [64, 64, 3], 8 x 8 cells of one colour each."""
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    return rng.integers(0, 256, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)


def mark(reply: str) -> float:
    """Reward of a reply: its share of different characters."""
    return len(set(reply)) / max(len(reply), 1)


def look(reply: str) -> list[dict[str, Any]]:
    """Show the next picture.

    Args:
        reply: what was said.
    """
    from PIL import Image

    return [{"type": "image", "image": Image.fromarray(picture(reply))}, {"type": "text", "text": AGAIN}]


def main(folder: Path) -> None:
    answers = os.fdopen(os.dup(1), "w")
    sys.stdout = sys.stderr  # what the trainer prints is no answer
    job = json.loads((folder / "job.json").read_text())
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

    import torch
    import transformers
    import trl
    from datasets import Dataset
    from PIL import Image
    from trl.trainer import grpo_trainer

    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()

    class Peer(trl.GRPOTrainer):
        """Counts the tokens of its sequences, those of the observations included."""

        lengths = (0.0, 0.0)

        def _generate(self, prompts: list[Any]) -> Any:
            out = super()._generate(prompts)
            drawn = [sum(mask) for mask in out[2]] if out[2] is not None else [len(ids) for ids in out[1]]
            whole = [len(prompt) + len(rest) for prompt, rest in zip(out[0], out[1], strict=True)]
            self.lengths = (float(np.mean(whole)), float(np.mean(drawn)))
            return out

    class Steps(transformers.TrainerCallback):
        """A step for each line."""

        def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if not sys.stdin.readline():
                os._exit(0)
            self.began = time.perf_counter(), time.process_time()

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            wall, processor = (now() - then for now, then in zip(CLOCKS, self.began, strict=True))
            whole, drawn = trainer.lengths
            print(json.dumps({"wall": wall, "processor": processor, "tokens": whole, "drawn": drawn}), file=answers)
            answers.flush()

    class Processor(transformers.Qwen3VLProcessor):
        """Of pictures only: that of videos needs torchvision."""

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return (
                type(argument) if argument is None else super().check_argument_for_proper_class(argument_name, argument)
            )

    tokenizer = transformers.AutoTokenizer.from_pretrained(job["model"])
    pictures = transformers.AutoImageProcessor.from_pretrained(job["model"], backend="pil")
    # The trainer takes no template that leaves out calls; ids of its loop are put together without rendering any.
    template = tokenizer.chat_template.replace(END, CALLS + END)
    processor = Processor(pictures, tokenizer, None, chat_template=template)
    tools = []
    if job["turns"] > 1:
        tools, tokenizer.response_template = [look], {}

        def always_look(tokenizer: Any, ids: list[int], **rest: Any) -> dict[str, Any]:
            text = tokenizer.decode(ids)
            call = {"type": "function", "function": {"name": "look", "arguments": {"reply": text}}}
            return {"role": "assistant", "content": text, "tool_calls": [call]}

        grpo_trainer.parse_response = always_look

    def reward(completions: list[Any], **rest: Any) -> list[float]:
        said = ([each["content"] for each in turns if each["role"] == "assistant"] for turns in completions)
        return [sum(map(mark, replies)) for replies in said]

    prompt = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": FIRST}]
    rows = [{"prompt": prompt, "image": Image.fromarray(picture(key))} for key in job["keys"]]
    episodes = job["tasks"] * job["group"]
    settings = trl.GRPOConfig(
        output_dir=str(folder / "trl"),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        per_device_train_batch_size=episodes,
        num_generations=job["group"],
        max_completion_length=job["longest"],
        max_tool_calling_iterations=job["turns"] - 1 or None,
        generation_kwargs={"max_new_tokens": job["tokens"], "suppress_tokens": job["banned"]},
        learning_rate=1e-5,
        max_grad_norm=0.5,
        beta=0.0,
        shuffle_dataset=False,
        max_steps=job["steps"],
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    model = transformers.AutoModelForImageTextToText.from_pretrained(job["model"], dtype=torch.float32)
    trainer = Peer(
        model=model,
        reward_funcs=reward,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=processor,
        tools=tools or None,
        callbacks=[Steps()],
    )
    trainer.train()


CLOCKS = (time.perf_counter, time.process_time)

if __name__ == "__main__":
    main(Path(sys.argv[1]))
