// Text, numbers and elements. Everything that models and worlds wrote enters the page through `put`, as text nodes only.
"use strict";
const $ = (id) => document.getElementById(id);

// Control, zero-width and bidirectional characters could hide or reorder what is read: they are shown by name.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

function put(node, value) {
  const text = String(value);
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    node.append(text.slice(from, match.index));
    const name = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    const shown = document.createElement("span");
    shown.className = "control";
    shown.textContent = name;
    shown.title = "U+" + name;
    node.append(shown);
    from = match.index + match[0].length;
  }
  node.append(text.slice(from));
  return node;
}

function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const child of children) {
    if (child instanceof Node) node.append(child);
    else if (child !== null && child !== undefined && child !== false) put(node, child);
  }
  return node;
}

function button(className, label, act, ...children) {
  const node = el("button", className, ...children);
  node.type = "button";
  if (label) node.setAttribute("aria-label", label);
  node.addEventListener("click", act);
  return node;
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const minus = (text) => text.replace("-", "\u2212");
function number(value, digits = 3) {
  if (!isNumber(value)) return "not finite";
  return minus(Number(value.toFixed(digits)) === 0 && value !== 0 ? value.toExponential(1) : String(+value.toFixed(digits)));
}
const fixed = (value) => (isNumber(value) ? minus(value.toFixed(2)) : "not finite");
const signed = (value, digits) => (isNumber(value) && value > 0 ? "+" : "") + number(value, digits);
const signOf = (value) => (value > 0 ? "positive" : value < 0 ? "negative" : "");
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const sum = (values) => values.reduce((total, value) => total + (isNumber(value) ? value : 0), 0);

function block(title, ...children) { return el("section", "block", el("h3", "", title), ...children); }
