// One proxy of the ladder.
import { el, svg, setText, setClass, setTitle } from "./dom.js";
import { statusOf } from "./filters.js";
import { state } from "./link.js";
import { menu } from "./actions.js";
import { reason, targets } from "./reasons.js";
import { t, number, percent, dollars, millis, bytes, span, clock } from "./words.js";

const columns = ["proxy", "status", "priority", "cost", "uptime", "response", "requests", "traffic", "checks", "next"];

export const heading = () => el("div", { class: "row head", "aria-hidden": "true" }, ...columns.map((c) => el("span", { class: "c-" + c }, t(c))), el("span", { class: "c-menu" }));

// makeRow is a row that only says who it is.
export function makeRow(id) {
  const name = el("strong", { dir: "auto" }), kind = el("small", { dir: "auto" }), address = el("small", { class: "address", dir: "ltr" });
  const proxy = el("div", { class: "c-proxy" }, name, kind, address);
  return { id, element: el("li", { class: "row", role: "listitem", "data-id": id }, proxy), name, kind, address, cells: null };
}

export function nameRow(row, view) {
  setText(view.name, row.name);
  setText(view.kind, t(row.type === "other" ? "other_type" : row.type) + (state.head?.pools.length > 1 ? " · " + row.pool : ""));
  setText(view.address, row.url);
}

// strip leaves of a row no more than who it is.
export function strip(view) {
  if (!view.cells) return;
  for (const part of [...Object.values(view.cells), view.menu]) part.remove();
  view.cells = null;
}

// furnish puts in all that fillRow fills.
export function furnish(view) {
  if (view.cells) return;
  const cells = {};
  for (const name of columns) if (name !== "proxy") cells[name] = el("div", { class: "c-" + name, "data-name": t(name) });
  const badge = el("span"), since = el("small", { class: "since" }), reason = el("small", { class: "reason" });
  cells.status.append(badge, " ", since, reason);
  const price = el("span"), filled = svg("rect", { height: 4, width: 0 }), budget = el("small");
  const bar = svg("svg", { class: "bar-svg", viewBox: "0 0 100 4", preserveAspectRatio: "none" }, filled);
  cells.cost.append(price, bar, budget);
  const uptime = el("span"), response = el("span");
  cells.uptime.append(uptime);
  cells.response.append(response);
  const good = svg("path", { class: "good" }), bad = svg("path", { class: "bad" });
  const beats = svg("svg", { class: "beats", viewBox: "0 0 120 20", role: "img" }, svg("path", { class: "track", d: track }), good, bad);
  cells.checks.append(beats);
  Object.assign(view, { cells, badge, since, reason, price, bar, filled, budget, uptime, response, good, bad, beats, menu: menu(view.element) });
  view.element.append(...Object.values(cells), view.menu);
}

const grade = (value, good, fair) => value >= good ? "good" : value >= fair ? "fair" : "bad";

// track is the place of thirty checks.
const track = Array.from({ length: 30 }, (_, i) => `M${i * 4} 16h3v4h-3z`).join("");

function drawBeats(row, view) {
  let good = "", bad = "", failed = 0;
  const n = row.beats.length / 2;
  for (let i = 0; i < n; i++) {
    const ms = row.beats[2 * i + 1], x = 120 - (n - i) * 4;
    const height = ms < 0 ? 20 : Math.min(20, 4 + Math.log10(1 + ms) * 4);
    const cell = `M${x} ${(20 - height).toFixed(1)}h3V20h-3z`;
    if (ms < 0) { bad += cell; failed++; } else good += cell;
  }
  if (view.good.getAttribute("d") !== good) view.good.setAttribute("d", good);
  if (view.bad.getAttribute("d") !== bad) view.bad.setAttribute("d", bad);
  view.beats.setAttribute("aria-label", `${number(n)} ${t("checks")}, ${number(failed)} ${t("failed")}`);
}

function priceOf(row) {
  const parts = row.cost_per_gb ? [t("perGB", dollars(row.cost_per_gb)), dollars(row.estimated_cost)] : [t("free")];
  if (row.cost_per_month) parts.push(t("perMonth", dollars(row.cost_per_month)));
  return parts.join(" · ");
}

function showBudget(row, view) {
  const b = row.budget;
  view.bar.classList.toggle("gone", !b);
  if (!b) { setText(view.budget, ""); return; }
  const used = Math.min(100, b.used / b.limit * 100);
  view.filled.setAttribute("width", used.toFixed(1));
  view.filled.setAttribute("class", used >= 100 ? "bad" : used >= 80 ? "fair" : "good");
  const amount = (n) => b.unit === "usd" ? dollars(n) : bytes(n * 2 ** 30);
  setText(view.budget, t("budget", amount(b.used), amount(b.limit), t("per_" + b.per)));
}

function reasonOf(row) {
  const parts = [];
  if (row.reason) parts.push(reason(row.reason));
  if (row.failing_for.length) parts.push(t("failingFor", targets(row.failing_for)));
  if (row.blocked_for.length && row.status !== "blocked") parts.push(t("blockedFor", targets(row.blocked_for)));
  return parts.join(t("semicolon"));
}

export const isCarrier = (row) => Boolean(state.head?.pools.some((p) => p.name === row.pool && p.carrier === row.name));

export function fillRow(row, view) {
  const status = statusOf(row), { cells } = view;
  setTitle(view.address, row.url);
  setClass(view.badge, "badge s-" + status);
  setText(view.badge, t(status));
  setText(view.reason, reasonOf(row));
  setTitle(view.reason, row.last_error ? t("lastError", reason(row.last_error)) : "");
  setText(cells.priority, number(row.priority));
  setText(view.price, priceOf(row));
  showBudget(row, view);
  setText(view.uptime, percent(row.uptime));
  setClass(view.uptime, "badge " + grade(row.uptime, 95, 80));
  const measured = row.response_time_ms || row.beats.some((ms, i) => i % 2 && ms >= 0);
  setText(view.response, measured ? millis(Math.max(1, row.response_time_ms)) : t("unknown"));
  setClass(view.response, measured ? "badge " + grade(-row.response_time_ms, -499, -1999) : "badge");
  setText(cells.requests, number(row.total_requests) + (row.failed_requests ? ` (${number(row.failed_requests)} ${t("failed")})` : ""));
  setText(cells.traffic, bytes(row.traffic_mb * 2 ** 20));
  drawBeats(row, view);
  view.element.classList.toggle("carries", isCarrier(row));
  tickRow(row, view);
}

// tickRow writes what changes by the clock alone.
export function tickRow(row, view) {
  const now = Date.now();
  const since = statusOf(row) === row.status ? row.since : null; // when it was disabled, or its budget spent, is not known
  setText(view.since, since ? t("since", span((now - Date.parse(since)) / 1000)) : "");
  setTitle(view.since, since ? clock(since) : "");
  const next = row.next_check ? (Date.parse(row.next_check) - now) / 1000 : null;
  setText(view.cells.next, next === null ? t("never") : next < 1 ? t("now") : t("in", span(next)));
}
