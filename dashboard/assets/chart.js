// One plot: lines over time, drawn by uPlot, with what the page adds to it: its
// words and digits, its colours, the keyboard, and a text in place of the picture.
import { el } from "./dom.js";
import { t, words, moment } from "./words.js";

const height = 220, font = '12px system-ui, "Segoe UI", Vazirmatn, Tahoma, sans-serif';
const colours = ["#3f7fe0", "#e0803f", "#3fae73", "#b25fd0", "#d04f68", "#8a8f2a"];
const powers = Array.from({ length: 50 }, (_, i) => 2 ** i); // steps of an axis of bytes

let library = null;

// load fetches uPlot, and returns what makes plots.
export async function load() {
  library ??= Promise.all([import("./vendor/uplot/uPlot.esm.js"), sheet("vendor/uplot/uPlot.min.css")])
    .then(([module]) => module.default, (error) => { library = null; throw error; });
  const uPlot = await library;
  return (options) => chart(uPlot, options);
}

// onCanvas has a text read in the direction of the language, not of the canvas.
const onCanvas = (text) => words().dir === "rtl" ? "\u2067" + text + "\u2069" : text;

const sheet = (href) => new Promise((resolve, reject) => document.head.append(el("link", { rel: "stylesheet", href, onload: resolve, onerror: () => reject(new Error(href)) })));

// chart makes a plot. `times` are seconds, of days that begin in UTC where `days`
// is set; each of `lines`, at most as many as there are colours, has a name, a
// value for each time and a total; null is no value.
function chart(uPlot, { title, times, days, lines, format, isBytes }) {
  const figure = el("figure", {}, el("figcaption", {}, title));
  if (!lines.some((line) => line.values.some((v) => v !== null))) {
    figure.append(el("p", { class: "empty" }, t("noData")));
    return { figure, end() {} };
  }
  const when = (seconds) => moment(seconds * 1000, days ? "day" : "hour");
  const dim = () => getComputedStyle(figure).color, line = () => getComputedStyle(figure).borderTopColor;
  const axis = { font, stroke: dim, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const u = new uPlot({
    width: 320, height, ...(days && { tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC") }),
    cursor: { drag: { x: false, y: false }, sync: { key: "plots", setSeries: true }, y: false },
    legend: { markers: { width: 0, fill: (_, i) => colours[i - 1] } },
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.05 : 1] } },
    axes: [
      { ...axis, size: 32, space: 64, values: (_, splits) => splits.map((s) => onCanvas(moment(s * 1000, days ? "date" : "clock"))), ...(days && { incrs: [1, 2, 3, 5, 7, 14].map((d) => d * 86400) }) },
      { ...axis, size: 72, values: (_, splits, __, ___, step) => splits.map((v) => v === null ? "" : onCanvas(format(v, step))), ...(isBytes && { incrs: powers }) },
    ],
    series: [
      { label: t("time"), value: (_, v) => v === null ? t("inAll") : when(v) },
      ...lines.map((l, i) => ({
        label: l.name, stroke: colours[i], width: 2, points: { fill: colours[i], filter: (plot, at, all) => all ? null : lonely(plot.data[at]) },
        value: (_, v, __, at) => at === null ? shown(l.total, format) : shown(v, format),
      })),
    ],
    hooks: { setSeries: [(plot) => showToggles(plot)] },
  }, [times, ...lines.map((l) => l.values)], figure);
  u.setLegend({ idx: null });
  addKeys(u, title);
  const canvas = u.root.querySelector("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${title}, ${when(times[0])} – ${when(times.at(-1))}: ` + lines.map((l) => `${l.name} ${shown(l.total, format)}`).join("; "));
  return { figure, end: follow(u, figure) };
}

// lonely are the values that no line leads to.
const lonely = (values) => [...values.keys()].filter((i) => values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null);

const shown = (value, format) => value === null || value === undefined ? t("unknown") : format(value);

// addKeys lets the arrows move the cursor, and makes the legend a row of buttons.
function addKeys(u, title) {
  u.over.tabIndex = 0;
  u.over.setAttribute("role", "group");
  u.over.setAttribute("aria-label", title);
  u.over.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], times = u.data[0];
    if (!step) return;
    event.preventDefault();
    const from = u.cursor.idx ?? (step > 0 ? -1 : times.length);
    const to = Math.min(Math.max(from + step, 0), times.length - 1);
    u.setCursor({ left: u.valToPos(times[to], "x"), top: u.over.clientHeight / 2 }, true, true);
  });
  u.over.addEventListener("blur", () => u.setCursor({ left: -10, top: -10 }, true, true));
  for (const [i, head] of [...u.root.querySelectorAll(".u-legend th")].entries()) {
    head.querySelector(".u-label").dir = "auto";
    if (!i) continue; // the time
    head.tabIndex = 0;
    head.setAttribute("role", "button");
    head.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      head.click();
    });
  }
  showToggles(u);
}

function showToggles(u) {
  [...u.root.querySelectorAll(".u-legend th")].forEach((head, i) => { if (i) head.setAttribute("aria-pressed", String(u.series[i].show)); });
}

// follow keeps the plot as wide as its place and in the colours of the theme,
// until the function that it returns is called.
function follow(u, figure) {
  const redraw = () => u.redraw(false, true);
  const width = new ResizeObserver(() => {
    const style = getComputedStyle(figure), room = figure.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (room > 0 && Math.round(room) !== u.width) u.setSize({ width: Math.round(room), height });
  });
  width.observe(figure);
  const theme = new MutationObserver(redraw), scheme = matchMedia("(prefers-color-scheme: dark)");
  theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  scheme.addEventListener("change", redraw);
  return () => {
    width.disconnect();
    theme.disconnect();
    scheme.removeEventListener("change", redraw);
    u.destroy();
  };
}
