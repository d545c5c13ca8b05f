// Which proxy is blocked or failing for which target, and until when.
import { el } from "./dom.js";
import { filters, matches, statusOf } from "./filters.js";
import { state } from "./link.js";
import { t, clock } from "./words.js";

const maxRows = 200;
const boxes = new Map(); // by pool: what is scrolled, and what it shows
let view = null;

export function mountMatrix(element) {
  view = element;
  view.replaceChildren();
  updateMatrix();
}

export function unmountMatrix() {
  view = null;
  boxes.clear();
}

// updateMatrix draws the tables that have changed. Each stays in its box, which
// keeps the place that was scrolled to, and the focus.
export function updateMatrix() {
  if (!view || !state.head) return;
  const pools = state.head.pools.filter((p) => !filters.pool || p.name === filters.pool);
  for (const pool of pools) {
    let box = boxes.get(pool.name);
    if (!box) {
      box = { element: el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": pool.name }), drawn: "" };
      boxes.set(pool.name, box);
      view.append(box.element);
    }
    const next = table(pool), key = JSON.stringify(next);
    if (key === box.drawn) continue;
    box.drawn = key;
    box.element.replaceChildren(draw(next));
  }
  for (const [name, box] of boxes) {
    if (!pools.some((pool) => pool.name === name)) { box.element.remove(); boxes.delete(name); }
  }
}

// table is what a pool's table says, to be compared and drawn.
function table(pool) {
  const rows = state.order.map((id) => state.rows.get(id)).filter((row) => row && row.pool === pool.name && matches(row));
  rows.sort((a, b) => b.troubles.length - a.troubles.length || 0);
  const targets = new Set(pool.targets);
  for (const row of rows) for (const trouble of row.troubles) targets.add(trouble.target);
  return {
    name: pool.name, targets: [...targets].slice(0, 60),
    rows: rows.slice(0, maxRows).map((row) => ({ name: row.name, usable: row.usable, status: statusOf(row), troubles: row.troubles })),
  };
}

function draw(table) {
  if (!table.targets.length) return el("p", { class: "empty" }, el("b", { dir: "auto" }, table.name), " — ", t("noTargets"));
  return el("table", { class: "matrix" },
    el("caption", { dir: "auto" }, table.name),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("proxy")), ...table.targets.map((target) => el("th", { scope: "col", dir: "ltr" }, target)))),
    el("tbody", {}, ...table.rows.map((row) => el("tr", {}, el("th", { scope: "row", dir: "auto" }, row.name),
      ...table.targets.map((target) => cell(row, row.troubles.find((x) => x.target === target)))))));
}

function cell(row, trouble) {
  if (!trouble) return row.usable ? el("td", { class: "good" }, t("ok")) : el("td", { class: "dim" }, t(row.status));
  const until = trouble.until ? t(trouble.blocked ? "until" : "nextTry", clock(trouble.until)) : "";
  return el("td", { class: trouble.blocked ? "fair" : "bad" }, t(trouble.blocked ? "blocked" : "failing"), until && el("small", {}, until));
}
