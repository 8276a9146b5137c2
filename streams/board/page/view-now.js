// Now: what happened while you were away, what is unusual (or the proof that nothing is), and where to look.

import { get } from "./api.js";
import { ENOUGH_ITEMS, rolling, shareSpan } from "./chart.js";
import { button, foreign, h, outLink, replace } from "./dom.js";
import { alertAddress, endedBox, endedLately, isOver, worstFirst } from "./ended.js";
import { clock, count, day, hourOf, interval, length, moment, percent, plural, sourceName, usual } from "./format.js";
import { titleIs } from "./header.js";
import { HEAT_STEPS, heatmap, walk } from "./heat.js";
import { hear, paced } from "./live.js";
import { agoOf, choices, empty, fill, labelOf, seriesLink, severity, timeOf } from "./parts.js";
import { address, change, seriesAddress } from "./router.js";
import { shareLine } from "./spark.js";
import { eventNow, keepVisit, kindLabel, kindMadeOf, kinds, lastVisit, preferences, status } from "./store.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const AWAY_SHOWN = 5;
const AWAY_MS = 5 * 60_000;
const RELOAD_MS = 15_000;
const ALERT_MS = 400; // many alerts at once make one reload
const MULTIPLES = 11;
const MOVERS = 8;
const LEAST_SURPRISE = 2; // one in a hundred by chance
const LEAST_HITS = 3; // as alerts ask for
const SHARED_MS = 2_000;
const SMOOTH = 3; // hours of a small multiple
const PAST_DAYS = 7;

export function now(root, place) {
  titleIs("Now");
  const parts = {
    away: section("While you were away"),
    calm: section("Now"),
    many: section("Mood by subject"),
    heat: section("By hour"),
    movers: section("Movers"),
  };
  replace(
    root,
    h("h1", { class: "unseen" }, "Now"),
    h(
      "div",
      { class: "now" },
      parts.away.box,
      h("div", { class: "column" }, parts.calm.box, parts.many.box, parts.heat.box),
      parts.movers.box,
    ),
  );
  const load = (wait) =>
    Promise.all([
      fill(parts.away.body, place.signal, () => away(parts.away.box, place.signal), { wait: false }),
      fill(parts.calm.body, place.signal, () => calm(place.signal), { wait }),
      fill(parts.many.body, place.signal, () => multiples(place), { wait }),
      fill(parts.heat.body, place.signal, () => heatSection(place), { wait }),
      fill(parts.movers.body, place.signal, () => movers(place.signal), { wait }),
    ]);
  parts.away.box.hidden = true;
  load(true);
  const soon = paced(() => load(false), place.signal);
  hear((kind) => soon(kind === "alert" || kind === "resync" ? ALERT_MS : RELOAD_MS), place.signal);
  let open = status.get()?.open_alerts;
  const counted = ({ open_alerts: now }) => now !== open && ((open = now), soon(ALERT_MS)); // it is told after its alerts
  status.watch(counted, place.signal);
  preferences.watch(() => load(false), place.signal);
}

function section(title) {
  const body = h("div", { class: "body" });
  return { body, box: h("section", { class: "card", "aria-label": title }, h("h2", {}, title), body) };
}

// --- While you were away

let awaySince = null;

/** The visit before this one is fixed when the page opens; looking at it does not end it. */
export function beginVisit() {
  const { namespace } = status.get();
  awaySince = lastVisit(namespace);
  const leave = () => document.visibilityState === "hidden" && keepVisit(namespace, eventNow());
  document.addEventListener("visibilitychange", leave);
  addEventListener("pagehide", () => keepVisit(namespace, eventNow()));
}

async function away(box, signal) {
  if (!awaySince || Date.now() - awaySince.wallMs < AWAY_MS || eventNow() - awaySince.eventMs < AWAY_MS) return ((box.hidden = true), []);
  const since = awaySince.eventMs;
  const lists = await Promise.all(
    ["open", "acknowledged", "silenced", "history"].map((state) => get("alerts", { state, limit: 200 }, signal)),
  );
  const changed = lists.flatMap(({ items }) => items).filter(({ updated_ms }) => updated_ms >= since);
  const ended = changed.filter(isOver);
  const opened = changed.filter((alert) => !isOver(alert) && alert.onset_ms >= since);
  const worsened = changed.filter(({ state, onset_ms }) => state === "escalated" && onset_ms < since);
  box.hidden = !(opened.length + worsened.length + ended.length);
  const rest = (title) => address("alerts", { state: title === "Ended" ? "history" : "" });
  const group = (title, alerts) =>
    alerts.length === 0
      ? null
      : h(
          "div",
          {},
          h("h3", {}, `${title} (${count(alerts.length)})`),
          h(
            "ul",
            { class: "plain lines" },
            worstFirst(alerts).slice(0, AWAY_SHOWN).map(alertLine),
            alerts.length > AWAY_SHOWN ? h("li", {}, h("a", { href: rest(title) }, `and ${alerts.length - AWAY_SHOWN} more`)) : null,
          ),
        );
  const seen = button("Seen", () => {
    awaySince = null;
    keepVisit(status.get().namespace, eventNow());
    box.hidden = true;
  });
  return [
    h("p", { class: "quiet" }, `Since ${moment(since)}, ${length(eventNow() - since)} of news. `, seen),
    h("div", { class: "away" }, group("Opened", opened), group("Worsened", worsened), group("Ended", ended)),
  ];
}

function alertLine(alert) {
  return h(
    "li",
    {},
    severity(alert.severity, { word: false }),
    " ",
    h("a", { href: alertAddress(alert) }, foreign(alert.sentence)),
    h("span", { class: "quiet" }, " · ", isOver(alert) ? interval(alert.onset_ms, alert.updated_ms) : ["since ", timeOf(alert.onset_ms)]),
    alert.inhibited ? h("span", { class: "quiet" }, " · held back") : "",
  );
}

// --- Open alerts, or the proof of calm

async function calm(signal) {
  const now = status.get();
  if (!now?.items_total) return firstNews();
  const { items } = await get("alerts", { state: "open", limit: 6 }, signal);
  if (!items.length) return (await lookedAfter(signal)) ?? [await proof(now, signal), endedBox(await endedLately(signal))];
  const more = now.open_alerts - items.slice(0, 5).length;
  return [
    h("ul", { class: "plain lines now-alerts" }, items.slice(0, 5).map(alertLine)),
    more > 0 ? h("p", {}, h("a", { href: address("alerts") }, `${plural(more, "more open alert")}`)) : null,
  ];
}

/** Open alerts of which none waits for anybody; null where there are none either. */
async function lookedAfter(signal) {
  const states = ["acknowledged", "silenced"];
  const [taken, silenced] = await Promise.all(states.map((state) => get("alerts", { state, limit: 6 }, signal)));
  const found = [...taken.items, ...silenced.items];
  if (!found.length) return null;
  return [
    h("p", { class: "calm" }, h("strong", {}, "No alert waits for anybody."), " These are open, and acknowledged or silenced:"),
    h("ul", { class: "plain lines now-alerts" }, found.slice(0, 5).map(alertLine)),
  ];
}

function firstNews() {
  return [
    empty(
      "No news yet. Start feeds with ",
      h("code", {}, "moodwire run"),
      " or play a file with ",
      h("code", {}, "moodwire replay FILE"),
      ".",
    ),
  ];
}

async function proof(now, signal) {
  const all = await streamSeries(signal);
  const end = hourStart(eventNow());
  const points = all
    ? (await get(`series/${encodeURIComponent(all.name)}/points`, { since_ms: end - PAST_DAYS * DAY_MS, until_ms: end + HOUR_MS }, signal))
        .points
    : [];
  const day24 = points.filter(({ start_ms }) => start_ms > end - DAY_MS).reduce((sum, { total }) => sum + total, 0);
  const next = nextHour(points, end + HOUR_MS);
  return [
    h("p", { class: "calm" }, h("strong", {}, "Nothing unusual.")),
    h(
      "ul",
      { class: "plain facts" },
      fact(count(day24), "items in the last 24 h"),
      now.feeds && fact(`${count(now.feeds.alive)} of ${count(now.feeds.total)}`, "feeds alive"),
      next && fact(`${count(next.low)} to ${count(next.high)}`, `items ${hoursOf(end + HOUR_MS)} on each of the last ${next.days} days`),
      fact(count(now.items_total), "items in the archive"),
    ),
  ];
}

const hoursOf = (startMs) => `from ${clock(startMs)} to ${clock(startMs + HOUR_MS)}`;

function fact(figure, text) {
  return h("li", {}, h("strong", { class: "figure" }, figure), " ", text);
}

/** What the hour that begins at `startMs` had on earlier days: nothing below three of them. */
export function nextHour(points, startMs) {
  const totals = points.filter(({ start_ms }) => start_ms < startMs && (startMs - start_ms) % DAY_MS === 0).map(({ total }) => total);
  return totals.length < 3 ? null : { low: Math.min(...totals), high: Math.max(...totals), days: totals.length };
}

const hourStart = (ms) => Math.floor(ms / HOUR_MS) * HOUR_MS;

// --- Small multiples

let listing = null;

/** The list that the parts of one drawing share. */
function everySeries(signal) {
  if (listing?.signal !== signal || Date.now() - listing.atMs > SHARED_MS)
    listing = { signal, atMs: Date.now(), list: get("series", { limit: 500 }, signal).catch(forgetListing) };
  return listing.list;
}

function forgetListing(problem) {
  listing = null;
  throw problem;
}

/** The series of all news is the one without a name behind its kind. */
async function streamSeries(signal) {
  const { items } = await everySeries(signal);
  return items.find(({ name, kind }) => name === kind) ?? null;
}

/** The kinds that have series, in the order of the profile; that of everything is shown beside each. */
function kindsOf(series) {
  const found = new Set(series.filter(({ name, kind }) => name !== kind).map(({ kind }) => kind));
  return kinds()
    .map(({ name }) => name)
    .filter((name) => found.has(name));
}

async function multiples(place) {
  const { items } = await everySeries(place.signal);
  if (!items.length) return empty("No series yet.");
  const known = kindsOf(items);
  const kind = chosenKind(known, place.query.get("kind"), "labels");
  const stream = items.filter(({ name, kind: own }) => name === own);
  const shown = [
    ...stream,
    ...items
      .filter(({ kind: own }) => own === kind)
      .sort((a, b) => b.total - a.total)
      .slice(0, MULTIPLES),
  ];
  const end = hourStart(eventNow()) + HOUR_MS;
  const cards = await Promise.all(shown.map((each) => multiple(each, end, place.signal)));
  return [kindChoices("Kind of series", known, kind, "kind"), h("ul", { class: "plain multiples" }, cards)];
}

/** The kind asked for; without one the first that is made of what is `usually` shown. */
function chosenKind(known, asked, usually) {
  return known.includes(asked) ? asked : (known.find((name) => kindMadeOf(usually)?.name === name) ?? known[0]);
}

function kindChoices(label, known, chosen, key) {
  const words = new URLSearchParams(location.search);
  const href = (kind) => (words.set(key, kind), `${location.pathname}?${words}`);
  return known.length > 1
    ? choices(
        label,
        known.map((kind) => [kind, kindLabel(kind)]),
        chosen,
        href,
      )
    : null;
}

async function multiple(series, endMs, signal) {
  const { points } = await get(`series/${encodeURIComponent(series.name)}/points`, { since_ms: endMs - DAY_MS, until_ms: endMs }, signal);
  const few = series.total < ENOUGH_ITEMS; // a share of two items says nothing
  const counted = `${count(series.hits)} of ${count(series.total)}`;
  const share = few ? counted : percent(series.hits / series.total);
  const above = series.high !== null && series.hits > series.high && series.hits >= LEAST_HITS;
  return h(
    "li",
    { class: "multiple", data: { above, few } },
    h(
      "a",
      { href: seriesAddress(series.name) },
      h("span", { class: "multiple-name" }, foreign(labelOf(series))),
      h("span", { class: "figure" }, share),
    ),
    shareLine(rolling(points, Math.max(SMOOTH, shareSpan(points))).map(withoutWholeBand), {
      said: `${labelOf(series)}, last 24 h: ${share} ${series.signal}`,
    }),
    h("span", { class: "quiet" }, few ? "too few" : counted, series.low === null ? "" : `, ${usual(series.low, series.high)}`),
  );
}

/** A band from nothing to everything says nothing: it is left out. */
function withoutWholeBand(point) {
  return point.low !== null && point.low <= 0 && point.high >= 1 ? { ...point, low: null, high: null } : point;
}

// --- Heat map

async function heatSection(place) {
  const { items } = await everySeries(place.signal);
  const known = kindsOf(items);
  if (!known.length) return empty("No series yet.");
  const kind = chosenKind(known, place.query.get("heat"), "entities");
  const end = Number(place.query.get("until")) || hourStart(eventNow()) + HOUR_MS;
  const found = await get("heatmap", { kind, since_ms: end - DAY_MS, until_ms: end, rows: 10 }, place.signal);
  const signal = status.get()?.mood?.signal ?? "";
  const isPast = Boolean(place.query.get("until"));
  const moved = (by) => (end + by >= eventNow() + HOUR_MS ? "" : String(end + by));
  const step = (by) => button(by < 0 ? "‹ 12 h earlier" : "12 h later ›", () => change({ until: moved(by) }));
  return [
    h(
      "div",
      { class: "bar" },
      kindChoices("Kind of rows", known, kind, "heat"),
      h(
        "span",
        { class: "bar-end" },
        step(-12 * HOUR_MS),
        isPast ? [step(12 * HOUR_MS), button("Back to now", () => change({ until: "" }), { class: "main" })] : null,
      ),
    ),
    found.rows.length ? walk(heatmap(found, signal)) : empty("No items in these hours."),
    h(
      "p",
      { class: "legend quiet" },
      `${day(end - DAY_MS)} ${hourOf(end - DAY_MS)} h to ${day(end)} ${hourOf(end)} h. `,
      "Numbers are ",
      foreign(signal),
      " items. Coloured where they are above the usual, by how many times: ",
      h(
        "span",
        { class: "scale" },
        HEAT_STEPS.map((times, index) => h("span", { class: "cell", data: { heat: index + 1 } }, times)),
      ),
    ),
  ];
}

// --- Movers

async function movers(signal) {
  const { items } = await everySeries(signal);
  const moved = items.filter(isMover).slice(0, MOVERS);
  if (!moved.length) {
    const had = `${plural(items.length, "series", "series")} had news in the last 24 h. `;
    return empty(had, "None has ", String(LEAST_HITS), " or more ", foreign(items[0]?.signal ?? ""), " items where so many are rare.");
  }
  return h("ol", { class: "plain movers" }, moved.map(mover));
}

/** One or two hits are no news, however rare. */
export function isMover({ surprise, hits }) {
  return hits >= LEAST_HITS && surprise >= LEAST_SURPRISE;
}

function mover(series) {
  const { newest } = series;
  return h(
    "li",
    {},
    h(
      "div",
      { class: "mover-head" },
      seriesLink(series.name, labelOf(series)),
      series.name === series.kind ? "" : h("span", { class: "quiet" }, kindLabel(series.kind)),
      series.open_alert ? h("a", { href: address(`alerts/${series.open_alert}`), class: "pill" }, "open alert") : "",
    ),
    h(
      "div",
      {},
      h("strong", { class: "figure" }, count(series.hits)),
      " ",
      foreign(series.signal),
      ` of ${count(series.total)}`,
      series.low === null ? "" : `, ${usual(series.low, series.high)}`,
    ),
    newest &&
      h(
        "div",
        { class: "quiet newest" },
        outLink("", newest.title),
        " ",
        h("span", {}, " · ", foreign(sourceName(newest.source)), " · ", agoOf(newest.seen_ms)),
      ),
  );
}
