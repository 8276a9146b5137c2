// Alerts that are over: which of them ended lately, and how lists show them.

import { get } from "./api.js";
import { foreign, h } from "./dom.js";
import { count, interval, plural } from "./format.js";
import { severity } from "./parts.js";
import { address } from "./router.js";
import { eventNow } from "./store.js";

const LATELY_DAYS = 7;
const LATELY_MS = LATELY_DAYS * 86_400_000;
const MOST = 100; // of the history that is looked at
const SHOWN = 5;
const RANKS = { critical: 0, warning: 1, info: 3, information: 3 };

export const isOver = ({ state }) => state === "resolved" || state === "noted";

/** The address of an alert, in the list that has it. */
export function alertAddress(alert) {
  return address(`alerts/${alert.id}`, { state: isOver(alert) ? "history" : "" });
}

/** The most severe first, those held back last; of the same severity the one with the most items at its worst. */
export function worstFirst(alerts) {
  const rank = ({ inhibited, severity }) => (inhibited ? 10 : 0) + (RANKS[severity] ?? 2);
  return alerts.toSorted((a, b) => rank(a) - rank(b) || (b.peak?.hits ?? 0) - (a.peak?.hits ?? 0) || b.onset_ms - a.onset_ms);
}

/** What ended lately, in the time of the stream, and how many alerts the history has: `count` is text. */
export async function endedLately(signal) {
  const { items, next } = await get("alerts", { state: "history", limit: MOST }, signal);
  const since = eventNow() - LATELY_MS;
  const lately = items.filter(({ updated_ms }) => updated_ms >= since);
  return { lately: worstFirst(lately), count: next ? `${count(items.length)}+` : count(items.length), any: items.length > 0 };
}

/** Says what ended lately, with a link to the rest; null where nothing ever ended. */
export function endedBox({ lately, count: number, any }) {
  if (!any) return null;
  const history = h("a", { href: address("alerts", { state: "history" }) }, `History (${number})`);
  if (!lately.length) return h("p", { class: "ended" }, `No alert ended in the last ${LATELY_DAYS} days. Earlier ones: `, history);
  const first = lately.length > 1 ? ", the worst first" : "";
  return h(
    "div",
    { class: "ended" },
    h("p", {}, h("strong", {}, `${plural(lately.length, "alert")} ended in the last ${LATELY_DAYS} days`), `${first}:`),
    h("ul", { class: "plain lines" }, lately.slice(0, SHOWN).map(endedLine)),
    h("p", { class: "quiet" }, lately.length > SHOWN ? `and ${lately.length - SHOWN} more. ` : "", "All that ended: ", history),
  );
}

function endedLine(alert) {
  const hits = alert.peak?.hits ? ` · ${count(alert.peak.hits)} ${alert.signal} at its worst` : "";
  return h(
    "li",
    {},
    severity(alert.severity, { word: false }),
    " ",
    h("a", { href: alertAddress(alert) }, foreign(alert.label)),
    h("span", { class: "quiet" }, `${hits} · ${interval(alert.onset_ms, alert.updated_ms)}${alert.inhibited ? " · held back" : ""}`),
  );
}
