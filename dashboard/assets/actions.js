// What can be done to proxies. Without permission there is no button.
import { el, byId, setText } from "./dom.js";
import { act, state, putRow } from "./link.js";
import { filters } from "./filters.js";
import { t, number, ltr } from "./words.js";

let hiding = 0;
export function toast(text, bad = false) {
  const box = byId("toast");
  setText(box, text);
  box.className = bad ? "shown bad" : "shown";
  clearTimeout(hiding);
  hiding = setTimeout(() => { box.className = ""; }, 6000);
}

function confirmed(question, verb) {
  const dialog = byId("ask");
  setText(byId("question"), question);
  setText(byId("yes"), verb);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

async function run(button, work) {
  button.disabled = true;
  try { await work(); } catch (error) { toast(t("failedCall", ltr(error.message)), true); } finally { button.disabled = false; }
}

async function carryOut(id, action) {
  const row = state.rows.get(id);
  if (!row) return;
  if (action === "reset-stats" && !await confirmed(t("askReset", row.name), t("reset-stats"))) return;
  const path = ["proxies", row.pool, row.name, action].map(encodeURIComponent).join("/");
  putRow({ ...row, ...await act(path) });
  toast(t("done", row.name, t(action)));
}

function possible(row) {
  const list = ["check", row.active ? "disable" : "enable"];
  if (row.status !== "healthy" || row.failing_for.length || row.failure_count) list.push("mark-healthy");
  if (row.status !== "down") list.push("mark-down");
  if (row.blocked_for.length) list.push("unblock");
  return [...list, "reset-stats"];
}

// menu is filled when it is opened: a thousand proxies need no thousand menus.
export function menu(item) {
  const id = item.dataset.id;
  const list = el("div", { class: "menu", role: "group" });
  const details = el("details", { class: "c-menu", name: "menu" }, el("summary", { "aria-label": t("actions"), title: t("actions") }, "⋯"), list);
  details.addEventListener("toggle", () => {
    item.parentElement.classList.toggle("open", details.open);
    if (!details.open) { list.replaceChildren(); return; }
    const row = state.rows.get(id);
    list.replaceChildren(...possible(row).map((action) => el("button", {
      type: "button", "data-action": action,
      onclick: (event) => run(event.target, async () => { await carryOut(id, action); details.open = false; }),
    }, t(action))));
    list.firstChild.focus();
  });
  details.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && details.open) { details.open = false; details.firstChild.focus(); }
  });
  return details;
}

export function showActions() {
  const may = Boolean(state.head?.actions);
  document.body.classList.toggle("may-act", may);
  byId("checkall").hidden = !may;
  byId("alerttest").hidden = !may || !state.head.notifiers.length || state.head.alerts === false;
}

export function startActions() {
  byId("checkall").addEventListener("click", (event) => run(event.target, async () => {
    toast(t("running"));
    const { results } = await act("health-check" + (filters.pool ? "?pool=" + encodeURIComponent(filters.pool) : ""));
    toast(t("doneAll", number(results.total), number(results.down)), results.down > 0);
  }));
  byId("alerttest").addEventListener("click", (event) => run(event.target, async () => {
    const { results } = await act("alerts/test");
    toast(results.map((r) => r.ok ? t("sent", r.notifier) : t("notSent", r.notifier, ltr(r.error))).join("; ") || t("noNotifier"), results.some((r) => !r.ok));
  }));
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("details.c-menu[open]")) if (!open.contains(event.target)) open.open = false;
  });
}
