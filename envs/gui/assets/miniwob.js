// What the environment asks a MiniWoB++ page; evaluated in it after it has loaded.
"use strict";
window.saccade = (() => {
  const OUTSIDE = "#reward-display, #click-canvas, #sync-task-cover, script, style";

  // The carets of text fields blink, and the display of past rewards would give the agent away.
  const style = document.createElement("style");
  style.textContent = "* { caret-color: transparent !important } #reward-display, #click-canvas { opacity: 0 }";
  document.head.append(style);

  function box(node) {
    const { left, top, width, height } = node.getBoundingClientRect();
    return [left, top, width, height].map(Math.round);
  }

  // The own text, value and box of every visible element, in document order; refs and clocks are left out.
  function elements() {
    const found = [];
    for (const node of document.body.querySelectorAll("*")) {
      if (node.closest(OUTSIDE)) continue;
      const place = box(node);
      if (!place[2] || !place[3]) continue;
      const text = [...node.childNodes].filter(child => child.nodeType === Node.TEXT_NODE)
        .map(child => child.data.trim()).join(" ").trim();
      const value = node.type === "checkbox" || node.type === "radio" ? node.checked : node.value ?? null;
      const kind = String(node.getAttribute("class") ?? "");
      found.push([node.tagName, kind, ...place, text, value, node === document.activeElement]);
    }
    return found;
  }

  // A pixel at which a click reaches the element: its centre if possible, else the first that shows, else null.
  function reachable(node) {
    const [left, top, width, height] = box(node);
    const shows = (x, y) => node.contains(document.elementFromPoint(x, y));
    const middle = [left + (width >> 1), top + (height >> 1)];
    if (shows(...middle)) return middle;
    for (let y = top + 2; y < top + height - 2; y += 2)
      for (let x = left + 2; x < left + width - 2; x += 2)
        if (shows(x, y)) return [x, y];
    return null;
  }

  function read() {
    const said = core.getUtterance();
    return {
      utterance: typeof said === "string" ? said : said.utterance,
      elements: elements(),
      buttons: Object.fromEntries([...document.querySelectorAll("#area button")]
        .map(node => [node.textContent.trim(), reachable(node)])),
      done: WOB_DONE_GLOBAL,
      reward: WOB_RAW_REWARD_GLOBAL,
      reason: WOB_REWARD_REASON ?? null,
    };
  }

  async function ready() {
    while (!WOB_TASK_READY) await new Promise(wake => setTimeout(wake, 10));
  }

  return {
    async begin(seed) {
      await ready();
      Math.seedrandom(seed);
      core.EPISODE_MAX_TIME = 2 ** 31 - 1;  // milliseconds: the longest that a timer can wait
      core.startEpisodeReal();
      await ready();
    },

    read,
  };
})();
