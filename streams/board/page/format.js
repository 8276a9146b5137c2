// Numbers and times as people read them. Times are epoch ms; the zone is the reader's choice.

import { preferences, status } from "./store.js";

const NUMBER = new Intl.NumberFormat("en-GB");
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const WHOLE_DAY = { day: "numeric", month: "short", year: "numeric" };
const formats = new Map();

function formatted(ms, options) {
  const zone = preferences.get().zone === "utc" ? "UTC" : undefined;
  const key = JSON.stringify([zone, options]);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone }));
  return formats.get(key).format(ms);
}

export const clock = (ms) => formatted(ms, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const hourOf = (ms) => formatted(ms, { hour: "2-digit", hourCycle: "h23" });
export const day = (ms) => formatted(ms, { day: "numeric", month: "short" });
export const weekday = (ms) => formatted(ms, { weekday: "short", day: "numeric", month: "short" });

/** Date and time; the year only where it is not this year's, or where two years meet: a replay has its own. */
export function moment(ms) {
  const year = formatted(ms, { year: "numeric" });
  const isPlain = status.get()?.kind !== "replay" && year === formatted(Date.now(), { year: "numeric" });
  const date = isPlain ? day(ms) : `${day(ms)} ${year}`;
  return `${date}, ${clock(ms)}`;
}

/** From when until when: the day and the year once where they are the same. */
export function interval(fromMs, untilMs) {
  if (formatted(fromMs, WHOLE_DAY) === formatted(untilMs, WHOLE_DAY)) return `${moment(fromMs)} to ${clock(untilMs)}`;
  const sameYear = formatted(fromMs, { year: "numeric" }) === formatted(untilMs, { year: "numeric" });
  return `${moment(fromMs)} to ${sameYear ? `${day(untilMs)}, ${clock(untilMs)}` : moment(untilMs)}`;
}

export function zoneName() {
  return preferences.get().zone === "utc" ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** The zone as people abbreviate it at that time: "CEST", "GMT+2". */
export function zoneShort(ms) {
  const options = { timeZoneName: "short", timeZone: preferences.get().zone === "utc" ? "UTC" : undefined };
  return new Intl.DateTimeFormat("en-GB", options).formatToParts(ms).find(({ type }) => type === "timeZoneName").value;
}

export function count(value) {
  return NUMBER.format(value);
}

/** An expected number: whole where large, one decimal where small. */
export function amount(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 0.1) return "< 0.1";
  return value >= 10 || Number.isInteger(value) ? NUMBER.format(Math.round(value)) : value.toFixed(1);
}

/** What is usual, in words: "usual 3 to 43", "usually none". */
export function usual(low, high) {
  return high < 1 ? "usually none" : `usual ${amount(low)} to ${amount(high)}`;
}

export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return "–";
  return share > 0 && share < 0.0995 ? `${(share * 100).toFixed(1)}\u00a0%` : `${Math.round(share * 100)}\u00a0%`;
}

export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

const UNITS = [
  [DAY, "d"],
  [HOUR, "h"],
  [60_000, "min"],
  [1000, "s"],
];

const LEAST_DAYS = 4; // below, and as messages say it, hours: "69 h" is not "2 d"

/** A length of time in its largest unit that fits: "2 h", "15 min", "69 h"; whole days from two on. */
export function length(ms) {
  const inDays = ms >= LEAST_DAYS * DAY || (ms >= 2 * DAY && ms % DAY === 0);
  const [size, unit] = UNITS.find(([unitMs]) => (unitMs === DAY ? inDays : ms >= unitMs)) ?? UNITS.at(-1);
  return `${Math.max(0, Math.floor(ms / size))} ${unit}`;
}

export function ago(ms, nowMs) {
  return nowMs - ms < 1000 ? "now" : `${length(nowMs - ms)} ago`;
}

/** How rare chance alone makes it: "1 in 20 million". */
export function rarity(p) {
  if (!(p > 0)) return "practically never";
  const every = 1 / p;
  const [size, word] = [
    [1e12, " trillion"],
    [1e9, " billion"],
    [1e6, " million"],
    [1, ""],
  ].find(([limit]) => every >= limit) ?? [1, ""];
  return every >= 1e15 ? "less than 1 in 1,000 trillion" : `1 in ${NUMBER.format(Number((every / size).toPrecision(2)))}${word}`;
}

/** A source as people call it: of a feed's address its host. */
export function sourceName(source) {
  const address = /^https?:\/\/([^/:?#]+)/i.exec(source ?? "");
  return address ? address[1].replace(/^(?:www|feeds?|rss)\./i, "") : (source ?? "");
}

export function titled(word) {
  return word ? word[0].toUpperCase() + word.slice(1).replaceAll("_", " ") : "";
}
