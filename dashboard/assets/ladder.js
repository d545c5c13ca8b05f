// The ladder: all proxies in the order of trying, and what is chosen of them.
import { el, setText } from "./dom.js";
import { filters, setFilter, setFilters } from "./filters.js";
import { heading } from "./row.js";
import { mountList, unmountList, replaceRows, changeRows, changeCarriers, siftRows } from "./list.js";
import { state } from "./link.js";
import { t, number } from "./words.js";

let mounted = false;

const select = (name, options) => el("label", {}, el("span", {}, t(name)),
  el("select", { id: "f-" + name, onchange: (e) => { setFilter(name, e.target.value); siftRows(); } },
    ...["", ...options].map((o) => el("option", { value: o, selected: filters[name] === o }, o === "" ? t("any") : label(name, o)))));

function label(name, option) {
  if (name === "active") return t(option === "true" ? "yes" : "no");
  if (name === "pool") return option;
  return t(option === "other" ? "other_type" : option);
}

export function mountLadder(view) {
  const count = el("output", { class: "count" });
  const none = el("p", { class: "empty", hidden: true });
  const pools = (state.head?.pools || []).map((p) => p.name), poolSelect = select("pool", pools);
  poolSelect.hidden = pools.length < 2;
  const search = el("input", { type: "search", id: "f-q", value: filters.q, placeholder: t("search"), "aria-label": t("search"), oninput: (e) => { setFilters({ q: e.target.value }, false); siftRows(); } });
  const list = mountList((shown) => {
    setText(count, t("shown", number(shown), number(state.rows.size)));
    setText(none, t(state.rows.size ? "none" : "noProxies"));
    none.hidden = shown > 0;
  });
  view.replaceChildren(el("div", { class: "filters" }, search,
    poolSelect, select("type", ["vps", "datacenter", "residential", "other"]),
    select("status", ["healthy", "degraded", "down", "blocked", "disabled", "spent"]), select("active", ["true", "false"]),
    el("button", { type: "button", onclick: clear }, t("clear")), count), heading(), list, none);
  mounted = true;
  replaceRows();
}

function clear() {
  setFilters({ q: "", pool: "", type: "", status: "", active: "" });
  for (const field of document.querySelectorAll(".filters select, .filters input")) field.value = "";
  siftRows();
}

export function unmountLadder() {
  mounted = false;
  unmountList();
}

export function updateLadder(what) {
  if (!mounted) return;
  if (what.order) replaceRows();
  else changeRows(what.rows || []);
  if (what.head) changeCarriers();
}
