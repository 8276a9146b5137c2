// Every view is a URL. A view is a function (root, place) that fills `root`; `place.signal` aborts when it is left.

import { BASE } from "./api.js";

const routes = [];
let leaving = new AbortController();
let present = null;
let came = { path: null, href: "" };
let here = "";

export function route(pattern, view) {
  routes.push({ pattern, view });
}

/** The address of a view: path without the base, and its query. */
export function address(path, query = {}) {
  const words = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value) words.set(key, value);
  const asked = words.toString();
  return `${BASE}${path}${asked ? `?${asked}` : ""}`;
}

/** The view before this one: its path (null without one) and its address. */
export const cameFrom = () => came;

export const seriesAddress = (name, query) => address(`series/${encodeURIComponent(name)}`, query);

export function go(href, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", href);
  render();
}

/** Changes keys of the query in place; an empty value removes its key. */
export function change(query, options) {
  const words = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(query)) {
    if (value) words.set(key, value);
    else words.delete(key);
  }
  const asked = words.toString();
  go(`${location.pathname}${asked ? `?${asked}` : ""}`, options);
}

export function render() {
  leaving.abort();
  leaving = new AbortController();
  const raw = location.pathname.slice(BASE.length).replace(/\/$/, "");
  const found = routes.map(({ pattern, view }) => ({ view, match: pattern.exec(raw) })).find(({ match }) => match);
  const moved = present !== raw;
  if (moved) came = { path: present, href: here };
  present = raw;
  here = `${location.pathname}${location.search}`;
  const root = document.getElementById("main");
  const place = {
    path: raw,
    name: decoded(found?.match[1] ?? ""),
    query: new URLSearchParams(location.search),
    signal: leaving.signal,
    moved,
  };
  document.dispatchEvent(new CustomEvent("moved", { detail: place }));
  (found?.view ?? routes.at(-1).view)(root, place);
  if (moved) arrive(root);
}

function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // a broken escape names nothing, and the board says so
  }
}

let arrivals = 0;

function arrive(root) {
  if (arrivals++) {
    scrollTo(0, 0);
    root.focus({ preventScroll: true }); // a screen reader starts where the view does
  }
}

export function start() {
  addEventListener("popstate", render);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || link.target || link.hasAttribute("download") || event.defaultPrevented) return;
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || link.hash || !link.pathname.startsWith(BASE)) return;
    if (/\.(json|csv)$/.test(link.pathname)) return;
    event.preventDefault();
    go(link.href);
  });
  render();
}
