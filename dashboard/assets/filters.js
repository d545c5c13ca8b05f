// What is looked at is in the URL, so that it can be kept and sent to others.

const names = ["view", "q", "pool", "type", "status", "active", "range", "outcome"];
export const filters = {};
for (const name of names) filters[name] = new URLSearchParams(location.search).get(name) || "";

export function setFilter(name, value) {
  filters[name] = value;
  const params = new URLSearchParams();
  for (const key of names) if (filters[key]) params.set(key, filters[key]);
  const query = params.toString();
  history.replaceState(null, "", query ? "?" + query : location.pathname);
}

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
