"use strict";
// What all sites share. A site is one document; its pages are addresses such as /cart, each drawn from `state`.
//
//   site.pages({
//     "": () => [h("h1", {}, "Fruit"), site.link("Cart", "/cart")],
//     cart: () => [site.button("Order", () => site.commit(state => { state.orders.push(...); }))],
//   });
//
// The state lies in localStorage: another tab sees it, a reload keeps it, the next episode's context does not have it.
// Text is set as text and never parsed as markup.

function h(tag, properties, ...children) {
  const { aria = {}, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  for (const [key, value] of Object.entries(aria)) node.setAttribute(`aria-${key}`, value);
  node.append(...children.flat().filter(child => child !== null));
  return node;
}

const site = (() => {
  let drawn = {};
  let menu = [];
  let drafts = {};    // what stands in the fields of the page that is shown, by name
  let message = "";
  const ready = Promise.all([...document.fonts].map(face => face.load()));  // no picture before its letters

  const store = () => JSON.parse(localStorage.getItem("saccade") ?? '{"state": {}, "done": false}');
  const keep = (state, done) => localStorage.setItem("saccade", JSON.stringify({ state, done }));
  const route = () => location.pathname.split("/").slice(1).map(decoded);

  // A part of an address; one that stands for no text, such as %zz, is itself.
  function decoded(part) {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  }

  function draw() {
    const { state, done } = store();
    const [name, ...rest] = route();
    const page = done ? () => h("p", {}, "Done.") : Object.hasOwn(drawn, name) ? drawn[name] : null;
    // A page gets the rest of its address and the state: fewer or more parts than it takes are no page of the site.
    const body = page && (done || page.length === rest.length + 1) ? page(...rest, state) : null;
    const links = menu.map(([label, path]) => link(label, path));
    document.body.replaceChildren(
      ...(links.length && !done ? [h("nav", {}, ...links)] : []),
      h("main", {}, ...[body ?? h("p", {}, "There is no such page.")].flat(), ...(message ? [h("output", {}, message)] : [])));
  }

  // Go to another page of the site.
  function go(path) {
    drafts = {};
    message = "";
    history.pushState(null, "", path);
    draw();
    scrollTo(0, 0);
  }

  // Change the state and draw the page again; what was written in fields stays.
  function change(act) {
    const { state, done } = store();
    message = act(state) ?? "";
    keep(state, done);
    draw();
  }

  // The last act of a task: what stands in the state now is what counts.
  function commit(act) {
    const { state } = store();
    const complaint = act(state) ?? "";
    message = complaint;
    if (!complaint) {
      keep(state, true);
      drafts = {};
    }
    draw();
  }

  function link(label, path) {
    const node = h("a", { href: path, textContent: label });
    node.addEventListener("click", event => { event.preventDefault(); go(path); });
    return node;
  }

  function button(label, act) {
    const node = h("button", { type: "button", textContent: label });
    node.addEventListener("click", act);
    return node;
  }

  // A text field with its label; `site.value(name)` is what stands in it.
  function field(name, start = "") {
    const node = h("input", { type: "text", name, maxLength: 80, value: drafts[name] ?? start, autocomplete: "off" });
    drafts[name] ??= start;
    node.addEventListener("input", () => { drafts[name] = node.value; });
    return h("label", {}, name, node);
  }

  // A box to tick, or one of several options of which one holds (`group` then names them).
  function option(label, checked, act, group = "") {
    const node = h("input", { type: group ? "radio" : "checkbox", name: group || label, checked });
    node.addEventListener("change", () => act(node.checked));
    return h("label", { className: "option" }, node, label);
  }

  addEventListener("popstate", () => { drafts = {}; message = ""; draw(); });
  addEventListener("storage", draw);

  return {
    go, change, commit, link, button, field, option,
    value: name => (drafts[name] ?? "").trim(),

    // Declare the pages by the first part of their address, and links that stand on each of them.
    pages(all, links = []) {
      drawn = all;
      menu = links;
      draw();
    },

    // Begin an episode: forget everything and show the first page.
    async begin(state) {
      await ready;
      localStorage.clear();
      keep(state, false);
      drafts = {};
      message = "";
      history.replaceState(null, "", "/");
      document.activeElement?.blur();
      getSelection().removeAllRanges();
      draw();
      scrollTo(0, 0);
    },

    // All that a task knows of the site.
    read() {
      const focus = document.activeElement;
      const typed = focus instanceof HTMLInputElement && focus.type === "text" ? focus : null;
      return {
        path: route(),
        ...store(),
        drafts,
        message,
        focus: typed?.name ?? null,
        selected: Boolean(typed?.value) && typed.selectionEnd - typed.selectionStart === typed.value.length,
        scroll: scrollY,
      };
    },
  };
})();
