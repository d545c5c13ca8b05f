// Plots: traffic, cost and response time by hour or by day, by proxy.
import { el } from "./dom.js";
import { call, state, idOf } from "./link.js";
import { filters, setFilter } from "./filters.js";
import { t, number, bytes, dollars, millis } from "./words.js";

const ranges = { "": { hours: 24, by: "hour" }, hours72: { hours: 72, by: "hour" }, days30: { hours: 720, by: "day" } };
const most = 6; // proxies that have a line of their own
let turn = 0, typing = 0, plots = [];

export function unmountPlots() {
  turn++;
  clearTimeout(typing);
  for (const plot of plots) plot.end();
  plots = [];
}

export function mountPlots(view) {
  const box = el("div", { class: "plots" }), count = el("output", { class: "count" });
  const choose = (name, label, options) => el("label", {}, el("span", {}, label),
    el("select", { id: "f-" + name, onchange: (e) => { setFilter(name, e.target.value); draw(box, count); } },
      ...options.map(([value, text]) => el("option", { value, selected: filters[name] === value }, text))));
  const pools = (state.head?.pools || []).map((p) => [p.name, p.name]);
  const search = el("input", {
    type: "search", id: "f-q", value: filters.q, placeholder: t("search"), "aria-label": t("search"),
    oninput: (e) => { setFilter("q", e.target.value); clearTimeout(typing); typing = setTimeout(draw, 300, box, count); },
  });
  view.replaceChildren(el("div", { class: "filters" }, search, choose("range", t("range"), Object.keys(ranges).map((key) => [key, t(key || "hours24")])),
    pools.length > 1 ? choose("pool", t("pool"), [["", t("any")], ...pools]) : null, count), box);
  draw(box, count);
}

// load fetches what draws when the first plot is asked for: the page does without.
const load = () => import("./chart.js").then((module) => module.load());

// draw shows what the filters ask for, unless they ask for something else by
// the time that the answers are there.
async function draw(box, count) {
  const mine = ++turn, range = ranges[filters.range] || ranges[""];
  if (!box.children.length) box.append(el("p", { class: "empty" }, t("running")));
  try {
    const [chart, found] = await Promise.all([load(), usage(range)]);
    if (mine !== turn) return;
    for (const plot of plots) plot.end();
    const days = range.by === "day", times = found.keys.map((key) => Date.parse(days ? key + "T00:00:00Z" : key) / 1000);
    const plot = (title, format, value, isBytes = false) => chart({
      title: t(title), times, days, format, isBytes,
      lines: found.lines.map((line) => ({ name: line.name, total: value(line.total), values: line.rows.map(value) })),
    });
    plots = [plot("plotTraffic", bytes, carried, true), plot("plotCost", dollars, (row) => row.cost_usd), plot("plotResponse", millis, (row) => row.response_ms)];
    box.replaceChildren(...plots.map((p) => p.figure));
    count.textContent = found.of > found.lines.length ? t("mostUsed", number(found.lines.length), number(found.of)) : "";
  } catch (error) {
    if (mine !== turn) return;
    for (const plot of plots) plot.end();
    plots = [];
    box.replaceChildren(el("p", { class: "empty" }, t("failedCall", error.message)));
  }
}

const carried = (row) => row.bytes_in + row.bytes_out;

// usage is what those of the wanted proxies used that used the most. Where the
// hours and days begin is for the server to say, which knows the time zone.
async function usage(range) {
  const stamp = (time) => new Date(time).toISOString().slice(0, 19) + "Z", now = Date.now();
  const pool = filters.pool ? { pool: filters.pool } : {};
  const ask = (params) => call("usage?" + new URLSearchParams({ to: stamp(now), ...pool, ...params })).then((answer) => answer.rows);
  const keys = (await ask({ by: range.by, empty: true, from: stamp(now - range.hours * 3600e3) })).map((row) => row.key);
  const proxies = (await ask({ by: "proxy", from: keys[0] })).filter((row) => isWanted(row.key) && (carried(row) > 0 || row.response_ms !== null));
  proxies.sort((a, b) => carried(b) - carried(a));
  const lines = await Promise.all(proxies.slice(0, most).map(async (total) => {
    const at = total.key.indexOf("/");
    const pool = total.key.slice(0, at), proxy = total.key.slice(at + 1);
    const rows = await ask({ by: range.by, empty: true, from: keys[0], pool, proxy });
    const byKey = new Map(rows.map((row) => [row.key, row]));
    return { name: idOf(pool, proxy), total, rows: keys.map((key) => byKey.get(key)) };
  }));
  return { keys, lines, of: proxies.length };
}

// isWanted is about proxies that are configured no more, too.
function isWanted(id) {
  const q = filters.q.trim().toLowerCase();
  return !q || id.toLowerCase().includes(q) || Boolean(state.rows.get(id)?.url.toLowerCase().includes(q));
}
