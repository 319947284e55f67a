// What the environment asks a MiniWoB++ page; evaluated in it after it has loaded.
"use strict";
window.saccade = (() => {
  const SIZE = [160, 210];
  const OUTSIDE = "#reward-display, #click-canvas, #sync-task-cover, #input-flicker";

  // Past rewards would give the agent away, the cover would hide the end, carets blink, and a page is no larger than its
  // picture: some could be scrolled by a few pixels.
  const style = document.createElement("style");
  style.textContent = `* { caret-color: transparent !important } html { overflow: hidden !important }
    ${OUTSIDE} { display: none !important }`;
  document.head.append(style);

  let mouse = SIZE.map(side => side / 2), held = false;
  for (const kind of ["mousemove", "mousedown", "mouseup"])
    addEventListener(kind, event => {
      mouse = [event.clientX, event.clientY];
      held = kind === "mousedown" || (held && kind === "mousemove");
    }, true);

  function box(node) {
    const { left, top, width, height } = node.getBoundingClientRect();
    return [left, top, width, height].map(Math.round);
  }

  function squeezed(text) {
    return text.replace(/\s+/g, " ").trim();
  }

  function nodes() {
    return [...document.body.querySelectorAll("*")].filter(node => !node.closest(`${OUTSIDE}, script, style`));
  }

  function isOn(node) {
    return node.type === "checkbox" || node.type === "radio" ? node.checked : null;
  }

  // The own text, value and box of every visible element, in document order; ids, refs and clocks are left out.
  function elements() {
    const found = [];
    for (const node of nodes()) {
      const place = box(node);
      if (!place[2] || !place[3]) continue;
      const text = [...node.childNodes].filter(child => child.nodeType === Node.TEXT_NODE)
        .map(child => child.data.trim()).join(" ").trim();
      const kind = String(node.getAttribute("class") ?? "");
      found.push([node.tagName, kind, ...place, text, isOn(node) ?? node.value ?? null, node === document.activeElement]);
    }
    return found;
  }

  // A pixel of the task area at which a click reaches the element: its centre if possible, else the first that shows.
  function reachable(node, [left, top, width, height]) {
    const shows = (x, y) =>
      x >= 0 && y >= 0 && x < SIZE[0] && y < SIZE[1] && node.contains(document.elementFromPoint(x, y));
    const middle = [left + (width >> 1), top + (height >> 1)];
    if (shows(...middle)) return middle;
    const [dx, dy] = [width, height].map(side => Math.max(2, Math.floor(side / 12)));
    for (let y = top + 2; y < top + height - 1; y += dy)
      for (let x = left + 2; x < left + width - 1; x += dx)
        if (shows(x, y)) return [x, y];
    return null;
  }

  function scrolls(node) {
    const how = getComputedStyle(node).overflowY;
    return node.scrollHeight > node.clientHeight + 1 && (how === "auto" || how === "scroll");
  }

  // For an element that has to be scrolled to: where to turn the wheel, and by how much.
  function wheel(node, [, top, , height]) {
    for (let around = node.parentElement; around; around = around.parentElement)
      if (scrolls(around)) {
        const room = box(around);
        const low = Math.min(room[1] + room[3], SIZE[1]), high = Math.max(room[1], 0);
        const way = Math.round(top + height / 2 - (low + high) / 2);
        return way && [room[0] + (Math.min(room[2], SIZE[0] - room[0]) >> 1), (low + high) >> 1, way];
      }
    return null;
  }

  // Where the own text of an element begins and ends, in the middle of its first and its last line.
  function ends(node) {
    if (![...node.childNodes].some(child => child.nodeType === Node.TEXT_NODE && child.data.trim())) return null;
    const range = document.createRange();
    range.selectNodeContents(node);
    const lines = [...range.getClientRects()].filter(line => line.width);
    if (!lines.length) return null;
    const first = lines[0], last = lines[lines.length - 1];
    return [first.left, (first.top + first.bottom) / 2, last.right, (last.top + last.bottom) / 2].map(Math.round);
  }

  function describe(node, all) {
    const place = box(node);
    const shown = place[2] > 0 && place[3] > 0;
    const at = shown ? reachable(node, place) : null;
    const slider = window.jQuery?.ui?.slider && jQuery(node).slider("instance");
    return {
      tag: node.localName,
      id: node.id,
      kinds: String(node.getAttribute("class") ?? "").split(/\s+/),
      text: squeezed(node.textContent),
      value: typeof node.value === "string" ? node.value : "",
      on: Boolean(isOn(node) ?? node.selected),
      focus: node === document.activeElement,
      whole: Boolean(node.value) && node === document.activeElement && String(getSelection()) === node.value,
      box: place,
      place: at,
      wheel: shown && !at ? wheel(node, place) : null,
      scrolled: scrolls(node) ? [Math.ceil(node.scrollTop), node.scrollHeight - node.clientHeight] : null,
      range: slider ? [slider.options.min, slider.options.max] : null,
      ends: shown ? ends(node) : null,
      up: all.indexOf(node.parentElement),
      attributes: Object.fromEntries([...node.attributes].map(each => [each.name, each.value])),
    };
  }

  function said() {
    const words = core.getUtterance();
    return typeof words === "string" ? { utterance: words, fields: {} } : words;
  }

  function sleep(milliseconds) {
    return new Promise(wake => setTimeout(wake, milliseconds));
  }

  async function ready() {
    while (!WOB_TASK_READY) await sleep(10);
  }

  // Icons of style sheets have no size until they are loaded. They are files of ours, so that on a busy machine they are
  // waited for longer than the second that any page is given.
  const icons = new Map();
  const hasIcons = [...document.styleSheets].some(sheet => [...sheet.cssRules].some(rule => rule.cssText.includes("url(")));

  async function pictures() {
    if (hasIcons)
      for (const node of nodes()) {
        const { content, backgroundImage } = getComputedStyle(node);
        for (const [, url] of `${content} ${backgroundImage}`.matchAll(/url\("([^"]+)"\)/g))
          if (!icons.has(url)) icons.set(url, Object.assign(new Image(), { src: url }));
      }
    const missing = [...icons.values(), ...document.images].filter(image => !image.complete);
    if (missing.length)
      await Promise.race([sleep(10000), Promise.allSettled(missing.map(image => image.decode()))]);
  }

  return {
    // Returns what the page asks for.
    async begin(seed) {
      await ready();
      Math.seedrandom(seed);
      core.EPISODE_MAX_TIME = 2 ** 31 - 1;  // milliseconds: the longest that a timer can wait
      core.startEpisodeReal();
      await ready();
      if (document.getElementById("terminal-target")) await sleep(250);  // it takes the focus after 200 ms
      return squeezed(said().utterance);
    },

    // The page once its pictures are loaded, and jQuery's animations are over or a second later.
    async read() {
      await pictures();
      for (let waited = 0; window.jQuery?.timers.length && !WOB_DONE_GLOBAL && waited < 1000; waited += 10) await sleep(10);
      return {
        utterance: squeezed(said().utterance),
        elements: elements(),
        selection: String(getSelection()),
        done: WOB_DONE_GLOBAL,
        reward: WOB_RAW_REWARD_GLOBAL,
        reason: WOB_REWARD_REASON ?? null,
      };
    },

    // What demonstrations need to know beyond that.
    look() {
      const all = nodes();
      return {
        goal: squeezed(said().utterance),
        fields: said().fields ?? {},
        mouse,
        held,
        selection: String(getSelection()),
        nodes: all.map(node => describe(node, all)),
      };
    },

    mouse: () => mouse,
  };
})();
