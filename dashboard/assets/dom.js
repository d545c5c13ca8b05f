// Small makers of elements. Whatever comes from the server goes in as text.

export function el(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") e.className = value;
    else if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else e.setAttribute(key, value === true ? "" : value);
  }
  e.append(...children.filter((c) => c !== undefined && c !== null));
  return e;
}

export function svg(tag, attributes = {}, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

// Only what differs is touched: a write costs layout.
export function setText(e, text) { if (e.textContent !== text) e.textContent = text; }
export function setClass(e, name) { if (e.className !== name) e.className = name; }
export function setTitle(e, text) { if (e.title !== text) e.title = text; }
export const byId = (id) => document.getElementById(id);
