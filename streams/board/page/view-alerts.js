// Alerts: the list on the left, the chosen one beside it; on a phone one after the other.

import { apiPath, get } from "./api.js";
import { acknowledge, assign, endSilence, judge, silence, VERDICTS } from "./actions.js";
import { hoursInWords } from "./alert-day.js";
import { button, foreign, h, replace } from "./dom.js";
import { endedBox, endedLately } from "./ended.js";
import { count, moment, plural, sourceName } from "./format.js";
import { titleIs } from "./header.js";
import { bind } from "./keys.js";
import { hear, paced } from "./live.js";
import { choices, dataLinks, empty, fill, heading, loading, severity, showProblem, timeOf } from "./parts.js";
import { address, go } from "./router.js";
import { sparkline } from "./spark.js";
import { may, preferences, status } from "./store.js";
import { showAlert } from "./view-alert.js";

const STATES = [
  ["open", "Open"],
  ["acknowledged", "Acknowledged"],
  ["silenced", "Silenced"],
  ["history", "History"],
];
const PAGE = 100;
const SETTLE_MS = 400; // many alerts at once make one reload
const WATCHED = new Set(["alert", "silence", "resync"]);
const ARCHIVED_MS = 1_500; // a decision is in the lists once the archive has it

let state = "open";
let ended = null; // what ended lately: known where no alert is open
let past = ""; // how many alerts the history has, where that is known
let kept = null; // shown at once while one walks through its alerts, then asked for again

export function alerts(root, place) {
  const chosen = place.name;
  state = STATES.some(([name]) => name === place.query.get("state")) ? place.query.get("state") : chosen && kept ? kept.state : "open";
  titleIs("Alerts");
  const list = h("ol", { class: "plain alert-list", "aria-label": "Alerts" });
  const foot = h("div", { class: "list-foot" });
  const detail = h("section", { class: "card detail", "aria-label": "The chosen alert" });
  const items = kept?.state === state ? kept.items : null; // null until the first answer
  const view = { place, chosen, list, foot, detail, items, silences: [], next: null, shown: null };
  replace(
    root,
    heading("Alerts"),
    tabs(),
    h("div", { class: "alerts-page", data: { chosen: Boolean(chosen) } }, h("div", { class: "list-side" }, list, foot), detail),
  );
  drawList(view);
  load(view);
  showDetail(view);
  follow(view);
  keysOf(view);
}

const filterOf = (query) => ({ series: query.get("series"), severity: query.get("severity") });

function tabs() {
  const open = status.get()?.open_alerts;
  return choices(
    "Which alerts",
    STATES.map(([name, text]) => [name, text, { open, history: past || undefined }[name]]),
    state,
    (name) => address("alerts", { state: name === "open" ? "" : name }),
  );
}

async function load(view, { more = false } = {}) {
  const { query, signal } = view.place;
  const had = view.items?.length ?? 0;
  try {
    const limit = more ? PAGE : Math.min(500, Math.max(PAGE, had));
    const page = await get("alerts", { ...filterOf(query), state, limit, cursor: more ? view.next : "" }, signal);
    if (!more && (view.items?.length ?? 0) > had) return load(view); // more were asked for meanwhile
    view.items = more ? [...view.items, ...page.items] : page.items;
    view.next = page.next;
    kept = { state, items: view.items };
    const isWhole = !Object.values(filterOf(query)).some(Boolean);
    if (state === "history" && isWhole) countPast(`${count(view.items.length)}${view.next ? "+" : ""}`);
    if (state === "open" && !more) await lookAtEnded(view);
    if (state === "silenced") view.silences = (await get("silences", {}, signal)).items;
    drawList(view);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    if (problem.status === 401) document.dispatchEvent(new CustomEvent("login"));
    else
      showProblem(view.foot, problem, () => load(view), signal, { isFilled: Boolean(view.items?.length) && !more });
  }
}

/** Where no alert is open: those that ended, so that the view is no dead end. */
async function lookAtEnded(view) {
  ended = view.items.length ? null : await endedLately(view.place.signal);
  countPast(ended?.count ?? "");
}

function countPast(text) {
  past = text;
  replaceTabs();
}

function drawList(view) {
  const focused = document.activeElement?.closest?.("li[data-id]")?.dataset.id;
  if (!view.items) return replace(view.foot, loading("Alerts"));
  replace(
    view.list,
    view.items.map((alert) => row(alert, alert.id === view.chosen)),
  );
  view.detail.hidden = !view.chosen && !view.items.length;
  if (focused) view.list.querySelector(`li[data-id="${CSS.escape(focused)}"] a`)?.focus({ preventScroll: true });
  if (!view.items.length) replace(view.foot, nothing(), state === "open" && ended ? endedBox(ended) : null, silencesOf(view));
  else
    replace(
      view.foot,
      silencesOf(view),
      view.next ? button("Show more", () => load(view, { more: true })) : h("p", { class: "quiet" }, plural(view.items.length, "alert")),
      dataLinks(apiPath("alerts", { ...filterOf(view.place.query), state })),
    );
}

function nothing() {
  const said = {
    open: "No alert is open.",
    acknowledged: "No alert is acknowledged.",
    silenced: "No alert is silenced.",
    history: "No alert has ended yet.",
  }[state];
  return empty(said);
}

/** The silences in force and planned: also those that hit nothing now can be ended. */
function silencesOf(view) {
  if (state !== "silenced" || !view.silences.length) return null;
  const line = (each) =>
    h(
      "li",
      {},
      h("strong", { title: each.matchers.join(", ") }, foreign(each.about)),
      h(
        "span",
        { class: "quiet" },
        ` ${each.maintenance ? "in maintenance" : "silenced"} from ${moment(each.starts_ms)} to ${moment(each.ends_ms)} by `,
        foreign(each.by),
        each.comment ? [": ", foreign(each.comment)] : "",
        each.firing ? ` · ${plural(each.firing, "open alert")} ` : " · no open alert ",
      ),
      may("act") && button("End", () => endSilence(each, () => decided(view))),
    );
  return [h("h3", {}, plural(view.silences.length, "silence")), h("ul", { class: "plain lines" }, view.silences.map(line))];
}

function row(alert, isChosen) {
  return h(
    "li",
    { class: "alert-row", data: { id: alert.id, severity: alert.severity } },
    h(
      "a",
      { href: address(`alerts/${alert.id}`, { state: state === "open" ? "" : state }), "aria-current": isChosen ? "true" : null },
      h("span", { class: "row-top" }, severity(alert.severity), h("span", { class: "quiet" }, badge(alert), timeOf(alert.onset_ms))),
      h("span", { class: "sentence" }, foreign(alert.sentence)),
      h(
        "span",
        { class: "row-end" },
        h("span", { class: "quiet publishers" }, who(alert)),
        sparkline(alert.last_day, { said: hoursInWords(alert) }),
      ),
    ),
  );
}

function badge(alert) {
  if (alert.inhibited) return h("span", { title: "A more severe alert holds its messages back" }, "held back · ");
  if (alert.change === "escalated") return "worsened · ";
  if (alert.change === "reopened") return "reopened · ";
  return alert.assignee ? [foreign(alert.assignee), " · "] : "";
}

function who({ headlines }) {
  const names = [...new Set(headlines.map(({ publisher }) => sourceName(publisher)).filter(Boolean))];
  return names.length ? [foreign(names.slice(0, 3).join(", ")), names.length > 3 ? ` and ${names.length - 3} more` : ""] : "";
}

// --- The chosen one

function showDetail(view) {
  if (!view.chosen)
    return replace(view.detail, empty("Choose an alert: ", h("kbd", {}, "j"), " and ", h("kbd", {}, "k"), " move, Enter opens."));
  const changed = () => decided(view);
  const draw = () =>
    fill(
      view.detail,
      view.place.signal,
      async () => {
        view.shown = await get(`alerts/${encodeURIComponent(view.chosen)}`, {}, view.place.signal);
        titleIs(view.shown.label);
        return showAlert(view.shown, view.place, changed, address("alerts", { state: state === "open" ? "" : state }));
      },
      { wait: view.shown === null },
    );
  view.redraw = draw;
  draw();
  return view.detail;
}

/** After a decision: now, and once more when it has surely reached the archive. */
function decided(view) {
  for (const wait of [0, ARCHIVED_MS]) setTimeout(() => view.place.signal.aborted || (load(view), view.redraw?.()), wait);
}

function follow(view) {
  const reload = async () => {
    if (document.querySelector("dialog[open]")) return;
    await load(view);
    if (view.chosen && !view.detail.contains(document.activeElement)) await view.redraw?.();
  };
  const paces = paced(reload, view.place.signal);
  const soon = () => paces(SETTLE_MS);
  hear((kind) => WATCHED.has(kind) && soon(), view.place.signal);
  status.watch(() => replaceTabs(), view.place.signal);
  preferences.watch(soon, view.place.signal);
}

function replaceTabs() {
  document.querySelector('nav[aria-label="Which alerts"]')?.replaceWith(tabs());
}

// --- Keys

function keysOf(view) {
  const { signal } = view.place;
  const withOne = (run) => () => view.shown && may("act") && run(view.shown, () => decided(view));
  bind(
    "Alerts",
    [
      ["j", "Next alert", () => step(view, 1)],
      ["k", "Previous alert", () => step(view, -1)],
      ["Escape", "Back to the list", () => view.chosen && go(address("alerts", { state: state === "open" ? "" : state }))],
      ["a", "Acknowledge", withOne(acknowledge)],
      ["m", "Assign", withOne(assign)],
      ["s", "Silence", withOne(silence)],
      ...VERDICTS.map(([verdict, text, key]) => [
        key,
        `It was: ${text.toLowerCase()}`,
        withOne((alert, done) => judge(alert, verdict, done)),
      ]),
    ],
    signal,
  );
}

function step(view, by) {
  const at = (view.items ?? []).findIndex(({ id }) => id === view.chosen);
  const next = view.items?.[at < 0 ? (by > 0 ? 0 : -1) : at + by];
  if (next) go(address(`alerts/${next.id}`, { state: state === "open" ? "" : state }));
}
