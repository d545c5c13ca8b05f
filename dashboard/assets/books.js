// Events and the usage log: rows from the books, newest first.
import { el, setText } from "./dom.js";
import { call, state, idOf } from "./link.js";
import { filters, setFilter } from "./filters.js";
import { reason } from "./reasons.js";
import { t, clock, millis, bytes, ltr, words } from "./words.js";

const page = 100;
let mounted = 0;

export function unmountBooks() { mounted++; }

const word = (status) => el("span", { class: "badge s-" + status }, t(status));

function eventRow(row) {
  return [el("time", {}, clock(row.time)), el("b", { dir: "auto" }, idOf(row.pool, row.proxy) || t("unknown")),
    el("span", {}, word(row.from), words().dir === "rtl" ? " ← " : " → ", word(row.to)), el("span", {}, reason(row.reason))];
}

function logRow(row) {
  return [el("time", {}, clock(row.time)), el("b", { dir: "auto" }, idOf(row.pool, row.proxy) || t("unknown")),
    el("span", { dir: "ltr" }, `${row.method} ${row.target}${row.path}`),
    el("span", { class: "badge " + (row.success ? "good" : "bad") }, row.status || t("unknown")),
    el("span", {}, `${millis(row.duration_ms)} · ${bytes(row.bytes_in + row.bytes_out)}`),
    el("span", { dir: "ltr", class: "trail" }, [row.trail, row.error].filter(Boolean).join(" · "))];
}

const kinds = {
  events: { heads: ["time", "proxy", "change", "reason"], row: eventRow, empty: "noEvents" },
  log: { heads: ["time", "proxy", "target", "answer", "duration", "trail"], row: logRow, empty: "noLog" },
};

export function mountBooks(view, name) {
  const kind = kinds[name], turn = ++mounted;
  const body = el("tbody"), empty = el("p", { class: "empty" }, t("running"));
  const more = el("button", { type: "button", hidden: true, onclick: () => load() }, t("more"));
  let before = 0;
  async function load(again = false) {
    const params = new URLSearchParams({ limit: page });
    if (filters.pool) params.set("pool", filters.pool);
    if (name === "log" && filters.outcome) params.set("success", filters.outcome);
    if (before && !again) params.set("before", before);
    more.disabled = true;
    try {
      const { rows } = await call(name + "?" + params);
      if (turn !== mounted) return;
      if (again) body.replaceChildren();
      body.append(...rows.map((row) => el("tr", {}, ...kind.row(row).map((cell, i) => el("td", { "data-name": t(kind.heads[i]) }, cell)))));
      if (rows.length) before = rows.at(-1).id;
      more.hidden = rows.length < page;
      setText(empty, body.children.length ? "" : t(kind.empty));
    } catch (error) {
      if (turn === mounted) setText(empty, t("failedCall", ltr(error.message)));
    }
    more.disabled = false;
  }
  const choose = name === "log" ? el("label", {}, el("span", {}, t("outcome")),
    el("select", { onchange: (e) => { setFilter("outcome", e.target.value); load(true); } },
      ...["", "true", "false"].map((o) => el("option", { value: o, selected: filters.outcome === o }, t(o === "" ? "any" : o === "true" ? "good" : "bad"))))) : null;
  view.replaceChildren(el("div", { class: "filters" }, choose), el("div", { class: "scroll", tabindex: "0" },
    el("table", { class: "books" }, el("thead", {}, el("tr", {}, ...kind.heads.map((h) => el("th", { scope: "col" }, t(h))))), body)), empty, more);
  load(true);
  return { refresh: () => { if (body.children.length <= page) load(true); } };
}

export const hasLog = () => Boolean(state.head?.log);
