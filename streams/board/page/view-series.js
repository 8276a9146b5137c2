// Series: a list to search, and one of them over time with the headlines of a fixed hour.

import { apiPath, get } from "./api.js";
import { sayPoint, seriesChart, shares } from "./chart.js";
import { button, foreign, h, outLink, replace } from "./dom.js";
import { amount, count, length, moment, percent, plural, usual, weekday } from "./format.js";
import { titleIs } from "./header.js";
import { bind } from "./keys.js";
import { hear, paced } from "./live.js";
import { agoOf, backLink, choices, dataLinks, empty, fill, heading, labelOf, publishers, seriesLink, timeOf } from "./parts.js";
import { address, change, go, seriesAddress } from "./router.js";
import { eventNow, kindLabel, preferences, status } from "./store.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const RANGES = { "24h": DAY_MS, "3d": 3 * DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS };
const BUCKETS = { "24h": HOUR_MS, "3d": HOUR_MS, "7d": HOUR_MS, "30d": 6 * HOUR_MS };
const PHONE_PX = 700;
const RELOAD_MS = 20_000;
const ALERT_MS = 400;
const TYPING_MS = 250;
const MOST_ITEMS = 200; // of an hour
const MOST_STORIES = 30;

/** On a phone a week of hours would be bars of a pixel. */
const bucketOf = (range) => (range === "7d" && innerWidth < PHONE_PX ? 3 * HOUR_MS : BUCKETS[range]);

export function series(root, place) {
  return place.name ? one(root, place) : list(root, place);
}

// --- The list

function list(root, place) {
  titleIs("Series");
  const asked = place.query.get("q") ?? "";
  const kind = place.query.get("kind") ?? "";
  const field = h("input", {
    type: "search",
    name: "q",
    value: asked,
    placeholder: "Find a company, subject, source …",
    "aria-label": "Find a series",
    autocomplete: "off",
    maxlength: "200",
  });
  const kinds = h("div", {});
  const body = h("div", { class: "body" });
  replace(
    root,
    heading("Series"),
    h("div", { class: "bar" }, h("form", { role: "search", on: { submit: (event) => (event.preventDefault(), enter()) } }, field), kinds),
    body,
  );
  const search = () => change({ q: field.value.trim() }, { replace: true });
  let due = 0;
  const enter = async () => {
    clearTimeout(due);
    const { items } = await get("series", { q: field.value.trim(), kind, limit: 2 }, place.signal);
    if (field.value.trim() && items.length === 1) go(seriesAddress(items[0].name)); // the only one that fits
    else search();
  };
  field.addEventListener("input", () => (clearTimeout(due), (due = setTimeout(search, TYPING_MS))));
  place.signal.addEventListener("abort", () => clearTimeout(due));
  if (!place.moved && asked !== "") refocus(field);
  bind("Series", [["/", "Find a series", () => field.focus()]], place.signal);
  fill(kinds, place.signal, async () => kindChoices(await get("series", { limit: 500 }, place.signal), kind), { wait: false });
  fill(body, place.signal, async () => listed(await get("series", { q: asked, kind, limit: 200 }, place.signal), asked, kind));
}

function refocus(field) {
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

function kindChoices({ items }, chosen) {
  const counts = new Map();
  for (const { name, kind } of items) if (name !== kind) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const words = new URLSearchParams(location.search);
  const href = (kind) => (kind ? words.set("kind", kind) : words.delete("kind"), `${location.pathname}?${words}`);
  return choices(
    "Kind of series",
    [["", "every kind"], ...[...counts].map(([kind, number]) => [kind, kindLabel(kind), number])],
    chosen,
    href,
  );
}

function noSeries(asked, kind) {
  if (!asked && !kind) return empty("No series yet: they come with the first items.");
  const [among, called] = [kind ? ` of the kind ${kindLabel(kind)}` : "", asked ? [" is called ", foreign(`“${asked}”`)] : " is there"];
  const everyKind = kind ? [" ", h("a", { href: address("series", { q: asked }) }, "Look in every kind"), "."] : "";
  return empty("No series", among, called, ". A part of the name is enough.", everyKind);
}

function listed({ items }, asked, kind) {
  if (!items.length) return noSeries(asked, kind);
  const row = (each) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        seriesLink(each.name, labelOf(each)),
        each.open_alert ? [" ", h("a", { href: address(`alerts/${each.open_alert}`), class: "pill" }, "open alert")] : "",
      ),
      h("td", { class: "quiet" }, each.name === each.kind ? "" : kindLabel(each.kind)),
      h("td", { class: "number" }, count(each.hits)),
      h("td", { class: "number" }, count(each.total)),
      h("td", { class: "number" }, each.low === null ? "–" : each.high < 1 ? "none" : `${amount(each.low)} to ${amount(each.high)}`),
      h(
        "td",
        { class: "newest" },
        each.newest ? [foreign(each.newest.title), h("span", { class: "quiet" }, " · ", agoOf(each.newest.seen_ms))] : "",
      ),
    );
  const head = ["Series", "Kind", items[0].signal, "Items", "Usual", "Newest headline"].map((text, index) =>
    h("th", { scope: "col", class: index > 1 && index < 5 ? "number" : null }, text),
  );
  return [
    h("p", { class: "quiet" }, "The last 24 hours, the most surprising first."),
    h("div", { class: "table-box" }, h("table", { class: "list" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, items.map(row)))),
    dataLinks(apiPath("series", { q: asked, kind })),
  ];
}

// --- One series

function one(root, place) {
  titleIs("Series");
  const range = place.query.get("range") in RANGES ? place.query.get("range") : "7d";
  const signal = place.query.get("signal") ?? "";
  const untilMs = Number(place.query.get("until_ms")) || 0;
  const head = h("div", {});
  const readout = h("p", { class: "readout", "aria-live": "off" }, " ");
  const charts = h("div", {
    class: "charts",
    role: "slider",
    tabindex: "0",
    "aria-label": "Hours: arrows move, Enter shows an hour's headlines",
    "aria-valuemin": "0",
    "aria-valuemax": "0",
    "aria-valuenow": "0",
  });
  const hour = h("section", { class: "card hour", "aria-label": "Headlines of an hour" });
  const table = h("details", { class: "table" }, h("summary", {}, "The numbers as a table"));
  const failedBox = h("div", {});
  replace(
    root,
    head,
    h("div", { class: "series-page" }, h("section", { class: "card", "aria-label": "Chart" }, readout, charts, failedBox, table), hour),
  );
  const seen = { chart: null, back: backLink(), data: null, range, signal, untilMs, place, head, readout, charts, hour, table };
  const load = () => fill(failedBox, place.signal, () => drawn(seen), { wait: false });
  load();
  rangeKeys(seen);
  const again = setInterval(() => document.visibilityState === "visible" && !untilMs && load(), RELOAD_MS);
  const soon = paced(load, place.signal);
  hear((kind, said) => kind === "alert" && said?.series === place.name && soon(ALERT_MS), place.signal);
  preferences.watch(load, place.signal);
  place.signal.addEventListener("abort", () => (clearInterval(again), seen.chart?.destroy()));
}

async function drawn(seen) {
  const { place, range, signal } = seen;
  const until = seen.untilMs || Math.ceil((eventNow() + 1) / HOUR_MS) * HOUR_MS;
  const query = { signal, since_ms: until - RANGES[range], until_ms: until, bucket_ms: bucketOf(range) };
  const path = `series/${encodeURIComponent(place.name)}/points`;
  const [data, listing] = await Promise.all([
    get(path, query, place.signal),
    get("series", { q: bare(place.name), signal, since_ms: query.since_ms, until_ms: until, limit: 50 }, place.signal),
  ]);
  const own = listing.items.find(({ name }) => name === place.name);
  if (place.signal.aborted) return [];
  seen.data = data;
  titleIs(labelOf(data));
  seen.charts.setAttribute("aria-label", `Hours of ${labelOf(data)}: arrows move, Enter shows an hour's headlines`);
  replace(seen.head, pageHead(seen, own, until), homeAndRanges(seen));
  const isEmpty = !data.points.some(({ total }) => total);
  seen.hour.hidden = seen.table.hidden = isEmpty;
  if (isEmpty) {
    seen.chart?.destroy();
    seen.chart = null;
    return own ? empty("No items in this time. A longer range may have some.") : unknown(seen);
  }
  drawChart(seen);
  const chosen = Number(new URLSearchParams(location.search).get("hour")); // a click has changed it since
  replace(seen.table, h("summary", {}, "The numbers as a table"), pointsTable(data), dataLinks(apiPath(path, query)));
  showHour(seen, chosen || busiest(data).start_ms, Boolean(chosen));
  return [];
}

/** A name without items: of a series that does not exist, or of one that was silent. */
function unknown(seen) {
  replace(seen.head, heading(foreign(labelOf(seen.data))), homeAndRanges(seen));
  const list = h("a", { href: address("series", { q: bare(seen.data.name) }) }, "Find a series");
  return empty("No items of ", foreign(seen.data.name), " in this time. A longer range may have some, or the name is another: ", list, ".");
}

const bare = (name) => name.slice(name.indexOf("/") + 1);

function pageHead(seen, own, untilMs) {
  const { points, signal } = seen.data;
  const sum = (pick) => points.reduce((total, each) => total + (pick(each) ?? 0), 0);
  const [hits, total] = [sum(({ hits }) => hits), sum(({ total }) => total)];
  return [
    heading(
      foreign(labelOf(seen.data)),
      seen.data.name === seen.data.kind ? "" : h("span", { class: "quiet" }, kindLabel(seen.data.kind)),
      own?.open_alert ? h("a", { href: address(`alerts/${own.open_alert}`), class: "pill" }, "open alert") : "",
    ),
    h(
      "p",
      {},
      h("strong", { class: "figure" }, percent(total ? hits / total : null)),
      " ",
      foreign(signal),
      `: ${count(hits)} of ${plural(total, "item")} in ${length(RANGES[seen.range])}`,
      seen.untilMs ? ` up to ${moment(untilMs)}` : "",
      own?.low != null ? `; ${usual(own.low, own.high)}.` : ".",
    ),
  ];
}

function homeAndRanges(seen) {
  const words = new URLSearchParams(location.search);
  const href = (range) => (words.set("range", range), `${location.pathname}?${words}`);
  const step = (by) => button(by < 0 ? "‹ Earlier" : "Later ›", () => moveBy(seen, by));
  return h(
    "div",
    { class: "bar" },
    seen.back,
    choices(
      "Range",
      Object.keys(RANGES).map((range) => [range, range.replace("h", " h").replace("d", " d")]),
      seen.range,
      href,
    ),
    h(
      "span",
      { class: "bar-end" },
      step(-1),
      seen.untilMs ? [step(1), button("Back to now", () => change({ until_ms: "", hour: "" }), { class: "main" })] : null,
    ),
  );
}

function moveBy(seen, by) {
  const now = eventNow();
  const until = (seen.untilMs || now) + (by * RANGES[seen.range]) / 2;
  change({ until_ms: until >= now ? "" : String(Math.round(until)) });
}

function rangeKeys(seen) {
  const keys = Object.keys(RANGES).map((range, index) => [
    String(index + 1),
    `Show ${range.replace("h", " hours").replace("d", " days")}`,
    () => change({ range }),
  ]);
  bind(
    "Series",
    [
      ...keys,
      ["c", "To the chart: then arrows and Enter", () => seen.charts.focus()],
      ["[", "Earlier", () => moveBy(seen, -1)],
      ["]", "Later", () => seen.untilMs && moveBy(seen, 1)],
    ],
    seen.place.signal,
  );
}

function drawChart(seen) {
  seen.chart?.destroy();
  seen.charts.setAttribute("aria-valuemax", seen.data.points.length - 1);
  const onMove = (point) => replace(seen.readout, sayPoint(point, seen.data.signal));
  const onFix = (point) => {
    const words = new URLSearchParams(location.search);
    words.set("hour", point.start_ms);
    history.replaceState(null, "", `${location.pathname}?${words}`);
    showHour(seen, point.start_ms, true);
  };
  seen.chart = seriesChart(seen.charts, seen.data, { fixedMs: 0, onFix, onMove });
}

/** Where nobody has chosen an hour: the one that is furthest above its band, else the last with items. */
export function busiest({ points }) {
  const above = points.filter(({ high }) => high !== null).map((point) => [point.hits - point.high, point]);
  const [excess, point] = above.reduce((best, each) => (each[0] > best[0] ? each : best), [0, null]);
  return excess > 0 ? point : (points.findLast(({ total }) => total) ?? points.at(-1));
}

function showHour(seen, startMs, isFixed) {
  const { place, data } = seen;
  const point = data.points.find(({ start_ms }) => start_ms === startMs) ?? data.points.findLast(({ start_ms }) => start_ms <= startMs);
  if (!point) return;
  seen.chart?.fix(point.start_ms);
  replace(seen.readout, sayPoint(point, data.signal));
  seen.charts.setAttribute("aria-valuetext", sayPoint(point, data.signal));
  const span = { since_ms: point.start_ms, until_ms: point.start_ms + data.bucket_ms };
  const body = h("div", { class: "hour-items" });
  replace(
    seen.hour,
    h("h2", {}, isFixed ? "" : "Most unusual: ", timeOf(point.start_ms), ` to ${moment(span.until_ms).split(", ").at(-1)}`),
    h("p", {}, sayPoint(point, data.signal).split(": ").slice(1).join(": ")),
    body,
    h("p", {}, h("a", { href: address("feed", { series: place.name, ...span }) }, "All items of these hours in the feed")),
  );
  const query = { series: place.name, ...span, limit: MOST_ITEMS };
  fill(body, place.signal, async () => stories(await get("items", query, place.signal), point));
}

/** The items of an hour, each story once. Where the hour counted fewer than there are, its repeats are said not to count. */
function stories({ items, next }, { total }) {
  if (!items.length) return empty("No items in this hour.");
  const repeats = items.filter(({ repeat_of_ms }) => repeat_of_ms !== null).length;
  const uncounted = repeats > 0 && (total < items.length || next !== null);
  const shown = new Map();
  for (const item of items) {
    const had = shown.get(item.story.id);
    if (!had || (had.repeat_of_ms !== null && item.repeat_of_ms === null)) shown.set(item.story.id, item);
  }
  const signal = status.get()?.mood?.signal;
  const mark = (item) =>
    h(
      "span",
      { class: "labels" },
      Object.values(item.heads).map(({ label }) => h("span", { class: "label", data: { hit: label === signal } }, foreign(label))),
    );
  const repeat = ({ repeat_of_ms: of, seen_ms }) =>
    of === null
      ? ""
      : [" · repeat of ", timeOf(of, { short: weekday(of) === weekday(seen_ms) }), uncounted ? h("strong", {}, ", not counted") : ""];
  const story = (item) =>
    h(
      "li",
      { data: { uncounted: uncounted && item.repeat_of_ms !== null } },
      outLink(item.url, item.title, { class: "title" }),
      h(
        "div",
        { class: "quiet" },
        timeOf(item.seen_ms, { short: true }),
        " · ",
        publishers(item.story, item.source),
        repeat(item),
        " ",
        mark(item),
      ),
    );
  const number = repeats === 1 ? "1 repeat, which is" : `${count(repeats)}${next === null ? "" : " or more"} repeats, which are`;
  return [
    uncounted
      ? h("p", { class: "quiet" }, `and ${number} not counted: a title counts once in 24 h.`)
      : null,
    h("ul", { class: "plain stories" }, [...shown.values()].slice(0, MOST_STORIES).map(story)),
  ];
}

function pointsTable({ points, signal }) {
  const cell = (text) => h("td", { class: "number" }, text);
  const row = (point) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, timeOf(point.start_ms)),
      cell(count(point.hits)),
      cell(count(point.total)),
      cell(percent(shares(point).share)),
      cell(point.low === null ? "–" : `${amount(point.low)} to ${amount(point.high)}`),
    );
  const head = ["From", signal, "Items", "Share", "Expected"].map((text, index) =>
    h("th", { scope: "col", class: index ? "number" : null }, text),
  );
  return h(
    "div",
    { class: "table-box" },
    h(
      "table",
      { class: "list" },
      h("thead", {}, h("tr", {}, head)),
      h(
        "tbody",
        {},
        points
          .filter(({ total }) => total)
          .toReversed()
          .map(row),
      ),
    ),
  );
}
