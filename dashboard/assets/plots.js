// Plots: traffic and cost by hour or day, and how long the last checks took.
import { el, svg } from "./dom.js";
import { call, state } from "./link.js";
import { filters, setFilter, matches } from "./filters.js";
import { t, bytes, dollars, millis, clock } from "./words.js";

const width = 720, height = 200, most = 6; // proxies that have a line of their own
const ranges = { "": { hours: 24, by: "hour" }, hours72: { hours: 72, by: "hour" }, days30: { hours: 720, by: "day" } };
let mounted = 0;

export function unmountPlots() { mounted++; }

export async function mountPlots(view) {
  const turn = ++mounted;
  const box = el("div", { class: "plots" }, el("p", { class: "empty" }, t("running")));
  const choose = el("label", {}, el("span", {}, t("range")), el("select", { id: "f-range", onchange: (e) => { setFilter("range", e.target.value); mountPlots(view); } },
    ...Object.keys(ranges).map((key) => el("option", { value: key, selected: filters.range === key }, t(key || "hours24")))));
  view.replaceChildren(el("div", { class: "filters" }, choose), box);
  try {
    const lines = await usage(ranges[filters.range] || ranges[""]);
    if (turn !== mounted) return;
    box.replaceChildren(plot(t("plotTraffic"), lines.map((l) => ({ name: l.name, points: l.traffic })), bytes),
      plot(t("plotCost"), lines.map((l) => ({ name: l.name, points: l.cost })), dollars), plot(t("plotResponse"), responses(), millis));
  } catch (error) {
    if (turn === mounted) box.replaceChildren(el("p", { class: "empty" }, t("failedCall", error.message)));
  }
}

// usage is the usage of those proxies that had the most of it.
async function usage(range) {
  const step = range.by === "hour" ? 3600e3 : 86400e3, to = Date.now(), from = to - range.hours * 3600e3;
  const span = { from: new Date(from).toISOString().slice(0, 19) + "Z", to: new Date(to).toISOString().slice(0, 19) + "Z" };
  const pool = filters.pool ? { pool: filters.pool } : {};
  const ask = (params) => call("usage?" + new URLSearchParams({ ...span, ...pool, ...params })).then((answer) => answer.rows);
  const weight = (row) => row.bytes_in + row.bytes_out;
  const proxies = (await ask({ by: "proxy" })).filter((row) => weight(row) > 0).sort((a, b) => weight(b) - weight(a)).slice(0, most);
  return Promise.all(proxies.map(async ({ key }) => {
    const at = key.indexOf("/");
    const rows = await ask({ by: range.by, pool: key.slice(0, at), proxy: key.slice(at + 1) });
    const found = new Map(rows.map((row) => [slot(row.key, step), row]));
    const traffic = [], cost = [];
    for (let time = Math.floor(from / step) * step; time <= to; time += step) {
      const row = found.get(Math.floor(time / step));
      traffic.push([time, row ? weight(row) : 0]);
      cost.push([time, row ? row.cost_usd : 0]);
    }
    return { name: key, traffic, cost };
  }));
}

// slot is the number of the hour or day of a key; half an hour's offset is
// rounded away.
const slot = (key, step) => Math.floor(Date.parse(key.length > 10 ? key : key + "T00:00:00Z") / step);

function responses() {
  const rows = state.order.map((id) => state.rows.get(id)).filter((row) => row && matches(row) && row.beats.length > 2);
  return rows.slice(0, most).map((row) => {
    const points = [];
    for (let i = 0; i < row.beats.length; i += 2) if (row.beats[i + 1] >= 0) points.push([row.beats[i] * 1000, row.beats[i + 1]]);
    return { name: row.id, points };
  });
}

function plot(title, given, format) {
  const lines = given.filter((line) => line.points.length > 1);
  const figure = el("figure", {}, el("figcaption", {}, title));
  const all = lines.flatMap((line) => line.points);
  if (!all.length) { figure.append(el("p", { class: "empty" }, t("noData"))); return figure; }
  const xs = all.map((p) => p[0]), top = Math.max(...all.map((p) => p[1])) || 1;
  const left = Math.min(...xs), right = Math.max(...xs, left + 1);
  const x = (v) => 8 + (v - left) / (right - left) * (width - 16), y = (v) => height - 20 - v / top * (height - 36);
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  for (const share of [0, 0.5, 1]) {
    chart.append(svg("line", { class: "grid", x1: 8, x2: width - 8, y1: y(top * share), y2: y(top * share) }));
    if (share) chart.append(svg("text", { x: 10, y: y(top * share) - 3 }, format(top * share)));
  }
  chart.append(svg("text", { x: 8, y: height - 5 }, clock(left)), svg("text", { x: width - 8, y: height - 5, "text-anchor": "end" }, clock(right)));
  lines.forEach((line, i) => chart.append(svg("path", { class: "line l" + i, d: "M" + line.points.map((p) => x(p[0]).toFixed(1) + " " + y(p[1]).toFixed(1)).join("L") })));
  figure.append(chart, el("ul", { class: "legend" }, ...lines.map((line, i) => el("li", { class: "l" + i, dir: "auto" }, line.name))));
  return figure;
}
