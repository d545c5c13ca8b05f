// What is looked at is in the URL, so that it can be kept and sent to others.

const names = ["view", "q", "pool", "type", "status", "active", "range", "outcome"];
export const filters = {};

function read() {
  const params = new URLSearchParams(location.search);
  for (const name of names) filters[name] = params.get(name) || "";
}
read();

// setFilters notes what was chosen, as a step that the back button undoes or,
// while something is being typed, as part of the last one.
export function setFilters(chosen, step = true) {
  if (Object.entries(chosen).every(([name, value]) => filters[name] === value)) return;
  Object.assign(filters, chosen);
  const params = new URLSearchParams();
  for (const key of names) if (filters[key]) params.set(key, filters[key]);
  const query = params.toString(), url = query ? "?" + query : location.pathname;
  if (step) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}

export const setFilter = (name, value) => setFilters({ [name]: value });

// onStep calls when the back button, or the one forward, has chosen something.
export const onStep = (listener) => addEventListener("popstate", () => { read(); listener(); });

export function statusOf(row) {
  if (!row.active) return "disabled";
  if (row.status !== "down" && row.budget?.spent) return "spent";
  return row.status;
}

export function matches(row) {
  if (filters.pool && row.pool !== filters.pool) return false;
  if (filters.type && row.type !== filters.type) return false;
  if (filters.status && statusOf(row) !== filters.status) return false;
  if (filters.active && String(row.active) !== filters.active) return false;
  const q = filters.q.trim().toLowerCase();
  return !q || row.id.toLowerCase().includes(q) || row.url.toLowerCase().includes(q);
}
