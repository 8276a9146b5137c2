// Makes elements. Text becomes text nodes and styles go through the CSSOM, so no data is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";
const SAFE_LINK = /^https?:\/\//i;

export function h(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") for (const [event, run] of Object.entries(value)) element.addEventListener(event, run);
  else if (name === "style") for (const [key, to] of Object.entries(value)) element.style.setProperty(key, to);
  else if (name === "data") Object.assign(element.dataset, value);
  else if (name === "value" || name === "checked") element[name] = value;
  else element.setAttribute(name === "class" ? "class" : name, value === true ? "" : String(value));
}

/** Foreign text, isolated: its direction marks cannot reorder what is around it. */
export function foreign(text) {
  return h("bdi", {}, String(text ?? ""));
}

/** A link to a page of somebody else; plain text unless it is http or https. */
export function outLink(url, text, properties = {}) {
  const inside = text instanceof Node ? text : foreign(text);
  if (!SAFE_LINK.test(url || "")) return h("span", properties, inside);
  return h("a", { ...properties, href: url, target: "_blank", rel: "noopener noreferrer" }, inside);
}

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

export function button(text, run, properties = {}) {
  return h("button", { type: "button", ...properties, on: { click: run } }, text);
}
