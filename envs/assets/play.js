// The page of `saccade play`. What worlds wrote enters it through `put` of text.js, as text nodes only.
"use strict";
const PAUSE = 900;  // milliseconds without a key, after which what was typed is sent
let view = null;
let typed = "";
let timer = 0;
let queue = Promise.resolve();

// Requests go out one after another; the picture is that of the last answer.
function ask(path, body) {
  queue = queue.then(async () => {
    document.body.classList.add("busy");
    try {
      const reply = await fetch(path, body && {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      const answer = await reply.json();
      if (answer.error) note(answer.error);
      else if ("demo" in answer) suggest(answer.demo);
      else await show(answer);
    } catch {
      note("The game does not answer: is `saccade play` still running?");
    }
    document.body.classList.remove("busy");
  });
}

const act = (action) => ask("act", { action });

function write(id, text) { $(id).replaceChildren(); put($(id), text); }
function note(...children) { $("note").replaceChildren(el("div", "", ...children)); }

function suggest(demo) {
  if (!demo) return note("No demonstration is known.");
  note(demo.thought && el("div", "thought", demo.thought), el("div", "code", demo.action));
  $("action").value = demo.action;
  $("action").focus();
}

async function show(answer) {
  const focused = document.activeElement?.id;
  view = answer;
  document.title = view.title;
  for (const name of ["title", "status", "instructions", "goal", "help"]) write(name, view[name]);
  $("status").className = `badge ${view.end ? (view.end.success ? "success" : view.end.failure ? "void" : "failure") : ""}`;
  const { click, type, press } = view.hand;
  write("hint", [
    click && "Click the picture.", (type || press) && "With the picture in focus, keys go to it.", "Any action can be written above.",
  ].filter(Boolean).join(" "));
  await showParts();
  showMoves();
  const last = view.moves.at(-1);
  note(view.done ? "That was the last episode: this page can be closed." : view.end ? "The episode is over." : "",
    last?.error && el("div", "complaint", last.error));
  for (const id of ["action", "go", "demo"]) $(id).disabled = Boolean(view.end);
  $("new").disabled = view.done;
  // Someone who writes goes on without the mouse: Enter acts, and then begins the next task.
  if (view.end && focused === "action") $("new").focus();
  if (!view.end && focused === "new") (click ? pictures()[0] : $("action"))?.focus();
}

async function showParts() {
  const parts = view.parts.map(showPart);
  await Promise.all(parts.map((part) => part.decode?.().catch(() => {})));  // no flicker between two pictures
  const focused = pictures().indexOf(document.activeElement);
  $("seen").replaceChildren(...parts);
  pictures().forEach(fit);
  pictures()[focused]?.focus({ preventScroll: true });
}

function showPart(part) {
  if ("text" in part) return el("div", "prose", part.text);
  if ("sound" in part) return Object.assign(el("audio"), { src: part.sound, controls: true });
  const image = Object.assign(el("img"), { alt: "What the agent sees", src: part.picture, draggable: false });
  const { click, type, press } = view.hand;
  if (view.end) return image;
  if (click || type || press) image.tabIndex = 0;
  image.classList.toggle("clickable", Boolean(click));
  image.addEventListener("click", clicked);
  image.addEventListener("keydown", pressed);
  return image;
}

function showMoves() {
  $("moves").replaceChildren(...view.moves.map((move) =>
    el("li", "", el("code", "", move.action), move.reward !== 0 && ` reward ${signed(move.reward)}`,
      move.error && el("div", "complaint", move.error))));
}

const pictures = () => [...$("seen").querySelectorAll("img")];

// As large as there is room for: small pictures by a whole number, so that all their pixels are of one size.
function fit(image) {
  const style = getComputedStyle($("seen"));
  const room = $("seen").clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const scale = Math.min(room / image.naturalWidth, (innerHeight - 160) / image.naturalHeight);
  image.width = image.naturalWidth * (scale > 1 ? Math.floor(scale) : Math.max(scale, 0.1));
}

function clicked(event) {
  const image = event.currentTarget;
  if (!view.hand.click || document.body.classList.contains("busy")) return;  // a click means the picture that is seen
  const box = image.getBoundingClientRect();
  const pixel = (at, length, count) => Math.min(count - 1, Math.max(0, Math.floor((at / length) * count)));
  const x = pixel(event.clientX - box.left, box.width, image.naturalWidth);
  const y = pixel(event.clientY - box.top, box.height, image.naturalHeight);
  send();
  act(`${view.hand.click}(${x}, ${y})`);
}

// Letters are gathered to one action; any other key is an action of its own.
function pressed(event) {
  const { type, press, keys } = view.hand;
  const held = event.getModifierState("AltGraph") ? [] : [
    event.ctrlKey && "Control", event.altKey && "Alt", event.metaKey && "Meta",
    event.shiftKey && event.key.length > 1 && "Shift",
  ].filter(Boolean);
  if (event.isComposing) return;
  const chord = [...held, event.key === " " ? "Space" : event.key].join("+");
  if (type && !held.length && event.key.length === 1) {
    typed += event.key;
    write("typed", `typing: ${typed}`);
    clearTimeout(timer);
    timer = setTimeout(send, PAUSE);
  } else if (press && keys.includes(chord)) {
    send();
    act(`${press}(${JSON.stringify(chord)})`);
  } else return;
  event.preventDefault();
}

// Send what was typed.
function send() {
  clearTimeout(timer);
  if (typed) act(`${view.hand.type}(${JSON.stringify(typed)})`);
  typed = "";
  write("typed", "");
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const action = $("action").value.trim();
  send();
  if (action) act(action);
  $("action").value = "";
});
$("demo").addEventListener("click", () => { send(); ask("demo", {}); });
$("new").addEventListener("click", () => { send(); ask("new", {}); });
addEventListener("resize", () => pictures().forEach(fit));
ask("view");
