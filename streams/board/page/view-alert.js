// One alert: what happened, why it fired, the headlines, its timeline, who was notified, and what to do about it.

import { acknowledge, assign, explanation, judge, note, saidOf, silence, takeBack, VERDICTS, wordOf } from "./actions.js";
import { alertDay } from "./alert-day.js";
import { button, foreign, h } from "./dom.js";
import { amount, count, length, moment, percent, rarity, titled } from "./format.js";
import { empty, fill, headline, seriesLink, severity, timeOf } from "./parts.js";
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
    may("act") ? actions(alert, done) : h("p", { class: "quiet" }, "Your token may read, but not act."),
    h("h3", {}, alert.state === "resolved" ? "The 24 hours up to its worst" : "The last 24 hours"),
    alertDay(alert),
    h("h3", {}, "Why"),
    why(alert, place),
    h("h3", {}, alert.state === "resolved" ? "Headlines at its height" : "Headlines"),
    alert.headlines.length
      ? h("ul", { class: "plain headlines" }, alert.headlines.map(headline))
      : empty("Its items are no longer in the archive."),
    notes(alert),
    h("h3", {}, "Timeline"),
    timeline(alert.timeline ?? []),
    h("h3", {}, "Notified"),
    notified(alert.notified ?? []),
  ];
}

/** The series a day around the onset, where that is past; the present otherwise. */
function aroundOnset({ onset_ms }) {
  const until = onset_ms + 24 * HOUR_MS;
  return until < eventNow() ? { until_ms: until, range: "3d" } : { range: "3d" };
}

function stateOf({ state, inhibited, silenced }) {
  return [titled(state), inhibited ? "inhibited" : "", silenced.length ? "silenced" : ""].filter(Boolean).join(", ");
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

function why(alert, place) {
  const { observed, expected, window: span, peak } = alert;
  const of = (interval) => (!interval ? "–" : interval[1] < 1 ? "none" : `${amount(interval[0])} to ${amount(interval[1])}`);
  const looked = (name, hits, total, mean, interval, seconds, p) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", { class: "number" }, `${count(hits)} of ${count(total)}`),
      h("td", { class: "number" }, percent(total ? hits / total : null)),
      h("td", { class: "number" }, amount(mean)),
      h("td", { class: "number" }, of(interval)),
      h("td", { class: "number" }, length(seconds * 1000)),
      h("td", {}, rarity(p)),
    );
  const head = ["", alert.signal, "Share", "Expected", "Usual (95 %)", "Window", "By chance"].map((text, index) =>
    h("th", { scope: "col", class: index && index < 6 ? "number" : null }, text),
  );
  const rows = [];
  if (span) rows.push(looked("Last look", observed.hits, observed.total, expected.hits, expected.interval, span.seconds, alert.p_value));
  if (peak) rows.push(looked("At its height", peak.hits, peak.total, peak.expected, peak.interval, peak.seconds, peak.p_value));
  const more = h("details", { class: "explain" }, h("summary", {}, "Every rule and window, counted again"));
  const body = h("div", {});
  more.append(body);
  more.addEventListener(
    "toggle",
    () => more.open && !body.childElementCount && fill(body, place.signal, () => findings(alert, place.signal)),
    { once: true },
  );
  return h(
    "div",
    {},
    h("p", { class: "quiet" }, "Rule ", foreign(alert.rule), ", on ", foreign(alert.signal), " items."),
    h("div", { class: "table-box" }, h("table", { class: "list" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows))),
    more,
  );
}

async function findings(alert, signal) {
  const { findings: found } = await explanation(alert, signal);
  if (!found.length) return empty("No rule looked at it then.");
  return h(
    "ul",
    { class: "plain findings" },
    found.map(({ text, reason }) => h("li", {}, foreign(text || reason))),
  );
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
        h("span", {}, h("strong", {}, foreign(DECIDED[kind] ?? titled(kind))), by ? [" by ", foreign(by)] : "", text ? [": ", foreign(text)] : ""),
      ),
    ),
  );
}

function notified(entries) {
  if (!entries.length) return empty("Nobody was notified. Receivers are set in the routes file.");
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
