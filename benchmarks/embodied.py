"""What a simulated world costs beside MuJoCo itself: skills, resets and pictures.

    python benchmarks/embodied.py --write docs/embodied.md

A skill is timed whole (`env.step`: parsing, planning, physics, bookkeeping, picture), then MuJoCo alone steps the same
set-points and the same picture is drawn, and so on in turn; the picture by itself beside MuJoCo's renderer. Exits with
1 where a step costs more than 5 % over the raw work, a reset without its picture more than 10 ms, or a picture more
than 1.3 of the raw one. Times are of the processor, so that other work on the machine counts little.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from page import markdown_table, write_section

from saccade.envs.embodied.observe import load_mujoco
from saccade.envs.embodied.simulation import Simulation
from saccade.envs.task import make

TEXT = """`python benchmarks/embodied.py --size {size} --count {count} --write docs/embodied.md` wrote this: medians of
{count} tasks of `{id}` at level {level}, pictures of {size} x {size} pixels, processor time.

{table}"""


@dataclass(frozen=True)
class Arguments:
    """What is timed."""

    id: str = "saccade/PickUp-v0"
    """A task of the arm whose demonstration is one skill."""
    level: int = 2
    """Its level."""
    size: int = 224
    """Width and height of the picture."""
    count: int = 30
    """Tasks."""
    write: str | None = None
    """Markdown page that gets the table."""


class Recorder(Simulation):
    """Keeps the set-points of all runs."""

    runs: list

    def run(self, controls, repeat=1):
        """Run, and remember."""
        self.runs.append((controls.copy(), repeat))
        super().run(controls, repeat)


def main(args: Arguments) -> int:
    env = make(args.id, level=args.level, size=args.size)
    world, mujoco = env.unwrapped, load_mujoco()
    steps, raw, resets, drawn, raw_drawn, planned = ([] for _ in range(6))
    renderer = None
    for seed in range(args.count):
        env.reset(seed=seed)
        world.reset(seed=seed)  # once more, for the time, without Gymnasium's checks
        resets.append(_timed(lambda seed=seed: world.begin(np.random.default_rng(seed)))[0])
        world.reset(seed=seed)
        before = world.simulation.state()
        action = next(world.demo()).action
        world.simulation.__class__, world.simulation.runs = Recorder, []
        steps.append(_timed(lambda action=action: world.step(action))[0])
        runs, model, data = world.simulation.runs, world.simulation.model, world.simulation.data
        renderer = renderer or _renderer(mujoco, model, args.size)
        world.simulation.set_state(before)
        raw.append(_timed(lambda r=runs, m=model, d=data: _work(mujoco, m, d, r, world))[0])
        drawn.append(_timed(world.look)[0])
        raw_drawn.append(_timed(lambda r=renderer, m=model, d=data: _draw(r, m, d))[0])
        resets[-1] -= drawn[-1]
        planned.append(sum(len(controls) * repeat for controls, repeat in runs))
    env.close()
    picture = float(np.median(np.array(drawn) / np.array(raw_drawn)))
    step = float(np.median(np.array(steps) / np.array(raw)))
    reset = float(np.median(resets))
    rows = [
        [
            "a skill, whole",
            f"{1000 * np.median(steps):.1f} ms",
            f"{step:.3f} of raw, {np.median(planned):.0f} physics steps",
        ],
        ["the same set-points and picture, raw", f"{1000 * np.median(raw):.1f} ms", ""],
        ["reset without picture", f"{1000 * reset:.1f} ms", ""],
        ["picture", f"{1000 * np.median(drawn):.2f} ms", f"{picture:.2f} of raw"],
        ["picture, raw", f"{1000 * np.median(raw_drawn):.2f} ms", ""],
    ]
    table = markdown_table(["what", "time", ""], rows)
    print(table)
    if args.write:
        text = TEXT.format(size=args.size, count=args.count, id=args.id, level=args.level, table=table)
        write_section(Path(args.write), "speed", text)
    return 0 if step <= 1.05 and reset <= 0.01 and picture <= 1.3 else 1


def _timed(work):
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def _work(mujoco, model, data, runs, world):
    """MuJoCo's part of a skill: the same steps with the same set-points, and the picture."""
    ctrl = data.ctrl
    for controls, repeat in runs:
        for row in controls:
            ctrl[:] = row
            mujoco.mj_step(model, data, repeat)
    mujoco.mj_forward(model, data)
    return world.canvas.look(model, data)


def _renderer(mujoco, model, size):
    """MuJoCo's own offscreen renderer, shadows off like ours."""
    model.vis.global_.offwidth = model.vis.global_.offheight = size
    renderer = mujoco.Renderer(model, size, size)
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW.value] = 0
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION.value] = 0
    return renderer


def _draw(renderer, model, data):
    """One picture, as it would be drawn by hand."""
    renderer._model = model
    renderer.update_scene(data, "overhead")
    return renderer.render()


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments, description=__doc__)))
