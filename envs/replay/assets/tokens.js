// The token strip: one chip a token, coloured by advantage or log-probability, with a tooltip.
"use strict";
const LEAST_LOGPROB = -5;

// The tokens of one turn. `tint` names the numbers that colour them; `choose` is told when another is wanted.
function tokens(turn, wanted, greatest, choose) {
  const kinds = [["advantages", "Advantage"], ["logprobs", "Log-probability"]].filter(([kind]) => (turn[kind] || []).some(isNumber));
  const tint = kinds.some(([kind]) => kind === wanted) ? wanted : kinds.length ? kinds[0][0] : "";
  const node = block(`Tokens (${turn.tokens.length})`);
  const choice = el("div", "segmented");
  choice.setAttribute("role", "group");
  choice.setAttribute("aria-label", "Colour of the tokens");
  for (const [kind, label] of kinds) {
    const each = button("", "", () => { choose(kind); node.replaceWith(tokens(turn, kind, greatest, choose)); }, label);
    each.setAttribute("aria-pressed", String(kind === tint));
    choice.append(each);
  }
  node.firstChild.append(choice);
  const strip = el("div", "tokens");
  turn.tokens.forEach((token, at) => strip.append(chip(turn, at, tint, greatest)));
  node.append(strip, legend(turn, tint, greatest));
  return node;
}

function chip(turn, at, tint, greatest) {
  const node = el("span", "token");
  for (const piece of String(turn.tokens[at]).split(/( |\n|\t)/)) {
    if (piece === " ") node.append(el("i", "", "\u00b7"));
    else if (piece === "\n") node.append(el("i", "", "\u21b5"));
    else if (piece === "\t") node.append(el("i", "", "\u21e5"));
    else put(node, piece);
  }
  const value = tint && turn[tint] ? turn[tint][at] : null;
  if (isNumber(value)) {
    const share = tint === "advantages" ? Math.abs(value) / greatest : Math.min(1, value / LEAST_LOGPROB);
    node.classList.add(tint === "logprobs" ? "logprob" : value >= 0 ? "advantage-up" : "advantage-down");
    node.style.setProperty("--share", `${(Math.max(0, share) * 62).toFixed(1)}%`);
  }
  const versions = turn.versions || [];
  if (at > 0 && versions.length && versions[at] !== versions[at - 1]) node.classList.add("switch");
  node.tabIndex = -1;
  node.addEventListener("pointerenter", () => tell(node, turn, at));
  node.addEventListener("focus", () => tell(node, turn, at));
  node.addEventListener("pointerleave", hush);
  node.addEventListener("blur", hush);
  return node;
}

function legend(turn, tint, greatest) {
  if (!tint) return el("div", "legend", "no numbers were recorded");
  const ends = tint === "advantages" ? [number(-greatest, 2), signed(greatest, 2)] : ["p = 1", `p \u2264 ${number(Math.exp(LEAST_LOGPROB), 3)}`];
  const node = el("div", "legend", ends[0], el("span", `ramp ${tint === "advantages" ? "advantage" : "logprob"}`), ends[1], el("span", "grow"));
  const logprobs = (turn.logprobs || []).filter(isNumber);
  if (logprobs.length) node.append(el("span", "", `mean log-prob ${number(sum(logprobs) / logprobs.length)}`));
  return node;
}

function tell(node, turn, at) {
  const tip = $("tooltip");
  tip.replaceChildren(el("b", "", JSON.stringify(turn.tokens[at])));
  const fields = { logprobs: "log-probability", advantages: "advantage", versions: "weight version" };
  for (const [key, values] of Object.entries(turn)) {
    if (key === "tokens" || !Array.isArray(values) || values.length !== turn.tokens.length) continue;
    const value = typeof values[at] === "number" || values[at] === null ? number(values[at], 4) : String(values[at]);
    tip.append(el("div", "", el("span", "", fields[key] || key), el("span", "", value)));
    if (key === "logprobs" && isNumber(values[at])) tip.append(el("div", "", el("span", "", "probability"), el("span", "", number(Math.exp(values[at]), 4))));
  }
  tip.hidden = false;
  const anchor = node.getBoundingClientRect();
  const box = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, anchor.left + anchor.width / 2 - box.width / 2), innerWidth - box.width - 8);
  const top = anchor.top - box.height - 7 > 4 ? anchor.top - box.height - 7 : anchor.bottom + 7;
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}
function hush() { $("tooltip").hidden = true; }
