"""Tasks written as WebArena writes them (arXiv 2307.13854): JSON, a start address, and evaluators; on servers of yours.

    gym.make("saccade/WebArena-v0", configs="tasks.json", hosts="SHOP=http://127.0.0.1:7770")

A configuration says `intent`, `start_url` and `eval`; `__SHOP__` in it stands for the server named SHOP. Only the
servers in `hosts` can be reached. The episode ends when the agent answers (`send_msg_to_user`) or gives up
(`report_infeasible`, which is right where the reference answer is `N/A`), and is then judged by every evaluator that
the task names; the score is their product:

- `string_match`: `exact_match`, `must_include` in the answer. `fuzzy_match` asks a judge model in WebArena; here only
  its `N/A` is understood, and a task that needs more is refused when it is loaded.
- `url_match`: the address at the end holds `reference_url` (or one of several, joined by ` |OR| `), its query included.
- `program_html`: what a `locator` finds on a page (`last` for the one at the end) holds the required contents. A
  locator is JavaScript of the configuration's author, run in the page; one that fails finds nothing. `func:` is code of
  WebArena's own and refused.

State on a real server is shared: a task that changes it needs a server for each episode of a group.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import numpy as np

from saccade.envs.actions import Call
from saccade.envs.core import Outcome
from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError
from saccade.envs.gui.page import PageEnv, Verdict
from saccade.envs.gui.site import Hosts
from saccade.envs.gui.tab import Tab

EVALUATORS = ("string_match", "url_match", "program_html")
OR = " |OR| "


@dataclass(frozen=True)
class WebTask:
    """One configuration, as canonical JSON with its servers filled in; split by its id."""

    id: str
    config: str

    def __repr__(self) -> str:
        return f"WebTask({self.id!r})"

    @property
    def content(self) -> dict[str, Any]:
        """The configuration."""
        found: dict[str, Any] = json.loads(self.config)
        return found


class WebArena(PageEnv):
    """Tasks of WebArena's kind on servers of your own.

    Args:
        configs: a JSON file with one configuration or a list of them, or a folder of such files.
        hosts: servers as `NAME=http://127.0.0.1:7770`, joined by commas.
        page: `observe`, `actions`, `viewport`, `scale`, `split`, `max_turns` (30), `error_penalty`, `render_mode`,
            `fresh_context`, `timeout`.
    """

    instructions = "Do what you are asked. At the end, say the answer to the user, or that it is done."
    max_turns = 30
    viewport = (1280, 720)
    observe: ClassVar[tuple[str, ...]] = ("status", "tree", "screenshot")
    actions: ClassVar[tuple[str, ...]] = ("ref", "nav", "tab", "chat", "infeasible")

    def __init__(self, *, configs: str, hosts: str = "", **page: Any) -> None:
        self.hosts = _hosts(hosts)
        self.tasks = load_tasks(Path(configs), self.hosts)
        self.site = Hosts(*self.hosts.values())
        super().__init__(**page)
        if "chat" not in self.groups:
            raise ConfigError("WebArena's tasks end with an answer: `actions` must include 'chat'")

    def pose(self, rng: np.random.Generator) -> str:
        """Draw a configuration of this split."""
        self.task = self.draw(lambda rng: self.tasks[rng.integers(len(self.tasks))], rng)
        self.home = str(self.task.content["start_url"])
        return str(self.task.content["intent"])

    async def prepare(self, tab: Tab) -> None:
        """The page is open already: a window of its own for every episode."""

    async def read(self, tab: Tab) -> Any:
        """Where it is."""
        return tab.page.url

    def judge(self, page: Any) -> Verdict | None:
        """Nothing ends before the answer."""
        return None

    def hear(self, text: str) -> Verdict:
        """Judge the answer and the pages."""
        return self._verdict(text)

    def act(self, call: Call) -> Outcome:
        """Do one action; giving up is right where there is no answer."""
        if call.verb != "report_infeasible":
            return super().act(call)
        verdict = self._verdict("N/A")
        if verdict.cause is not Cause.GOAL:
            return super().act(call)
        self.sight = replace(self.sight, error=None, dialogs=())  # of the action before
        return self._outcome(verdict)

    def _verdict(self, answer: str) -> Verdict:
        rules = self.task.content["eval"]
        scores: dict[str, float] = {}
        for kind in rules["eval_types"]:
            if kind == "string_match":
                scores[kind] = score_answer(answer, rules["reference_answers"])
            elif kind == "url_match":
                scores[kind] = score_url(str(self.sight.page), str(rules["reference_url"]))
            else:
                scores[kind] = self._programs(rules["program_html"])
        reward = float(np.prod(list(scores.values())))
        return Verdict(reward, Cause.GOAL if reward == 1 else Cause.FAILED, {"evaluators": scores})

    def _programs(self, programs: Sequence[Mapping[str, Any]]) -> float:
        async def find(tab: Tab) -> list[str]:
            found = []
            last = tab.page.url
            for program in programs:
                url = last if program["url"] == "last" else str(program["url"])
                if url != tab.page.url:
                    await tab.page.goto(url, wait_until="load")
                    await tab.settle()
                locator = str(program.get("locator", "")).strip()
                script = f"() => {{ try {{ return {locator}; }} catch {{ return null; }} }}"
                text = await tab.page.evaluate(script) if locator else await tab.page.content()
                found.append("" if text is None else str(text))
            return found

        texts = self.on_page(find)
        scores = [score_contents(text, each["required_contents"]) for text, each in zip(texts, programs, strict=True)]
        return float(np.prod(scores))


def load_tasks(path: Path, hosts: Mapping[str, str]) -> tuple[WebTask, ...]:
    """Read configurations, and refuse what cannot be judged here.

    Raises:
        ConfigError: there is no such file, a configuration lacks a field, or asks for what is not supported.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    tasks: list[WebTask] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
            for name, origin in hosts.items():
                text = text.replace(f"__{name}__", origin)
            content = json.loads(text)
        except (OSError, ValueError) as error:
            raise ConfigError(f"configurations are JSON files: {file} cannot be read: {error}") from error
        for number, config in enumerate(content if isinstance(content, list) else [content]):
            where = f"{file}, task {number}"
            _check(config, where, Hosts(*hosts.values()))
            tasks.append(
                WebTask(str(config.get("task_id", f"{file.stem}-{number}")), json.dumps(config, sort_keys=True))
            )
    if not tasks:
        raise ConfigError(f"{path} holds no configuration")
    return tuple(tasks)


def score_answer(answer: str, reference: Mapping[str, Any]) -> float:
    """1 if the answer is what the reference asks for, else 0."""
    score = 1.0
    for kind, wanted in reference.items():
        if kind == "exact_match" or (kind == "fuzzy_match" and wanted == "N/A"):
            score *= _clean(answer) == _clean(str(wanted))
        elif kind == "must_include":
            # A single short word must stand as a word: "no" is not in "unknown".
            alone = len(wanted) == 1 and len(str(wanted[0]).split()) == 1
            words = _words(answer)
            for each in wanted:
                here = _clean(str(each))
                score *= here in words if alone and here.isalnum() else here in _clean(answer)
    return float(score)


def score_url(url: str, reference: str) -> float:
    """1 if the address holds the path of one reference and its query, else 0."""
    mine, asked = _address(url)
    for each in reference.split(OR):
        path, query = _address(each)
        if path in mine and all(set(values) & set(asked.get(key, [])) for key, values in query.items()):
            return 1.0
    return 0.0


def score_contents(text: str, required: Mapping[str, Any]) -> float:
    """1 if a page's text holds all that is required, else 0; ` |OR| ` separates alternatives."""
    if "exact_match" in required:
        return float(_clean(text) == _clean(str(required["exact_match"])))
    cleaned = _clean(text)
    return float(all(any(_clean(one) in cleaned for one in str(each).split(OR)) for each in required["must_include"]))


def _check(config: Any, where: str, reach: Hosts) -> None:
    if not isinstance(config, dict):
        raise ConfigError(f"{where} must be a JSON object")
    for name in ("intent", "start_url", "eval"):
        if not config.get(name):
            raise ConfigError(f"{where} needs the field {name!r}")
    if not reach.allows(str(config["start_url"])):
        raise ConfigError(f"{where} starts at {config['start_url']!r}, which is on none of the servers of `hosts`")
    rules = config["eval"]
    for kind in rules.get("eval_types", ()) or ("nothing",):
        if kind not in EVALUATORS:
            raise ConfigError(f"{where} is judged by {kind!r}; known: {', '.join(EVALUATORS)}")
    answers = rules.get("reference_answers") or {}
    if "string_match" in rules["eval_types"]:
        if not answers or set(answers) - {"exact_match", "must_include", "fuzzy_match"}:
            raise ConfigError(f"{where} needs reference_answers with exact_match or must_include, got {answers}")
        if answers.get("fuzzy_match", "N/A") != "N/A":
            raise ConfigError(f"{where} needs a judge model (fuzzy_match), which is not supported: use must_include")
    if "url_match" in rules["eval_types"] and not rules.get("reference_url"):
        raise ConfigError(f"{where} needs a reference_url")
    if "program_html" in rules["eval_types"]:
        for each in rules.get("program_html") or [{}]:
            if not {"exact_match", "must_include"} & set(each.get("required_contents", {})):
                raise ConfigError(f"{where}: program_html needs required_contents with exact_match or must_include")
            for name in ("url", "locator"):
                if str(each.get(name, "")).startswith(("func:", "lambda:")):
                    raise ConfigError(
                        f"{where}: {name} is code of WebArena's own ({each[name]!r}), which is not supported"
                    )
            if each.get("url") != "last" and not reach.allows(str(each.get("url", ""))):
                raise ConfigError(f"{where}: program_html looks at {each.get('url')!r}, on none of the servers")


def _hosts(text: str) -> dict[str, str]:
    found = {}
    for pair in filter(None, (each.strip() for each in text.split(","))):
        name, equals, origin = pair.partition("=")
        if not equals:
            raise ConfigError(f"hosts are written NAME=http://127.0.0.1:7770, joined by commas, got {pair!r}")
        found[name.strip()] = origin.strip().rstrip("/")
    if not found:
        raise ConfigError("hosts must name at least one server, as NAME=http://127.0.0.1:7770")
    return found


def _clean(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    return text.lower()


def _words(text: str) -> set[str]:
    return set("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())


def _address(url: str) -> tuple[str, dict[str, list[str]]]:
    parts = urlsplit(url.strip().rstrip("/"))
    return f"{parts.netloc}{parts.path}", parse_qs(parts.query)
