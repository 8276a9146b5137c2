// The hours of an alert's day: bars with their scale and hours, when it opened and when it was at its worst.

import { h } from "./dom.js";
import { count, length, moment, plural } from "./format.js";
import { sparkline } from "./spark.js";

const HOUR_MS = 3_600_000;

/** What the bars add up to: they are whole hours, so that 24 hours touch 25 of them. */
export function hoursInWords({ last_day: hours, signal, state }) {
  const sum = hours.reduce((total, { hits }) => total + hits, 0);
  return `${count(sum)} ${signal} in ${plural(hours.length, "whole hour")} up to ${state === "resolved" ? "its worst" : "now"}`;
}

export function alertDay(alert) {
  const { last_day: hours } = alert;
  if (!hours.length) return null;
  const [start, end] = [hours[0].start_ms, hours.at(-1).start_ms + HOUR_MS];
  const place = (ms) => (100 * (ms - start)) / (end - start);
  const marks = [
    ["opened", alert.onset_ms],
    ["worst", alert.peak?.at_ms],
  ].filter(([, ms]) => ms >= start && ms <= end);
  const most = Math.max(...hours.map(({ hits }) => hits));
  return h(
    "div",
    { class: "day" },
    h(
      "div",
      { class: "day-plot" },
      sparkline(hours, { height: 56, said: hoursInWords(alert) }),
      marks.map(([name, ms]) => mark(name, place(ms), moment(ms))),
    ),
    h("div", { class: "day-axis" }, h("span", {}, moment(start)), h("span", {}, `tallest bar: ${count(most)}`), h("span", {}, moment(end))),
    h("p", { class: "quiet" }, worst(alert), `${hoursInWords(alert)}.`, hours.some(({ high }) => high >= 1) ? " Shaded: the usual." : ""),
  );
}

function mark(name, percent, title) {
  return h("span", { class: "day-mark", title, data: { mark: name }, style: { left: `${percent}%` } }, h("span", {}, name));
}

/** The numbers of the sentence, which count a window that begins and ends within hours. */
function worst({ peak, signal, state }) {
  if (state !== "resolved" || !peak?.at_ms) return "";
  return `${count(peak.hits)} ${signal} in the ${length(peak.seconds * 1000)} up to ${moment(peak.at_ms)}; `;
}
