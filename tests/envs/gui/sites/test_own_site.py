"""A site outside the package, as docs/gui.md adds it."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[4] / "examples"
pytestmark = pytest.mark.browser


def test_a_site_of_ones_own_is_two_short_files():
    spec = importlib.util.spec_from_file_location("todo", EXAMPLES / "todo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for file in ("todo.py", "todo.html"):
        assert len((EXAMPLES / file).read_text().splitlines()) <= 60
    for settings in ({"level": 1}, {"level": 3, "actions": ("ref",), "observe": ("tree",)}):
        env = module.Urgent(**settings)
        for seed in range(3):
            env.reset(seed=seed)
            while True:
                *_, terminated, truncated, info = env.step(next(env.demo()).action)
                if terminated or truncated:
                    break
            assert info["success"]
        env.reset(seed=0)
        other = next(name for name in env.sight.page["state"]["open"] if name != env.wanted["urgent"])
        if "ref" in env.groups:
            for role, name in (("link", other), ("button", "Mark as urgent")):
                *_, terminated, _, info = env.step(f'click("{env.sight.tree.find(role, name).ref}")')
            assert terminated and not info["success"], "another one is marked"
        env.close()
