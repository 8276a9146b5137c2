// One alert: what happened, why it fired, the headlines, its timeline, who was notified, and what to do about it.

import { acknowledge, assign, endSilence, explanation, judge, note, saidOf, silence, takeBack, VERDICTS, wordOf } from "./actions.js";
import { alertDay } from "./alert-day.js";
import { button, foreign, h } from "./dom.js";
import { amount, count, length, moment, percent, plural, rarity, titled, usual } from "./format.js";
import { empty, fill, headline, seriesLink, severity, timeOf } from "./parts.js";
import { address } from "./router.js";
import { eventNow, may } from "./store.js";

const HOUR_MS = 3_600_000;

/** Returns the parts of the detail; `done` is called after a decision was taken. */
export function showAlert(alert, place, done, backHref) {
  return [
    h("a", { href: backHref, class: "back" }, "← All alerts"),
    h(
      "div",
      { class: "heading" },
      h("h2", {}, seriesLink(alert.series, alert.label, { signal: alert.signal, ...aroundOnset(alert) })),
      severity(alert.severity),
      h("span", { class: "quiet" }, stateOf(alert)),
    ),
    h("p", { class: "lead" }, foreign(alert.sentence)),
    h("p", { class: "quiet" }, onset(alert)),
    held(alert),
    silences(alert, done),
    may("act") ? actions(alert, done) : h("p", { class: "quiet" }, "Your token may read, but not act."),
    h("h3", {}, alert.state === "resolved" ? "The 24 hours up to its worst" : "The last 24 hours"),
    alertDay(alert),
    h("h3", {}, "Why"),
    why(alert, place),
    headlines(alert),
    notes(alert),
    h("h3", {}, "Timeline"),
    timeline(alert.timeline ?? []),
    h("h3", {}, "Notified"),
    notified(alert),
  ];
}

/** The series a day around the onset, where that is past; the present otherwise. */
function aroundOnset({ onset_ms }) {
  const until = onset_ms + 24 * HOUR_MS;
  return until < eventNow() ? { until_ms: until, range: "3d" } : { range: "3d" };
}

function stateOf({ state, inhibited, silenced }) {
  return [titled(state), inhibited ? "held back" : "", silenced.length ? "silenced" : ""].filter(Boolean).join(", ");
}

function onset(alert) {
  const ended = alert.state === "resolved";
  return [
    "Began ",
    timeOf(alert.onset_ms),
    ended
      ? [", ended ", timeOf(alert.updated_ms), ` after ${length(alert.updated_ms - alert.onset_ms)}`]
      : `, ${length(eventNow() - alert.onset_ms)} ago`,
    ".",
  ];
}

function held({ acknowledged, assignee }) {
  const said = [];
  if (acknowledged)
    said.push(
      h("span", {}, "Acknowledged by ", foreign(acknowledged.by), acknowledged.until_ms ? ` until ${moment(acknowledged.until_ms)}` : ""),
    );
  if (assignee) said.push(h("span", {}, "Assigned to ", foreign(assignee)));
  return said.length
    ? h(
        "p",
        { class: "held" },
        said.flatMap((each, index) => (index ? [" · ", each] : [each])),
      )
    : null;
}

/** The silences in force that are about it, also where it has ended: it may open again. */
function silences(alert, done) {
  return alert.silences.map((each) =>
    h(
      "p",
      { class: "held silenced" },
      h(
        "span",
        {},
        h("strong", {}, each.maintenance ? "In maintenance until " : "Silenced until ", timeOf(each.ends_ms)),
        ": ",
        foreign(each.about),
        ", by ",
        foreign(each.by),
        each.comment ? [": ", foreign(each.comment)] : "",
      ),
      may("act") && button("End", () => endSilence(each, done)),
    ),
  );
}

function headlines({ state, headlines: last, opening_headlines: first }) {
  const list = (title, items) => [h("h3", {}, title), h("ul", { class: "plain headlines" }, items.map(headline))];
  const known = new Set(last.map(({ id }) => id));
  if (!last.length && !first.length) return [h("h3", {}, "Headlines"), empty("Its items are no longer in the archive.")];
  return [
    first.some(({ id }) => !known.has(id)) && list("Headlines when it fired", first),
    last.length ? list(state === "resolved" ? "Headlines at its worst" : "Headlines", last) : null,
  ];
}

function actions(alert, done) {
  const over = alert.state === "resolved";
  const said = saidOf(alert);
  const key = (letter) => h("kbd", {}, letter);
  const act = (text, letter, run, properties) => button([text, letter ? [" ", key(letter)] : ""], () => run(alert, done), properties);
  return h(
    "div",
    { class: "actions" },
    h(
      "div",
      { class: "buttons", role: "group", "aria-label": "Act" },
      over
        ? null
        : [
            alert.acknowledged ? act("Stop acknowledging", "", takeBack) : act("Acknowledge", "a", acknowledge, { class: "main" }),
            act("Assign", "m", assign),
          ],
      act("Silence", "s", silence),
      act("Note", "", note),
    ),
    h(
      "div",
      { class: "buttons", role: "group", "aria-label": "What was it worth?" },
      h("span", { class: "quiet" }, "It was"),
      VERDICTS.map(([verdict, text, letter]) =>
        act(text.toLowerCase(), letter, () => judge(alert, verdict, done), { "aria-pressed": String(said === verdict) }),
      ),
      said ? h("span", { class: "quiet" }, `You said: ${wordOf(said)}`) : null,
    ),
  );
}

// --- Why

let unfolded = ""; // the alert whose findings are shown, also once it is drawn again

function why(alert, place) {
  const { observed, expected, window: span, peak, opened } = alert;
  const rows = [
    look("When it fired", opened),
    peak && look("At its worst", { ...peak, low: peak.interval?.[0], high: peak.interval?.[1] }),
  ];
  if (alert.state !== "resolved" && alert.updated_ms > opened.at_ms && span) {
    const [low, high] = expected.interval ?? [];
    rows.push(look("Last look", { ...observed, at_ms: alert.updated_ms, seconds: span.seconds, low, high, p_value: alert.p_value }));
  }
  const head = ["Look", alert.signal, "Share", "Usual", "Window", "By chance"].map((text, index) =>
    h("th", { scope: "col", class: index && index < 5 ? "number" : null }, text),
  );
  const more = h("details", { class: "explain", open: unfolded === alert.id }, h("summary", {}, "Every rule and window, counted again"));
  const body = h("div", {});
  more.append(body);
  more.addEventListener("toggle", () => {
    if (more.open || unfolded === alert.id) unfolded = more.open ? alert.id : "";
    if (more.open && !body.childElementCount) fill(body, place.signal, () => findings(alert, place.signal));
  });
  return h(
    "div",
    {},
    h("p", { class: "quiet" }, "Rule ", foreign(alert.rule), ", on ", foreign(alert.signal), " items. Usual: 95 % of the time."),
    h("div", { class: "table-box" }, h("table", { class: "list" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows))),
    more,
  );
}

const usualOf = (low, high) => (high === undefined ? "–" : high < 1 ? "none" : `${amount(low)} to ${amount(high)}`);

function look(name, { at_ms, hits, total, seconds, low, high, p_value }) {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, name, ", ", timeOf(at_ms)),
    h("td", { class: "number" }, `${count(hits)} of ${count(total)}`),
    h("td", { class: "number" }, percent(total ? hits / total : null)),
    h("td", { class: "number" }, usualOf(low, high)),
    h("td", { class: "number" }, length(seconds * 1000)),
    h("td", {}, rarity(p_value)),
  );
}

async function findings(alert, signal) {
  const { findings: found } = await explanation(alert, signal);
  const [own, ...counted] = found; // the first is the alert's own: the row "When it fired"
  const lines = counted.length ? counted : [own].filter(Boolean);
  if (!lines.length) return empty("No rule looked at it then.");
  return [
    h("p", { class: "quiet" }, "As of ", timeOf(alert.opened.at_ms), ", when it fired:"),
    h(
      "ul",
      { class: "plain findings" },
      lines.map((each) => h("li", {}, finding(each, alert.signal))),
    ),
  ];
}

function finding({ reason, text, numbers }, signal) {
  if (numbers?.hits === undefined) return foreign(text || reason);
  const { rule, hits, total, window_seconds: seconds, interval, p_value } = numbers;
  const usually = interval ? `, ${usual(...interval)}, ${rarity(p_value)} by chance` : "";
  const verdict = text.includes(": ") ? text.slice(text.indexOf(": ")) : `: ${titled(reason).toLowerCase()}`;
  return [
    h("strong", {}, foreign(rule)),
    ` over ${length(seconds * 1000)}: ${count(hits)} ${signal} of ${plural(total, "item")}${usually}`,
    foreign(verdict),
  ];
}

function notes({ annotations }) {
  const entries = Object.entries(annotations);
  return entries.length
    ? [
        h("h3", {}, "From the rule"),
        h(
          "dl",
          { class: "pairs" },
          entries.map(([name, text]) => h("div", {}, h("dt", {}, foreign(titled(name))), h("dd", {}, foreign(text)))),
        ),
      ]
    : null;
}

const DECIDED = {
  acknowledge: "Acknowledged",
  assign: "Assigned",
  unacknowledge: "No longer acknowledged",
  verdict: "Judged",
};

function timeline(entries) {
  if (!entries.length) return empty("Nothing yet.");
  return h(
    "ol",
    { class: "plain timeline" },
    entries.map(({ at_ms, kind, by, text }) =>
      h(
        "li",
        {},
        timeOf(at_ms),
        h(
          "span",
          {},
          h("strong", {}, foreign(DECIDED[kind] ?? titled(kind))),
          by ? [" by ", foreign(by)] : "",
          text ? [": ", foreign(text)] : "",
        ),
      ),
    ),
  );
}

function notNotified({ state, inhibited, inhibited_by: by, silences: quiet }) {
  if (by) {
    const link = h("a", { href: address(`alerts/${by.id}`, { state: state === "resolved" ? "history" : "" }) }, foreign(by.label));
    return empty("Not notified: held back by ", link, ` (${by.severity}).`);
  }
  if (inhibited) return empty("Not notified: held back by a more severe alert.");
  return empty(quiet.length ? "Not notified: silenced." : "Nobody was notified. Receivers are set in the routes file.");
}

function notified(alert) {
  const entries = alert.notified;
  if (!entries.length) return notNotified(alert);
  const row = ({ receiver, status, at_ms, attempts, problem }) =>
    h(
      "li",
      {},
      timeOf(at_ms),
      h(
        "span",
        {},
        h("strong", {}, foreign(receiver)),
        " ",
        foreign(status),
        attempts > 1 ? ` after ${attempts} attempts` : "",
        problem ? [": ", foreign(problem)] : "",
      ),
    );
  return h("ol", { class: "plain timeline" }, entries.map(row));
}
