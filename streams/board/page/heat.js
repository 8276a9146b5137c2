// The heat map: a table, so that it reads without colours; a cell's strength is how far its hits are above the usual.

import { foreign, h } from "./dom.js";
import { amount, clock, count, day, hourOf, moment, plural } from "./format.js";
import { seriesAddress } from "./router.js";

const HOUR_MS = 3_600_000;

/** From how many times the upper end of the usual a cell takes the next colour. */
export const HEAT_STEPS = [1, 1.5, 2.5, 4];

/** 0 within the band, 1 to 4 above it by HEAT_STEPS, -1 below it. */
export function heat({ hits, low, high }) {
  if (high === null || high === undefined) return 0;
  if (hits <= high) return low !== null && hits < low ? -1 : 0;
  return HEAT_STEPS.filter((times) => hits >= times * Math.max(1, high)).length;
}

export function heatmap({ hours, rows }, signal) {
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, "Series"),
    hours.map((ms, index) => h("th", { scope: "col", title: moment(ms) }, hourLabel(ms, index))),
  );
  const body = rows.map(({ name, label, cells }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { href: seriesAddress(name) }, foreign(label))),
      cells.map((cell, index) => h("td", {}, cellOf(cell, name, label, hours[index], signal))),
    ),
  );
  const box = h(
    "div",
    { class: "heat-box", tabindex: "0", role: "region", "aria-label": `Hits by hour, ${rows.length} series` },
    h("table", { class: "heat" }, h("thead", {}, head), h("tbody", {}, body)),
  );
  requestAnimationFrame(() => (box.scrollLeft = box.scrollWidth)); // on a phone the newest hours come first
  return box;
}

function hourLabel(ms, index) {
  const hour = hourOf(ms);
  if (clock(ms) === "00:00" || index === 0) return [h("span", { class: "heat-day" }, day(ms)), hour];
  return Number(hour) % 3 ? h("span", { class: "unseen" }, hour) : hour;
}

function cellOf(cell, name, label, ms, signal) {
  if (!cell) return h("span", { class: "cell", data: { heat: "none" } }, h("span", { class: "unseen" }, "no items"));
  const expected = cell.high === null ? "" : `, expected ${amount(cell.low)} to ${amount(cell.high)}`;
  const said = `${label}, ${moment(ms)}: ${count(cell.hits)} ${signal} of ${plural(cell.total, "item")}${expected}`;
  return h(
    "a",
    {
      class: "cell",
      data: { heat: heat(cell) },
      href: seriesAddress(name, { hour: ms, until_ms: ms + 12 * HOUR_MS }),
      title: said,
      "aria-label": said,
      tabindex: "-1",
    },
    cell.hits ? count(cell.hits) : "",
  );
}

/** Arrows move between cells, as in a grid; Tab leaves it. */
export function walk(box) {
  const links = () => [...box.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("a")]);
  box.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    const rows = links();
    const row = rows.findIndex((cells) => cells.includes(document.activeElement));
    const column = row < 0 ? 0 : rows[row].indexOf(document.activeElement);
    const next = row < 0 ? rows[0]?.[0] : rows[row + step[0]]?.[Math.min(column + step[1], (rows[row + step[0]]?.length ?? 1) - 1)];
    event.preventDefault();
    event.stopPropagation();
    next?.focus();
  });
  return box;
}
