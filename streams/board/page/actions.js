// What a reader decides about an alert: acknowledge, assign, silence, note, and what it was worth.

import { get, Problem, send } from "./api.js";
import { ask, failed, toast } from "./dialog.js";
import { foreign, h, replace } from "./dom.js";
import { isOver } from "./ended.js";
import { moment, plural } from "./format.js";
import { eventNow, prefer, preferences } from "./store.js";
import { severity } from "./parts.js";

const HOUR_S = 3_600;
const MOVED = 412;
const LENGTHS = [
  [HOUR_S, "1 hour"],
  [4 * HOUR_S, "4 hours"],
  [24 * HOUR_S, "1 day"],
  [7 * 24 * HOUR_S, "1 week"],
];
export const VERDICTS = [
  ["useful", "Useful", "u"],
  ["noise", "Noise", "n"],
  ["wrong_company", "Wrong company", "w"],
  ["old_news", "Old news", "o"],
];

const turns = new Map(); // by alert: the decision that is on its way
const own = new Map(); // by alert: the version after the reader's last decision, and their verdict in it

/** Sends a decision once the earlier ones about the alert are answered: each names the version that the one before made. */
function decide(method, alert, action, body, done, text) {
  const turn = (turns.get(alert.id) ?? Promise.resolve()).then(() => sent(method, alert, action, body, done, text));
  turns.set(
    alert.id,
    turn.catch(() => {}),
  );
  return turn;
}

/** Sends the decision and says that it was taken. Where somebody else has changed the alert, `done` shows the present one. */
async function sent(method, alert, action, body, done, text) {
  if (body?.verdict && body.verdict === saidOf(alert)) return toast(`You have said so already: ${wordOf(body.verdict)}`);
  const version = Math.max(alert.version, own.get(alert.id)?.version ?? 0);
  let answer;
  try {
    answer = await send(method, `alerts/${encodeURIComponent(alert.id)}/${action}`, body, version);
  } catch (problem) {
    if (problem.status !== MOVED) throw problem;
    own.delete(alert.id);
    done();
    throw new Problem(MOVED, "Not done: the alert has changed", "Not done: the alert has changed since you saw it. Look at it again.");
  }
  own.set(alert.id, { version: answer.version, verdict: body?.verdict ?? saidOf(alert) });
  toast(text, answer.warnings);
  return done();
}

/** What the reader said last that the alert was worth; null: nothing. The archive learns of it a moment later. */
export function saidOf(alert) {
  const mine = own.get(alert.id);
  return mine && alert.version <= mine.version ? mine.verdict : alert.your_verdict;
}

export const wordOf = (verdict) => (VERDICTS.find(([value]) => value === verdict)?.[1] ?? verdict).toLowerCase();

function lengthField(chosen, properties = {}) {
  const options = LENGTHS.map(([seconds, text]) => h("option", { value: String(seconds) }, text));
  const field = h("select", { name: "duration", ...properties }, options);
  field.value = String(chosen);
  return h("label", {}, "For", field);
}

function noteField(text = "Note (others see it)") {
  return h("label", {}, text, h("input", { name: "note", maxlength: "2000", autocomplete: "off" }));
}

export function acknowledge(alert, done) {
  if (isOver(alert)) return toast("It has ended: there is nothing to acknowledge");
  return ask(
    `Acknowledge ${alert.label}`,
    [h("p", {}, "You look after it: reminders stop until the time is over or it worsens."), lengthField(4 * HOUR_S), noteField()],
    "Acknowledge",
    async (form) => {
      const body = { for_seconds: Number(form.elements.duration.value), note: form.elements.note.value.trim() };
      await decide("POST", alert, "acknowledge", body, done, `Acknowledged: ${alert.label}`);
    },
  );
}

export async function takeBack(alert, done) {
  try {
    await decide("DELETE", alert, "acknowledge", undefined, done, `No longer acknowledged: ${alert.label}`);
  } catch (error) {
    failed(error);
  }
}

export function assign(alert, done) {
  if (isOver(alert)) return toast("It has ended: there is no one to assign it to");
  const field = h("input", { name: "to", maxlength: "200", autocomplete: "name", value: alert.assignee || preferences.get().name });
  return ask(`Assign ${alert.label}`, [h("label", {}, "To (empty: to no one)", field)], "Assign", async () => {
    const to = field.value.trim();
    if (to) prefer({ name: to });
    await decide("POST", alert, "assign", { to }, done, to ? `Assigned to ${to}` : "Assigned to no one");
  });
}

export function note(alert, done) {
  const field = h("textarea", { name: "text", rows: "4", maxlength: "2000", required: true });
  ask(`Note on ${alert.label}`, [h("label", {}, "Note", field)], "Save", async () => {
    await decide("POST", alert, "note", { text: field.value.trim() }, done, "Noted");
  });
}

export async function judge(alert, verdict, done) {
  try {
    await decide("POST", alert, "verdict", { verdict }, done, `Kept: ${wordOf(verdict)}`);
  } catch (error) {
    failed(error);
  }
}

const SAID_TWICE = new Set(["alertname", "kind", "name"]); // what the series says already

/** A silence, made of the alert's labels; shows what it will hit before it is made. */
export function silence(alert, done) {
  const wanted = new Set(["series", "signal"]);
  const offered = Object.entries(alert.labels).filter(([label]) => !("series" in alert.labels && SAID_TWICE.has(label)));
  const boxes = offered.map(([label, value]) => matcherBox(label, value, wanted.has(label)));
  const hits = h("div", { class: "hits", "aria-live": "polite" });
  const chosen = () => boxes.filter(({ input }) => input.checked).map(({ matcher }) => matcher);
  const ends = h("span", { class: "quiet" });
  let nowMs = eventNow(); // of the page; the judge of a replay may be further
  const end = () => moment(nowMs + 1000 * Number(length.querySelector("select").value));
  const say = () => replace(ends, `until ${end()}`);
  const length = lengthField(4 * HOUR_S, { on: { change: say } });
  const preview = async () => {
    nowMs = (await previewed(hits, chosen())) ?? nowMs;
    say();
  };
  for (const { input } of boxes) input.addEventListener("change", preview);
  const fields = [
    h(
      "fieldset",
      {},
      h("legend", {}, "Alerts with all of"),
      boxes.map(({ row }) => row),
    ),
    length,
    ends,
    noteField("Why"),
    hits,
  ];
  ask(`Silence alerts like ${alert.label}`, fields, "Silence", async (form) => {
    const { warnings } = await send("POST", "silences", silenceOf(chosen(), form));
    toast(`Silenced until ${end()}`, warnings);
    done();
  });
  preview();
}

export async function endSilence({ id, version }, done) {
  try {
    await send("DELETE", `silences/${encodeURIComponent(id)}`, undefined, version);
    toast("The silence is over");
  } catch (problem) {
    failed(problem);
  }
  done();
}

function matcherBox(label, value, checked) {
  const input = h("input", { type: "checkbox", checked });
  return {
    input,
    matcher: `${label}=${JSON.stringify(value)}`,
    row: h("label", { class: "check" }, input, h("span", {}, foreign(label), " is ", h("strong", {}, foreign(value)))),
  };
}

function silenceOf(matchers, form) {
  return { matchers, for_seconds: Number(form.elements.duration.value), comment: form.elements.note.value.trim() };
}

let asked = 0;

/** Shows what the matchers hit, and returns the time from which a silence is counted; undefined where it is not known. */
async function previewed(root, matchers) {
  const mine = ++asked;
  if (!matchers.length) return void replace(root, h("p", {}, "Choose at least one: without one it would hit everything."));
  try {
    const hit = await send("POST", "silences/preview", { matchers });
    if (mine === asked) replace(root, hitList(hit));
    return hit.now_ms;
  } catch (error) {
    const text = error.status === 0 ? "The board does not answer: what this hits is not known." : error.message;
    if (mine === asked) replace(root, h("p", { class: "field-problem" }, text));
    return undefined;
  }
}

function hitList({ alerts, series, past }) {
  if (!alerts.length)
    return h("p", {}, h("strong", {}, "No open alert matches"), past ? `; ${plural(past, "past alert")} would have.` : ".");
  const shown = alerts
    .slice(0, 5)
    .map((each) =>
      h("li", {}, severity(each.severity), " ", foreign(each.label), h("span", { class: "quiet" }, ` since ${moment(each.onset_ms)}`)),
    );
  const more = alerts.length - shown.length;
  return [
    h(
      "p",
      {},
      h("strong", {}, `Hits ${plural(alerts.length, "alert")} now`),
      series ? ` and all later ones of ${plural(series, "series", "series")}` : "",
      ".",
    ),
    h("ul", { class: "plain" }, shown, more > 0 ? h("li", { class: "quiet" }, `and ${more} more`) : null),
  ];
}

export async function explanation(alert, signal) {
  return get(`alerts/${encodeURIComponent(alert.id)}/explain`, {}, signal);
}
