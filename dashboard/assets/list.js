// The list of the ladder. Each proxy has an item with its name and address, for the
// browser to find and to read out. The items stand in stretches of ten, which the
// browser lays out only near the screen; what else there is to say of a proxy is
// put in when its stretch comes near and taken out when it has gone. So a
// thousand proxies cost little more than those one sees.
import { el } from "./dom.js";
import { matches } from "./filters.js";
import { makeRow, nameRow, furnish, strip, fillRow, tickRow, isCarrier } from "./row.js";
import { state } from "./link.js";

const length = 10; // of a stretch
const margin = "50% 0px"; // around the screen, where rows are furnished
const budget = 8; // milliseconds of a frame; style and layout come on top
const furnished = 6; // rows of a frame, because each costs layout

let list = null, told = null, seen = null, planned = 0;
let stretches = [];
const views = new Map(); // by proxy
const near = new Set(); // stretches
const resized = new Set(); // stretches
let unplaced = 0, unsifted = 0; // the first stretch that is not yet in order, or filtered
let unwritten = new Set(); // proxies

// mountList makes an empty list that calls tell with the number of rows that are
// shown.
export function mountList(tell) {
  told = tell;
  list = el("div", { class: "ladder", role: "list", onfocusin: reach });
  seen = new IntersectionObserver(look, { rootMargin: margin });
  return list;
}

export function unmountList() {
  cancelAnimationFrame(planned);
  seen?.disconnect();
  list = null;
  planned = 0;
  stretches = [];
  for (const kept of [views, near, resized, unwritten]) kept.clear();
}

// replaceRows takes over which proxies there are, and in which order.
export function replaceRows() {
  for (const [id, view] of views) {
    if (state.rows.has(id)) continue;
    view.element.remove();
    views.delete(id);
  }
  const count = Math.ceil(state.order.length / length);
  for (const { element } of stretches.splice(count)) { seen.unobserve(element); element.remove(); }
  unplaced = unsifted = 0;
  unwritten = new Set(state.order);
  plan();
}

export function changeRows(ids) {
  for (const id of ids) unwritten.add(id);
  plan();
}

// changeCarriers writes the rows that carry the traffic now, or do no more.
export function changeCarriers() {
  for (const view of nearViews()) {
    const row = state.rows.get(view.id);
    if (row && view.cells && isCarrier(row) !== view.element.classList.contains("carries")) unwritten.add(view.id);
  }
  plan();
}

export function siftRows() {
  unsifted = 0;
  plan();
}

// tickRows moves the clocks of the rows near the screen.
export function tickRows() {
  for (const view of nearViews()) {
    const row = state.rows.get(view.id);
    if (view.cells && row) tickRow(row, view);
  }
}

const nearViews = () => [...near].flatMap((stretch) => stretch.views);

function plan() {
  if (!planned) planned = requestAnimationFrame(work);
}

// work does what there is to do; what does not fit into this frame is for the
// next one.
function work() {
  planned = 0;
  const end = performance.now() + budget;
  const done = arrange(end) && sift(end) && write(end);
  for (const stretch of resized) {
    stretch.element.hidden = stretch.shown === 0;
    stretch.element.style.setProperty("--rows", stretch.shown);
  }
  resized.clear();
  if (done) told(stretches.reduce((sum, stretch) => sum + stretch.shown, 0));
  else plan();
}

// arrange brings the rows into the order of trying. What is moved would lose the
// focus.
function arrange(end) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  for (; unplaced * length < state.order.length && performance.now() < end; unplaced++) place(unplaced, focused);
  if (focused !== null && document.activeElement !== focused) focused.focus({ preventScroll: true });
  return unplaced * length >= state.order.length;
}

// place fills the nth stretch. Those before it are full already.
function place(n, focused) {
  const stretch = stretches[n] ||= addStretch();
  stretch.views = state.order.slice(n * length, (n + 1) * length).filter((id) => state.rows.has(id)).map(viewOf);
  let at = stretch.element.firstElementChild;
  for (const view of stretch.views) {
    if (view.element === at) { at = at.nextElementSibling; continue; }
    stretch.element.insertBefore(view.element, at);
    if (!stretch.near && !view.element.contains(focused)) strip(view);
  }
  count(stretch);
}

function addStretch() {
  const element = el("ol", { class: "stretch", role: "none" });
  const stretch = { element, views: [], shown: 0, near: false };
  element.stretch = stretch;
  list.append(element);
  seen.observe(element);
  return stretch;
}

function viewOf(id) {
  let view = views.get(id);
  if (!view) {
    view = makeRow(id);
    views.set(id, view);
  }
  return view;
}

function count(stretch) {
  stretch.shown = 0;
  for (const view of stretch.views) {
    const row = state.rows.get(view.id);
    view.element.hidden = !row || !matches(row);
    if (!view.element.hidden) stretch.shown++;
  }
  resized.add(stretch);
}

// sift shows and hides rows.
function sift(end) {
  for (; unsifted < stretches.length && performance.now() < end; unsifted++) count(stretches[unsifted]);
  return unsifted >= stretches.length;
}

// write brings rows up to date, those that are seen before others.
function write(end) {
  let made = 0;
  for (const id of unwritten) {
    if (performance.now() > end || made === furnished) return false;
    unwritten.delete(id);
    const view = views.get(id), row = state.rows.get(id);
    if (!view || !row) continue;
    const stretch = view.element.parentElement.stretch;
    nameRow(row, view);
    if (stretch.near) {
      if (!view.cells && matches(row)) { furnish(view); made++; }
      if (view.cells) fillRow(row, view);
    }
    if (view.element.hidden === matches(row)) count(stretch);
  }
  return true;
}

// reach makes ready where the focus may go next, before the screen gets there, and
// before write comes to it: Tab goes past a row that has nothing to focus yet.
function reach(event) {
  const own = event.target.closest(".stretch");
  const ahead = (side) => {
    let next = own[side];
    while (next?.hidden) next = next[side];
    return next;
  };
  for (const element of [own, ahead("previousElementSibling"), ahead("nextElementSibling")]) {
    if (!element) continue;
    const { stretch } = element;
    stretch.near = true;
    near.add(stretch);
    for (const view of stretch.views) {
      const row = state.rows.get(view.id);
      if (row && !view.cells) { furnish(view); fillRow(row, view); }
    }
  }
}

// look notes which stretches are near the screen now. Where somebody is at work, in
// a menu say, nothing is taken away.
function look(entries) {
  const urgent = [];
  for (const { target, isIntersecting, boundingClientRect: box } of entries) {
    const { stretch } = target;
    stretch.near = isIntersecting || target.contains(document.activeElement) || Boolean(target.querySelector("[open]"));
    if (stretch.near) {
      near.add(stretch);
      const ids = stretch.views.map((view) => view.id);
      if (box.bottom > 0 && box.top < innerHeight) urgent.unshift(...ids); else urgent.push(...ids);
    } else {
      near.delete(stretch);
      stretch.views.forEach(strip);
    }
  }
  unwritten = new Set([...urgent, ...unwritten]);
  plan();
}
