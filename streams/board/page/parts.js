// Small parts that several views show.

import { foreign, h, outLink, replace, svg, button } from "./dom.js";
import { ago, clock, count, moment, plural, sourceName } from "./format.js";
import { address, cameFrom, seriesAddress } from "./router.js";
import { eventNow, kindLabel, whenBack } from "./store.js";

// A shape each, so that severity needs no colour.
const SHAPES = {
  critical: "M6 .5 11.5 6 6 11.5 .5 6Z",
  warning: "M6 1 11.5 11 .5 11Z",
  info: "M6 1a5 5 0 1 0 .01 0Z",
};

export function severity(name, { word = true } = {}) {
  const mark = svg("svg", { viewBox: "0 0 12 12", class: "shape", "aria-hidden": "true" }, svg("path", { d: SHAPES[name] ?? SHAPES.info }));
  return h("span", { class: "severity", data: { severity: name } }, mark, word ? foreign(name) : h("span", { class: "unseen" }, name));
}

export function loading(what = "Loading") {
  return h("p", { class: "quiet", role: "status" }, `${what} …`);
}

export function empty(...said) {
  return h("p", { class: "empty" }, said);
}

export function problemBox(problem, again) {
  const known = problem.errors?.map(({ detail, pointer }) => h("li", {}, foreign([pointer, detail].filter(Boolean).join(": "))));
  return h(
    "div",
    { class: "problem", role: "alert", data: problem.status === 0 ? { away: true } : {} },
    h("p", {}, h("strong", {}, foreign(problem.title || "Something failed"))),
    problem.detail && h("p", {}, foreign(problem.detail)),
    known?.length ? h("ul", {}, known) : null,
    again && button("Try again", again),
  );
}

/**
 * Shows in `root` why its data are not there. Where the board does not answer, it is asked again when it does; until then
 * what was shown stays, and of several parts of a view one says so.
 */
export function showProblem(root, problem, again, signal, { isFilled = false } = {}) {
  if (problem.status === 0) {
    whenBack(root, again, signal);
    if (isFilled) return;
    const isSaid = [...document.querySelectorAll(".problem[data-away]")].some((box) => !root.contains(box));
    if (isSaid) return void replace(root, h("p", { class: "quiet" }, "Not loaded."));
  }
  replace(root, problemBox(problem, again));
}

/** Fills `root` with what `load` returns; shows why where it fails. A view that was left shows nothing. */
export async function fill(root, signal, load, { wait = true } = {}) {
  const slow = wait ? setTimeout(() => replace(root, loading()), 250) : 0;
  try {
    const shown = await load();
    if (!signal.aborted) swap(root, shown);
  } catch (problem) {
    if (problem.name === "AbortError" || signal.aborted) return;
    if (!("status" in problem)) console.error(problem);
    if (problem.status === 401) document.dispatchEvent(new CustomEvent("login"));
    else {
      const isFilled = root.childElementCount > 0 && !root.querySelector(".problem, [role=status]");
      showProblem(root, problem, () => fill(root, signal, load), signal, { isFilled });
    }
  } finally {
    clearTimeout(slow);
  }
}

/** Replaces what is shown; a link that had the focus has it again. */
function swap(root, shown) {
  const href = root.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  replace(root, shown);
  if (href) root.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true });
}

export function timeOf(ms, { short = false } = {}) {
  return h(
    "time",
    { datetime: new Date(ms).toISOString(), title: `${moment(ms)} · ${ago(ms, eventNow())}` },
    short ? clock(ms) : moment(ms),
  );
}

export function agoOf(ms) {
  return h("time", { datetime: new Date(ms).toISOString(), title: moment(ms) }, ago(ms, eventNow()));
}

/** What people call a series: that of everything is its kind alone, and so is its label. */
export function labelOf({ name, kind, label }) {
  return name === kind ? kindLabel(kind) : label || name;
}

export function seriesLink(name, label, query) {
  return h("a", { href: seriesAddress(name, query), class: "series-link" }, foreign(label || name));
}

export function publishers(story, source) {
  const own = sourceName(source);
  const others = [...new Set((story?.publishers ?? []).map(sourceName))].filter((name) => name !== own);
  const more = Math.max(0, (story?.size ?? 1) - 1);
  if (!more) return h("span", { title: source }, foreign(own));
  const title = others.length ? `also ${others.join(", ")}` : "";
  return h(
    "span",
    { title },
    foreign(own),
    ` and ${plural(more, "more item")}`,
    others.length ? [" of ", foreign(others.slice(0, 2).join(", ")), others.length > 2 ? " …" : ""] : "",
  );
}

export function headline(entry) {
  return h(
    "li",
    {},
    outLink(entry.url, entry.title || "(no title)", { class: "title" }),
    h(
      "span",
      { class: "quiet" },
      entry.publisher ? [foreign(sourceName(entry.publisher)), " · "] : "",
      entry.seen_ms ? timeOf(entry.seen_ms) : "",
    ),
  );
}

/** Links that choose one of a few values of a key of the query. */
export function choices(label, options, chosen, hrefOf) {
  const links = options.map(([value, text, number]) =>
    h(
      "a",
      { href: hrefOf(value), class: "choice", "aria-current": value === chosen ? "true" : null },
      text,
      number === undefined ? "" : h("span", { class: "number" }, typeof number === "number" ? count(number) : number),
    ),
  );
  return h("nav", { class: "choices", "aria-label": label }, links);
}

export function heading(text, ...beside) {
  return h("div", { class: "heading" }, h("h1", {}, text), beside);
}

const BACK = { series: "Series", alerts: "Alerts", feed: "Feed" };

/** Back to where the reader came from; to Now without a place. */
export function backLink() {
  const { path, href } = cameFrom();
  const [view, name] = (path ?? "").split("/");
  const text = view === "alerts" && name ? "the alert" : view === "series" && name ? "the series before" : BACK[view];
  return text ? h("a", { href }, `← ${text[0].toUpperCase()}${text.slice(1)}`) : h("a", { href: address("now") }, "← Now");
}

export function dataLinks(url) {
  const [path, words] = url.split("?");
  const link = (kind) => h("a", { href: `${path}.${kind}${words ? `?${words}` : ""}`, download: "" }, kind.toUpperCase());
  return h("p", { class: "data-links" }, "This as ", link("csv"), " or ", link("json"));
}
