// The strip of each pool: who carries the traffic, and what it costs.
import { el, byId, setText, setClass } from "./dom.js";
import { state } from "./link.js";
import { t, number, percent, dollars, millis } from "./words.js";

const cards = new Map();

// budgets is the sum of a pool's budgets in dollars for a period, 0 without one.
function budgets(pool, per) {
  let sum = 0;
  for (const row of state.rows.values()) {
    if (row.pool === pool && row.budget?.unit === "usd" && row.budget.per === per) sum += row.budget.limit;
  }
  return sum;
}

function facts(pool) {
  const money = pool.money, month = money?.month;
  const against = (spent, limit) => dollars(spent) + (limit ? " " + t("of", dollars(limit)) : "");
  const flat = month?.cost_per_month ? " " + t("flat", dollars(month.cost_per_month)) : ""; // no budget counts it
  return [
    ["today", money ? against(money.today.cost_usd, budgets(pool.name, "day")) : t("unknown")],
    ["month", money ? against(month.cost_usd, budgets(pool.name, "month")) + flat : t("unknown")],
    ["saved", money ? dollars(month.saved_usd) : t("unknown")],
    ["success", month?.requests ? percent((month.requests - month.failed) / month.requests * 100) : t("unknown")],
    ["answers", pool.p95_ms ? millis(pool.p50_ms) + " · " + millis(pool.p95_ms) : t("unknown")],
    ["failovers", number(pool.failovers)],
  ];
}

export function clearPools() {
  cards.clear();
  byId("pools").replaceChildren();
}

export function showPools() {
  const list = byId("pools"), seen = new Set();
  for (const pool of state.head?.pools || []) {
    seen.add(pool.name);
    let card = cards.get(pool.name);
    if (!card) {
      card = { carrier: el("strong", { dir: "auto" }), note: el("span"), facts: new Map() };
      card.list = el("dl");
      card.element = el("article", { class: "card" }, el("h2", { dir: "auto" }, pool.name), el("p", { class: "carrier" }, card.carrier, " ", card.note), card.list);
      cards.set(pool.name, card);
      list.append(card.element);
    }
    setText(card.carrier, pool.carrier || t("nobody"));
    setText(card.note, pool.carrier ? t("carries") : "");
    setClass(card.element, pool.carrier ? "card" : "card bad");
    for (const [key, value] of facts(pool)) {
      if (!card.facts.has(key)) {
        const dd = el("dd");
        card.list.append(el("div", {}, el("dt", {}, t(key)), dd));
        card.facts.set(key, dd);
      }
      setText(card.facts.get(key), value);
    }
  }
  for (const [name, card] of cards) {
    if (!seen.has(name)) { card.element.remove(); cards.delete(name); }
  }
}
