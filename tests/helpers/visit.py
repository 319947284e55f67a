"""What a visitor of our own sites does."""

from saccade.envs.gui.sites.base import Write


def do(env, *steps):
    """Take some steps; whether the task was solved, `None` while it goes on."""
    for step in steps:
        role = "textbox" if isinstance(step, Write) else step.role
        ref = env.sight.tree.find(role, step.name).ref
        *_, terminated, _, info = env.step(f'fill("{ref}", "{step.text}")' if role == "textbox" else f'click("{ref}")')
        assert info["action_error"] is None
    return info["success"] if terminated else None


def finish(env):
    """Play the demonstration to the end; whether it solved the task."""
    while True:
        *_, terminated, truncated, info = env.step(next(env.demo()).action)
        if terminated or truncated:
            return info["success"]
