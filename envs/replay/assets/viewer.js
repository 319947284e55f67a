// The replay viewer: a list of episodes, one episode or one group, and a timeline. Texts go through `put` of text.js.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("replay-data").textContent);
  const media = new Map(Object.entries(data.media));
  const SPEEDS = [0.5, 1, 2, 4];
  const TURN_MS = 1000;
  const VOID = new Set(["infra", "engine", "stale"]);
  const CAUSES = {
    goal: "the goal was reached", failed: "it ended without success", gave_up: "the agent gave up",
    horizon: "the turns ran out", context: "the context was full", length: "a reply was too long",
    infra: "the world broke; never trained on", engine: "the engine was lost; never trained on",
    stale: "its weights were too old; never trained on",
  };

  // Episodes

  const episodes = data.episodes.map((raw, index) => ({
    raw, index, id: raw.id, steps: raw.steps, env: raw.task.id,
    name: raw.task.id.replace(/^.*\//, "").replace(/-v\d+$/, ""),
    outcome: raw.success ? "success" : VOID.has(raw.cause) ? "void" : "failure",
    slots: Math.max(1, raw.steps.length + (raw.final ? 1 : 0)),
  }));
  // Newest update first; inside one, as they were written.
  const order = [...episodes].sort((a, b) => b.raw.update - a.raw.update || compare(a.raw.phase, b.raw.phase) || a.index - b.index);
  const greatest = Math.max(1e-6, ...episodes.flatMap((e) => e.raw.turns.map((turn) => largest(turn.advantages))));
  const MARKS = { success: "\u2713", failure: "\u2715", void: "\u2013" };
  const state = { episode: order[0], step: 0, grouped: false, tint: "advantages", speed: 1, timer: 0, picture: null };
  let visible = order;

  function compare(a, b) { return a < b ? -1 : a > b ? 1 : 0; }
  function largest(values) { return (values || []).reduce((most, value) => Math.max(most, isNumber(value) ? Math.abs(value) : 0), 0); }
  function haystack(episode) {
    if (episode.text === undefined) {
      const said = episode.steps.map((step) => [step.reply, step.thought, step.action, step.action_error, worldText(step.observation)].join(" "));
      episode.text = [episode.id, episode.env, episode.raw.task.seed, episode.raw.group, episode.raw.cause, episode.raw.instructions, worldText(episode.raw.final), ...said].join(" ").toLowerCase();
    }
    return episode.text;
  }
  function worldText(parts) { return (parts || []).filter((part) => part.text !== undefined).map((part) => part.text).join("\n"); }
  function peers() { return state.episode.raw.group ? order.filter((e) => e.raw.group === state.episode.raw.group) : [state.episode]; }
  function slots() { return state.grouped ? Math.max(...peers().map((e) => e.slots)) : state.episode.slots; }
  function partsAt(episode, step) { return step < episode.steps.length ? episode.steps[step].observation : episode.raw.final || []; }

  // The list

  function options(select, all, values, label = (value) => value) {
    select.append(new Option(all, ""));
    for (const value of [...new Set(values)].sort(compare)) select.append(new Option(label(value), value));
    select.addEventListener("change", filter);
  }

  function filter() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const id of ["env", "outcome", "phase"]) $(id).classList.toggle("set", $(id).value !== "");
    visible = order.filter((e) =>
      (!$("env").value || e.env === $("env").value) && (!$("outcome").value || e.outcome === $("outcome").value) &&
      (!$("phase").value || e.raw.phase === $("phase").value) && words.every((word) => haystack(e).includes(word)));
    showList();
  }

  function showList() {
    const list = $("list");
    list.replaceChildren();
    const chapters = new Map();
    for (const episode of visible) {
      const key = `${episode.raw.update} ${episode.raw.phase}`;
      if (!chapters.has(key)) chapters.set(key, []);
      chapters.get(key).push(episode);
    }
    for (const chapter of chapters.values()) {
      const { update, phase } = chapter[0].raw;
      const share = chapter.filter((e) => e.raw.success).length;
      list.append(el("div", "chapter", el("span", "", `Update ${update}, ${phase}`), el("span", "", `${share}/${chapter.length} solved`)));
      const rows = el("ul");
      chapter.forEach((episode, at) => {
        const before = chapter[at - 1];
        rows.append(el("li", before && before.raw.group !== episode.raw.group ? "apart" : "", row(episode)));
      });
      list.append(rows);
    }
    if (!visible.length) list.append(el("p", "empty", "No episode fits these filters."));
    $("count").textContent = (visible.length < episodes.length ? `${visible.length} of ` : "") + plural(episodes.length, "episode") +
      (data.total > episodes.length ? ` (the last of ${data.total})` : "");
    showCurrentRow();
  }

  function row(episode) {
    const raw = episode.raw;
    const node = button("row", "", () => { open(episode); drawer(false); }, mark(episode),
      el("span", "name", episode.name, el("span", "", ` #${raw.task.seed}`)),
      el("span", "return", fixed(raw.return)),
      el("span", "facts", `${raw.cause.replace("_", " ")}, ${plural(raw.steps.length, "turn")}${raw.task.split === "test" ? ", test" : ""}`));
    node.dataset.index = episode.index;
    return node;
  }

  function mark(episode) {
    const node = el("span", `mark ${episode.outcome}`, MARKS[episode.outcome]);
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", episode.outcome === "void" ? "aborted" : episode.outcome);
    return node;
  }

  function showCurrentRow() {
    for (const node of $("list").querySelectorAll(".row")) {
      const current = state.episode && Number(node.dataset.index) === state.episode.index;
      node.setAttribute("aria-current", String(current));
      if (current) node.scrollIntoView({ block: "nearest" });
    }
  }

  // Pictures

  function picture(part, name) {
    const frame = el("div", "picture");
    const [width, height] = part.size || [4, 3];
    frame.style.setProperty("--w", width);
    frame.style.setProperty("--h", height);
    if (Math.max(width, height) <= 640) frame.classList.add("crisp");
    const source = media.get(part.image || `${part.video}@${part.fps}`);
    if (source === undefined) return el("div", "words", "This picture is missing from the store, or damaged.");
    const image = el("img");
    image.alt = name;
    image.src = source;
    if (part.video) image.addEventListener("load", () => { frame.style.setProperty("--w", image.naturalWidth); frame.style.setProperty("--h", image.naturalHeight); });
    frame.append(image);
    return frame;
  }

  // Pixel (x, y) is a square; the mark is on its centre.
  function place(node, [x, y], [width, height]) {
    const clamp = (value, size) => Math.min(Math.max(value + 0.5, 0), size) / size * 100;
    node.style.left = `${clamp(x, width)}%`;
    node.style.top = `${clamp(y, height)}%`;
    return node;
  }

  function drawPoints(frame, points, size) {
    if (!points.length || !size) return;
    if (points.length === 1) {
      frame.append(place(el("div", "point"), points[0], size));
      return;
    }
    const [from, to] = [points[0], points[points.length - 1]];
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "arrow");
    svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    svg.setAttribute("preserveAspectRatio", "none");
    for (let copy = 0; copy < 2; copy++) {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      const ends = { x1: from[0] + 0.5, y1: from[1] + 0.5, x2: to[0] + 0.5, y2: to[1] + 0.5 };
      for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value);
      svg.append(line);
    }
    const tip = place(el("div", "point end"), to, size);
    tip.style.setProperty("--angle", `${Math.atan2(to[1] - from[1], to[0] - from[0])}rad`);
    frame.append(svg, place(el("div", "point start"), from, size), tip);
  }

  function pane(episode, step, chosen) {
    const parts = partsAt(episode, step);
    const seen = parts.filter((part) => part.image || part.video);
    if (!seen.length) return el("div", "pane", el("div", "words", worldText(parts) || episode.raw.failure || "Nothing was seen here."));
    const at = chosen === null || chosen >= seen.length ? seen.length - 1 : chosen;
    const [width, height] = seen[at].size || [];
    const frame = picture(seen[at], `What the agent saw at turn ${step}${width ? `, ${width} by ${height} pixels` : ""}`);
    // Actions point into the picture that was delivered last.
    if (at === seen.length - 1 && step < episode.steps.length) drawPoints(frame, episode.raw.points[step], seen[at].size);
    return el("div", "pane", frame);
  }

  function showStage() {
    const { episode, step } = state;
    const stage = $("stage");
    stage.replaceChildren(pane(episode, step, state.picture));
    const seen = partsAt(episode, step).filter((part) => part.image || part.video);
    if (seen.length > 1) {
      const thumbs = el("div", "thumbs");
      seen.forEach((part, at) => {
        const image = el("img", "crisp");
        image.src = media.get(part.image || `${part.video}@${part.fps}`) || "";
        image.alt = "";
        const thumb = button("", `Picture ${at + 1} of ${seen.length}`, () => { state.picture = at; showStage(); }, image);
        thumb.setAttribute("aria-pressed", String(at === (state.picture === null ? seen.length - 1 : Math.min(state.picture, seen.length - 1))));
        thumbs.append(thumb);
      });
      stage.append(thumbs);
    }
    for (const part of partsAt(episode, step).filter((each) => each.audio)) {
      const sound = el("audio");
      sound.controls = true;
      sound.src = media.get(`${part.audio}@${part.rate}`) || "";
      stage.append(sound);
    }
    const caption = el("div", "caption");
    if (step < episode.steps.length) {
      const action = episode.steps[step].action;
      caption.append(action === null ? el("span", "", "no action reached the world") : el("code", "", shorten(action, 90)));
      if (outside(episode, step)) caption.append(el("span", "badge void", "outside the picture"));
    } else caption.append(el("span", "", episode.raw.final ? "after the last turn" : "nothing was recorded"));
    stage.append(caption);
  }

  function outside(episode, step) {
    const last = partsAt(episode, step).filter((part) => part.size).pop();
    return Boolean(last) && episode.raw.points[step].some(([x, y]) => x < 0 || y < 0 || x >= last.size[0] || y >= last.size[1]);
  }
  function shorten(text, most) { return text.length > most ? text.slice(0, most) + "\u2026" : text; }

  // The turn

  function fold(title, ...children) { return el("section", "block", el("details", "", el("summary", "", title), ...children)); }
  function fact(value, label, className = "") { return el("div", `fact ${className}`, el("b", "", value), el("span", "", label)); }

  function showDetail() {
    const { episode, step } = state;
    const raw = episode.raw;
    const detail = $("detail");
    detail.replaceChildren();
    detail.scrollTop = 0;
    const now = episode.steps[step];
    const text = worldText(partsAt(episode, step));
    if (text) detail.append(block(now ? "World" : "World, at the end", el("div", "prose", text)));
    if (now) showTurn(detail, episode, now);
    if (!now || (step === episode.steps.length - 1 && !raw.final)) detail.append(ending(episode));
    if (raw.instructions) detail.append(fold("Instructions", el("div", "prose", raw.instructions)));
    const record = { task: raw.task, id: raw.id, group: raw.group, parent: raw.parent, run: raw.run_id, info: raw.info };
    if (now) Object.assign(record, { state_key: now.state_key, seconds: now.seconds, terminated: now.terminated, truncated: now.truncated });
    detail.append(fold("Record", el("pre", "json", JSON.stringify(record, null, 2))));
  }

  function showTurn(detail, episode, now) {
    const turn = episode.raw.turns[now.index] || {};
    if (now.thought) detail.append(block("Thought", el("div", "prose thought", now.thought), verdict(episode, now)));
    const action = block("Action", el("code", now.action_error ? "code wrong" : "code", now.action === null ? "The reply never reached the world." : now.action));
    if (now.action_error) action.append(el("div", "complaint", el("span", "", now.action_error)));
    detail.append(action);
    const before = sum(episode.steps.slice(0, episode.steps.indexOf(now) + 1).map((step) => step.reward));
    const outcome = block("Outcome", el("div", "facts-grid",
      fact(signed(now.reward), "reward", signOf(now.reward)), fact(number(before), "return so far"), fact(number(1000 * (now.seconds || 0), 1), "ms in the world")));
    const terms = Object.entries(now.reward_terms || {});
    if (isNumber(turn.sample)) outcome.append(el("div", "muted", `Training sample ${number(turn.sample + 1, 0)}; the model read ${number(turn.prompt_tokens, 0)} tokens.`));
    if (terms.length) outcome.append(el("div", "terms", ...terms.map(([name, value]) => el("span", "term", el("span", "", `${name} `), signed(value)))));
    detail.append(outcome);
    if ((turn.tokens || []).length) detail.append(tokens(turn, state.tint, greatest, (kind) => { state.tint = kind; }));
    else if (now.reply && now.reply !== now.action) detail.append(fold("Reply, as written", el("code", "code", now.reply)));
  }

  // Whether the thought was that of the environment's own solution; nothing where there was none to compare with.
  function verdict(episode, now) {
    const right = ((episode.raw.info || {}).thoughts_right || [])[now.index];
    if (typeof right !== "boolean") return null;
    return el("div", "verdict", el("span", `badge ${right ? "success" : "failure"}`, right ? "right" : "wrong"), el("span", "muted", "compared with the environment's own solution"));
  }

  function ending(episode) {
    const raw = episode.raw;
    const node = block("Ending", el("div", "facts-grid", fact(number(raw.return), "return"), fact(String(episode.steps.length), "turns")),
      el("div", "ending", el("span", `badge ${episode.outcome}`, raw.cause.replace("_", " ")), el("span", "muted", `${CAUSES[raw.cause] || ""} (${raw.ending})`)));
    if (raw.failure) node.append(el("div", "complaint", el("span", "", raw.failure)));
    return node;
  }

  // The head, the group and the timeline

  function showHead() {
    const { raw } = state.episode;
    const head = $("head");
    head.replaceChildren();
    const kwargs = Object.entries(raw.task.kwargs || {}).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ");
    head.append(el("h2", "", state.episode.name), el("span", "seed", `#${raw.task.seed}${kwargs ? `, ${shorten(kwargs, 60)}` : ""}`));
    if (state.grouped) {
      const all = peers();
      const counted = all.filter((e) => e.outcome !== "void").map((e) => e.raw.return).filter(isNumber);
      const mean = sum(counted) / Math.max(1, counted.length);
      const spread = Math.sqrt(sum(counted.map((value) => (value - mean) ** 2)) / Math.max(1, counted.length));
      head.append(el("span", "badge", `group of ${all.length}`), el("span", "badge success", `${all.filter((e) => e.raw.success).length} solved`),
        el("span", "badge", `return ${number(mean, 2)} \u00b1 ${number(spread, 2)}`));
    } else {
      head.append(el("span", `badge ${state.episode.outcome}`, raw.cause.replace("_", " ")), el("span", "badge number", `return ${number(raw.return, 2)}`));
    }
    head.append(el("span", "badge", `update ${raw.update}, ${raw.phase}`), el("span", "grow"));
    if (peers().length > 1) {
      const toggle = button("text", "", () => { state.grouped = !state.grouped; show(); }, state.grouped ? "Back to the episode" : `Compare group of ${peers().length}`);
      toggle.id = "group";
      toggle.setAttribute("aria-pressed", String(state.grouped));
      head.append(toggle);
    }
  }

  function showCards() {
    const cards = $("cards");
    cards.replaceChildren();
    for (const episode of peers()) {
      const step = Math.min(state.step, episode.slots - 1);
      const now = episode.steps[step];
      const node = button("card", `Open episode ${episode.id}`, () => { state.grouped = false; open(episode, step); });
      node.append(el("span", "top", mark(episode), el("span", "muted", now ? `turn ${step}` : "end"), el("span", "number", fixed(episode.raw.return))));
      const shown = pane(episode, step, null);
      shown.classList.add("small");
      if (state.step > episode.slots - 1) shown.classList.add("over");
      node.append(shown);
      if (now) {
        node.append(el("code", "", now.action === null ? "\u2014" : shorten(now.action, 120)));
        if (now.thought) node.append(el("p", "", shorten(now.thought, 300)));
      } else node.append(el("span", `badge ${episode.outcome}`, episode.raw.cause.replace("_", " ")));
      const strip = el("span", "strip");
      episode.steps.forEach((each, at) => strip.append(el("i", `${each.action_error ? "wrong" : signOf(each.reward)} ${at > step ? "future" : "done"}`)));
      node.append(strip);
      node.setAttribute("aria-current", String(episode === state.episode));
      cards.append(node);
    }
  }

  function showTimeline() {
    const timeline = $("timeline");
    timeline.replaceChildren();
    const count = slots();
    for (let at = 0; at < count; at++) {
      const now = state.grouped ? null : state.episode.steps[at];
      const end = !state.grouped && !now;
      const label = count > 40 ? "" : end ? "end" : String(at);
      const about = now ? `, reward ${number(now.reward)}${now.action_error ? ", action not understood" : ""}` : "";
      const cell = button(`turn${now && now.action_error ? " wrong" : ""}`, end ? "End of the episode" : `Turn ${at}${about}`, () => go(at),
        el("span", "label", label), el("span", `gain ${now ? signOf(now.reward) : ""}`));
      if (at === state.step) {
        cell.setAttribute("aria-current", "step");
        requestAnimationFrame(() => cell.scrollIntoView({ block: "nearest", inline: "nearest" }));
      }
      timeline.append(cell);
    }
    const sofar = sum(state.episode.steps.slice(0, state.step + 1).map((step) => step.reward));
    $("sofar").replaceChildren();
    if (!state.grouped) $("sofar").append("return so far ", el("b", "", number(sofar, 2)));
    $("first").disabled = $("previous").disabled = state.step === 0;
    $("last").disabled = $("next").disabled = state.step >= count - 1;
    $("play").disabled = count < 2;
  }

  // Moving about

  function show() {
    hush();
    state.step = Math.min(Math.max(0, state.step), slots() - 1);
    $("main").classList.toggle("grouped", state.grouped);
    $("stage").hidden = $("detail").hidden = state.grouped;
    $("cards").hidden = !state.grouped;
    showHead();
    if (state.grouped) showCards();
    else { showStage(); showDetail(); }
    showTimeline();
    const link = new URLSearchParams({ episode: state.episode.id, step: state.step });
    if (state.grouped) link.set("view", "group");
    if (location.hash.slice(1) !== link.toString()) history.replaceState(null, "", `#${link}`);
  }

  function go(step) { state.step = step; state.picture = null; show(); }
  function open(episode, step = 0) { state.episode = episode; play(false); go(step); showCurrentRow(); }
  function neighbour(by) {
    if (!visible.length) return;
    const at = visible.indexOf(state.episode);
    open(visible[at < 0 ? 0 : Math.min(Math.max(0, at + by), visible.length - 1)]);
  }
  function play(on) {
    clearInterval(state.timer);
    state.timer = 0;
    if (on && slots() > 1) {
      if (state.step >= slots() - 1) go(0);
      state.timer = setInterval(() => { if (state.step < slots() - 1) go(state.step + 1); if (state.step >= slots() - 1) play(false); }, TURN_MS / state.speed);
    }
    $("play").setAttribute("aria-pressed", String(Boolean(state.timer)));
    $("play").setAttribute("aria-label", state.timer ? "Pause" : "Play");
  }
  function drawer(on) {
    $("sidebar").classList.toggle("open", on);
    $("drawer").setAttribute("aria-expanded", String(on));
  }
  function followLink() {
    const link = new URLSearchParams(location.hash.slice(1));
    const episode = episodes.find((e) => e.id === link.get("episode"));
    if (!episode) return false;
    const step = Number.parseInt(link.get("step"), 10);
    state.grouped = link.get("view") === "group";
    open(episode, Number.isFinite(step) ? step : 0);
    return true;
  }

  const KEYS = {
    ArrowLeft: () => go(state.step - 1), ArrowRight: () => go(state.step + 1), Home: () => go(0), End: () => go(slots() - 1),
    ArrowUp: () => neighbour(-1), ArrowDown: () => neighbour(1), " ": () => play(!state.timer),
    g: () => { if (peers().length > 1) { state.grouped = !state.grouped; show(); } },
    c: () => { state.tint = state.tint === "advantages" ? "logprobs" : "advantages"; show(); },
    "/": () => { drawer(true); $("search").focus(); },
    Escape: () => { drawer(false); if (state.grouped) { state.grouped = false; show(); } },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !state.episode) return;
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (typing && event.key === "Escape") event.target.blur();
    const pressing = event.key === " " && event.target instanceof HTMLElement && event.target.closest("button, summary");
    if (typing || pressing || !Object.hasOwn(KEYS, event.key)) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  put($("title"), data.title);
  $("title").title = Object.entries(data.run.libraries || {}).map(([name, version]) => `${name} ${version}`).join(", ");
  options($("env"), "World", episodes.map((e) => e.env), (id) => id.replace(/^.*\//, ""));
  options($("outcome"), "Ending", episodes.map((e) => e.outcome), (outcome) => (outcome === "void" ? "aborted" : outcome));
  options($("phase"), "Phase", episodes.map((e) => e.raw.phase));
  $("search").addEventListener("input", filter);
  $("first").addEventListener("click", () => go(0));
  $("previous").addEventListener("click", () => go(state.step - 1));
  $("next").addEventListener("click", () => go(state.step + 1));
  $("last").addEventListener("click", () => go(slots() - 1));
  $("play").addEventListener("click", () => play(!state.timer));
  $("speed").addEventListener("click", () => speed(SPEEDS[(SPEEDS.indexOf(state.speed) + 1) % SPEEDS.length]));
  $("drawer").addEventListener("click", () => drawer(!$("sidebar").classList.contains("open")));
  function speed(value) {
    state.speed = value;
    put($("speed"), "").textContent = `${value}\u00d7`;
    $("speed").setAttribute("aria-label", `Speed ${value} times`);
    if (state.timer) play(true);
  }
  speed(1);
  addEventListener("hashchange", followLink);

  filter();
  if (!state.episode) {
    $("main").replaceChildren(el("p", "empty", "There are no episodes in this file."));
  } else if (!followLink()) show();
})();
