// The page: what is chosen, which view is open, and the link's news handed on.
import { byId, el, setText, setClass } from "./dom.js";
import { state, onChange, start } from "./link.js";
import { filters, setFilter, onStep } from "./filters.js";
import { t, words, current, setLanguage, toggleDigits, hasPersianDigits, keep, choice, span, ltr } from "./words.js";
import { warning } from "./reasons.js";
import { showPools, clearPools } from "./pools.js";
import { showActions, startActions } from "./actions.js";
import { mountLadder, unmountLadder, updateLadder } from "./ladder.js";
import { tickRows } from "./list.js";
import { mountMatrix, unmountMatrix, updateMatrix } from "./matrix.js";
import { mountPlots, unmountPlots } from "./plots.js";
import { mountBooks, unmountBooks, hasLog } from "./books.js";

const views = ["ladder", "matrix", "plots", "events", "log"];
let open = "", book = null;

function translate() {
  const { dir, other, otherName } = words();
  document.documentElement.lang = current();
  document.documentElement.dir = dir;
  document.title = t("title");
  for (const e of document.querySelectorAll("[data-text]")) setText(e, t(e.dataset.text));
  for (const e of document.querySelectorAll("[data-title]")) e.title = t(e.dataset.title);
  for (const e of document.querySelectorAll("[data-label]")) e.setAttribute("aria-label", t(e.dataset.label));
  const button = byId("language");
  setText(button, otherName);
  button.lang = other;
  byId("digits").hidden = current() !== "fa";
  setText(byId("digits"), hasPersianDigits() ? "123" : "۱۲۳");
  clearPools();
  if (state.head) { showPools(); mount(); }
  showLink();
  showNotices();
}

function showTabs() {
  const list = byId("tabs");
  list.replaceChildren(...views.filter((v) => v !== "log" || hasLog()).map((v) => el("button", {
    type: "button", role: "tab", id: "tab-" + v, "aria-selected": String(v === open), "aria-controls": "view", tabindex: v === open ? "0" : "-1",
    onclick: () => { setFilter("view", v === "ladder" ? "" : v); mount(); byId("tab-" + v).focus(); },
  }, t(v))));
}

// Tabs are moved through with the arrows, in the direction of the language.
byId("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const tabs = [...event.currentTarget.children], at = tabs.indexOf(document.activeElement);
  tabs.at((at + (words().dir === "rtl" ? -step : step)) % tabs.length).click();
});

function mount() {
  unmountLadder(); unmountMatrix(); unmountPlots(); unmountBooks();
  book = null;
  open = views.includes(filters.view) && (filters.view !== "log" || hasLog()) ? filters.view : "ladder";
  showTabs();
  const view = byId("view");
  view.setAttribute("aria-labelledby", "tab-" + open);
  if (open === "ladder") mountLadder(view);
  else if (open === "matrix") mountMatrix(view);
  else if (open === "plots") mountPlots(view);
  else book = mountBooks(view, open);
}

function showLink() {
  const link = byId("link");
  setClass(link, "link " + state.link);
  const text = state.link === "lost"
    ? state.refusal ? t("refused", ltr(state.refusal)) : t("lost", span((Date.now() - state.lostAt) / 1000))
    : t(state.link);
  setText(link, text + (state.head && !state.head.actions && state.link !== "lost" ? " · " + t("readOnly") : ""));
  document.body.classList.toggle("stale", state.link === "lost");
}

function showNotices() {
  const head = state.head;
  if (!head) return;
  const list = head.warnings.map(warning);
  if (!head.store.ok) list.push(t("storeBad", ltr(head.store.error || "—")));
  for (const n of head.notifiers) if (!n.ok) list.push(t("notifierBad", ltr(n.notifier), ltr(n.error || "—")));
  const box = byId("notices");
  if (box.dataset.shown === list.join("\n")) return;
  box.dataset.shown = list.join("\n");
  box.replaceChildren(...list.map((text) => el("p", { class: "notice bad" }, text)));
}

let statuses = new Map(), pools = "";
onChange((what) => {
  if (what.link) { showLink(); return; }
  if (what.head) {
    showPools(); showActions(); showNotices(); showLink();
    const shape = JSON.stringify([hasLog(), state.head.pools.map((p) => p.name)]);
    if (shape !== pools) { pools = shape; mount(); return; }
  }
  if (open === "ladder") updateLadder(what);
  if (open === "matrix") updateMatrix();
  let changed = false;
  for (const id of what.rows || []) {
    const status = state.rows.get(id).status;
    changed ||= statuses.has(id) && statuses.get(id) !== status;
    statuses.set(id, status);
  }
  if (changed && open === "events") book?.refresh();
});

onStep(() => { if (state.head) mount(); });

byId("language").addEventListener("click", () => { setLanguage(words().other); translate(); });
byId("digits").addEventListener("click", () => { toggleDigits(); translate(); });
byId("theme").addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  keep("theme", document.documentElement.dataset.theme);
});
if (choice("theme")) document.documentElement.dataset.theme = choice("theme");

translate();
startActions();
start();
setInterval(() => { tickRows(); if (state.link === "lost") showLink(); }, 1000);
