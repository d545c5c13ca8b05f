// The link to the server: follows live, and polls where that is cut.

const pollEvery = 5000;
const silence = 25000; // a server that lives says something every ten seconds

export const state = { head: null, order: [], rows: new Map(), time: 0, link: "connecting", lostAt: 0, refusal: "" };

// idOf is pool/proxy, the pool where none was tried. The only pool needs no name.
export function idOf(pool, proxy) {
  const pools = state.head?.pools || [];
  return pools.length === 1 && pools[0].name === pool ? proxy : proxy ? pool + "/" + proxy : pool;
}

const listeners = new Set();
export const onChange = (listener) => listeners.add(listener);
const tell = (what) => { for (const listener of listeners) listener(what); };

export async function call(path, options = {}) {
  const answer = await fetch("api/" + path, { cache: "no-store", ...options });
  let body;
  try { body = await answer.json(); } catch { body = {}; }
  if (!answer.ok) {
    const error = new Error(body.error || answer.status + " " + answer.statusText);
    error.status = answer.status;
    throw error;
  }
  return body;
}

export const act = (path) => call(path, { method: "POST", headers: { "X-Proxy-Pool-Token": state.head?.token || "" } });

export function putRow(row) {
  state.rows.set(row.id, row);
  tell({ rows: [row.id] });
}

function take(frame, full) {
  const what = { rows: [], head: false, order: false };
  if (full) state.rows.clear();
  if (frame.head) { state.head = frame.head; what.head = true; }
  if (frame.order || full) { state.order = frame.order || []; what.order = true; }
  for (const row of frame.rows) { state.rows.set(row.id, row); what.rows.push(row.id); }
  if (what.order) {
    const known = new Set(state.order);
    for (const id of state.rows.keys()) if (!known.has(id)) state.rows.delete(id);
  }
  state.time = Date.parse(frame.time);
  tell(what);
}

function setLink(link, refusal = "") {
  if (link === "lost" && state.link !== "lost") state.lostAt = Date.now();
  if (link === state.link && refusal === state.refusal) return;
  state.link = link;
  state.refusal = refusal;
  tell({ link: true });
}

let source = null, polling = 0, heard = 0, retry = 0;

function follow() {
  clearTimeout(retry);
  if (source) source.close();
  source = new EventSource("api/live");
  heard = Date.now();
  const alive = (take) => (event) => {
    heard = Date.now();
    stopPolling();
    if (take) take(JSON.parse(event.data));
    setLink("live");
  };
  source.addEventListener("full", alive((frame) => take(frame, true)));
  source.addEventListener("delta", alive((frame) => take(frame, false)));
  source.addEventListener("beat", alive(null));
  source.onerror = broken;
}

// The browser would try again by itself in some cases, and not in others.
function broken() {
  if (source) source.close();
  source = null;
  startPolling();
  clearTimeout(retry);
  retry = setTimeout(follow, 3000 + Math.random() * 2000);
}

function startPolling() {
  if (polling) return;
  polling = setInterval(poll, pollEvery);
  poll();
}

function stopPolling() {
  clearInterval(polling);
  polling = 0;
}

async function poll() {
  try {
    const frame = await call("snapshot", { signal: AbortSignal.timeout(pollEvery) });
    if (!polling) return; // the live view came back meanwhile, and is newer
    take(frame, true);
    setLink("polling");
  } catch (error) {
    if (polling) setLink("lost", error.status === 403 ? error.message : "");
  }
}

// look follows while somebody looks. A browser has six connections for a server
// without HTTP/2, for all tabs together: where six of them followed, the seventh
// could not load, and nothing could be done in the others.
function look() {
  if (!document.hidden) { follow(); return; }
  clearTimeout(retry);
  if (source) source.close();
  source = null;
  stopPolling();
}

export function start() {
  look();
  setInterval(() => { if (source && Date.now() - heard > silence) broken(); }, 5000);
  addEventListener("online", look);
  document.addEventListener("visibilitychange", look);
}
