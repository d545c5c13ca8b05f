// The ladder: all proxies in the order of trying, filtered. Rows are kept by
// their proxy, and only those that changed are written, a few milliseconds' worth
// in each frame.
import { el, setText } from "./dom.js";
import { filters, setFilter, matches } from "./filters.js";
import { heading, makeRow, fillRow, tickRow } from "./row.js";
import { state } from "./link.js";
import { t, number } from "./words.js";

const budget = 12; // milliseconds of one frame
const changes = 120; // rows that one frame shows or hides, because each costs layout
const views = new Map();
let list = null, count = null, none = null, poolSelect = null, queue = new Set(), planned = 0, seen = null, left = null;

const select = (name, options) => el("label", {}, el("span", {}, t(name)),
  el("select", { id: "f-" + name, onchange: (e) => { setFilter(name, e.target.value); filter(); } },
    ...["", ...options].map((o) => el("option", { value: o, selected: filters[name] === o }, o === "" ? t("any") : label(name, o)))));

function label(name, option) {
  if (name === "active") return t(option === "true" ? "yes" : "no");
  if (name === "pool") return option;
  return t(option === "other" ? "other_type" : option);
}

export function mountLadder(view) {
  views.clear();
  queue = new Set(state.order);
  left = null;
  count = el("output", { class: "count" });
  none = el("p", { class: "empty", hidden: true }, t("none"));
  poolSelect = select("pool", (state.head?.pools || []).map((p) => p.name));
  list = el("ol", { class: "ladder" });
  const search = el("input", { type: "search", id: "f-q", value: filters.q, placeholder: t("search"), "aria-label": t("search"), oninput: (e) => { setFilter("q", e.target.value); filter(); } });
  view.replaceChildren(el("div", { class: "filters" }, search,
    poolSelect, select("type", ["vps", "datacenter", "residential", "other"]),
    select("status", ["healthy", "degraded", "down", "blocked", "disabled", "spent"]), select("active", ["true", "false"]),
    el("button", { type: "button", onclick: clear }, t("clear")), count), heading(), list, none);
  poolSelect.hidden = (state.head?.pools.length || 0) < 2;
  seen = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.target.toggleAttribute("data-seen", entry.isIntersecting);
    tick();
  });
  plan();
}

function clear() {
  for (const name of ["q", "pool", "type", "status", "active"]) setFilter(name, "");
  for (const field of document.querySelectorAll(".filters select, .filters input")) field.value = "";
  filter();
}

export function unmountLadder() {
  cancelAnimationFrame(planned);
  planned = 0;
  seen?.disconnect();
  list = null;
  views.clear();
}

export function updateLadder(what) {
  if (!list) return;
  for (const id of what.order ? state.order : what.rows || []) queue.add(id);
  if (what.head) for (const id of views.keys()) if (isCarrier(id) !== views.get(id).element.classList.contains("carries")) queue.add(id);
  plan();
}

function isCarrier(id) {
  const row = state.rows.get(id);
  return Boolean(row && state.head.pools.some((p) => p.name === row.pool && p.carrier === row.name));
}

function plan() {
  if (!planned) planned = requestAnimationFrame(work);
}

function work() {
  planned = 0;
  if (!list) return;
  if (left) {
    sift();
    if (left) { plan(); return; }
  }
  const end = performance.now() + budget;
  for (const id of queue) {
    if (performance.now() > end) { plan(); return; }
    queue.delete(id);
    const row = state.rows.get(id);
    if (!row) continue;
    let view = views.get(id);
    if (!view) {
      view = makeRow(id);
      views.set(id, view);
      list.append(view.element);
      seen.observe(view.element);
    }
    fillRow(row, view);
    view.element.hidden = !matches(row);
  }
  arrange();
}

// arrange puts the rows into the order of trying, moving as few as it can.
function arrange() {
  for (const [id, view] of views) {
    if (!state.rows.has(id)) { seen.unobserve(view.element); view.element.remove(); views.delete(id); }
  }
  let at = list.firstElementChild;
  for (const id of state.order) {
    const element = views.get(id)?.element;
    if (!element) continue;
    if (element === at) at = at.nextElementSibling;
    else list.insertBefore(element, at);
  }
  tell();
}

function filter() {
  left = state.order.values();
  plan();
}

// sift shows and hides some rows, and goes on with the next frame.
function sift() {
  let changed = 0;
  for (;;) {
    if (changed === changes) return;
    const { value: id, done } = left.next();
    if (done) break;
    const view = views.get(id), row = state.rows.get(id);
    if (!view || !row) continue;
    const hidden = !matches(row);
    if (view.element.hidden !== hidden) { view.element.hidden = hidden; changed++; }
  }
  left = null;
  tell();
}

function tell() {
  let shown = 0;
  for (const view of views.values()) if (!view.element.hidden) shown++;
  setText(count, t("shown", number(shown), number(state.rows.size)));
  none.hidden = shown > 0 || state.rows.size === 0;
}

// tick moves the clocks of the rows that are on the screen.
export function tick() {
  if (!list) return;
  for (const element of list.querySelectorAll("[data-seen]")) {
    const view = views.get(element.dataset.id), row = state.rows.get(element.dataset.id);
    if (view && row) tickRow(row, view);
  }
}
