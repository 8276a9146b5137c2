// The charts of a series: share with its band above, volume below, cursors in step, alerts shaded from their onset.

import { h, replace } from "./dom.js";
import { amount, clock, count, day, length, moment, percent, plural } from "./format.js";
import { preferences } from "./store.js";

const SHARE_HEIGHT = 250;
const VOLUME_HEIGHT = 110;
const AXIS_WIDTH = 52;
export const ENOUGH_ITEMS = 8; // below about so many, a share jumps between 0 and 1 and says nothing
const LONGEST_SPAN = 24;
const EMPTY_SHARE = 0.2;
const NO_ITEMS = "no items";

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: of("ink-2"),
    grid: of("line"),
    hit: of("hit"),
    band: of("band"),
    volume: of("volume"),
    alert: of("alert-shade"),
    edge: of("alert-edge"),
    fixed: of("accent"),
    face: of("font"),
  };
}

/** Shares of a point and of its band; null where nothing was counted or expected. */
export function shares({ hits, total, low, high }) {
  const of = (value) => (total && value !== null ? Math.min(1, value / total) : null);
  return { share: total ? hits / total : null, low: of(low), high: of(high) };
}

/** How many buckets a share is taken over, so that it usually has enough items. */
export function shareSpan(points) {
  const counted = points.reduce((sum, { total }) => sum + total, 0) / Math.max(1, points.length);
  return Math.min(LONGEST_SPAN, Math.max(1, Math.ceil(ENOUGH_ITEMS / Math.max(counted, 0.01))));
}

/**
 * Shares over each bucket and the `span` - 1 before it. Of a quiet series only the hours with items have a band: its
 * silent ones are expected to be as those.
 */
export function rolling(points, span) {
  return points.map((_, index) => {
    const over = points.slice(Math.max(0, index - span + 1), index + 1);
    const known = over.filter(({ high }) => high !== null);
    const sum = (list, pick) => list.reduce((total, each) => total + pick(each), 0);
    const band = (pick) => (known.length ? (sum(known, pick) * over.length) / known.length : null);
    return shares({
      hits: sum(over, ({ hits }) => hits),
      total: sum(over, ({ total }) => total),
      low: band(({ low }) => low),
      high: band(({ high }) => high),
    });
  });
}

export function sayPoint(point, signal) {
  const { share } = shares(point);
  const expected = point.low === null ? "" : point.high < 1 ? ", usually none" : `, expected ${amount(point.low)} to ${amount(point.high)}`;
  const counted = `${count(point.hits)} ${signal} of ${plural(point.total, "item")}`;
  return `${moment(point.start_ms)}: ${counted}${point.total ? ` (${percent(share)})` : ""}${expected}`;
}

/** Why the band is not there to see; empty where it is. */
export function bandNote({ points, signal }) {
  const known = points.filter(({ high }) => high !== null);
  if (!known.length) return "No band: there is not enough history of this series yet to say what is usual.";
  if (known.every(({ high }) => high < 1)) return `The band lies on zero: an hour of this series usually has no ${signal} item.`;
  return "";
}

/** Stretches without items that are a fifth of the time or more: [startMs, endMs]. */
export function emptySpans({ points, bucket_ms }) {
  const found = [];
  let from = 0;
  for (let at = 0; at <= points.length; at++) {
    if (at < points.length && !points[at].total) continue;
    if (at - from >= Math.max(2, points.length * EMPTY_SHARE)) found.push([points[from].start_ms, points[at - 1].start_ms + bucket_ms]);
    from = at + 1;
  }
  return found;
}

/** Draws into `root` and returns {destroy, fix}. `onFix(index)` is called for a click or Enter on an hour. */
export function seriesChart(root, data, { fixedMs, onFix, onMove }) {
  const drawn = new Chart(root, data, fixedMs, onFix, onMove);
  return { destroy: () => drawn.destroy(), fix: (ms) => drawn.fix(ms) };
}

class Chart {
  constructor(root, data, fixedMs, onFix, onMove) {
    Object.assign(this, { root, data, fixedMs, onFix, onMove, at: -1 });
    this.plots = [];
    this.draw();
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(root);
    this.darker = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.draw();
    this.darker.addEventListener("change", this.recolour);
    this.keys = (event) => this.key(event);
    root.addEventListener("keydown", this.keys);
  }

  destroy() {
    this.resized.disconnect();
    this.darker.removeEventListener("change", this.recolour);
    this.root.removeEventListener("keydown", this.keys);
    for (const plot of this.plots) plot.destroy();
    this.plots = [];
  }

  draw() {
    for (const plot of this.plots) plot.destroy();
    const ink = colours();
    const sync = window.uPlot.sync("series");
    const x = this.data.points.map((point) => this.middle(point));
    const span = shareSpan(this.data.points);
    const parts = rolling(this.data.points, span);
    const share = [x, parts.map((each) => each.high), parts.map((each) => each.low), parts.map((each) => each.share)];
    const of = (pick) => this.data.points.map(pick);
    const volume = [x, of(({ total }) => total), of(({ hits }) => hits), of(({ high }) => high)];
    const note = bandNote(this.data);
    const above = h("div", { class: "plot" });
    const below = h("div", { class: "plot" });
    replace(
      this.root,
      h(
        "p",
        { class: "axis-name" },
        `Share ${this.data.signal}${span > 1 ? ` over ${length(span * this.data.bucket_ms)}` : ""}, and what is usual`,
      ),
      above,
      h("p", { class: "axis-name" }, `Items, and the ${this.data.signal} ones of them with their usual highest`),
      below,
      note ? h("p", { class: "band-note quiet" }, note) : null,
    );
    this.plots = [
      new window.uPlot(this.shareOptions(ink, sync), share, above),
      new window.uPlot(this.volumeOptions(ink, sync), volume, below),
    ];
    for (const plot of this.plots) sync.sub(plot);
  }

  /** Where a bucket is drawn, in seconds: its middle. A bar then fills its own hours, and a click chooses the one below it. */
  middle({ start_ms }) {
    return (start_ms + this.data.bucket_ms / 2) / 1000;
  }

  /** From the start of the first bucket to the end of the last, and from zero. */
  scales(highest) {
    const { points, bucket_ms } = this.data;
    const time = [points[0].start_ms / 1000, (points.at(-1).start_ms + bucket_ms) / 1000];
    return { x: { time: true, range: () => time }, y: { range: (_, low, high) => [0, highest(high)] } };
  }

  options(ink, sync, height, extra) {
    return {
      width: Math.max(280, this.root.clientWidth),
      height,
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), zone()),
      legend: { show: false },
      cursor: { sync: { key: sync.key, setSeries: false }, drag: { x: false, y: false }, y: false, points: { show: false } },
      padding: [8, 20, 0, 0],
      ...extra,
      hooks: {
        draw: [(plot) => this.sayEmpty(plot, ink)],
        drawClear: [(plot) => this.shade(plot, ink)],
        setCursor: [(plot) => this.moved(plot.cursor.idx)],
        ready: [(plot) => plot.over.addEventListener("click", () => this.choose(plot.cursor.idx))],
      },
    };
  }

  shareOptions(ink, sync) {
    return this.options(ink, sync, SHARE_HEIGHT, {
      scales: this.scales((high) => Math.min(1, Math.max(0.1, (high || 0) * 1.1))),
      bands: [{ series: [1, 2], fill: ink.band }],
      series: [
        {},
        { stroke: ink.band, width: 2, points: { show: false } }, // seen where the band lies on zero
        { stroke: "transparent", points: { show: false } },
        { stroke: ink.hit, width: 2, points: { show: false } },
      ],
      axes: [xAxis(ink), yAxis(ink, (value) => percent(value))],
    });
  }

  volumeOptions(ink, sync) {
    const bars = window.uPlot.paths.bars({ size: [0.8, 40] });
    return this.options(ink, sync, VOLUME_HEIGHT, {
      padding: [8, 20, 8, 0],
      scales: this.scales((high) => Math.max(4, high * 1.05)),
      series: [
        {},
        { fill: ink.volume, stroke: ink.volume, width: 0, paths: bars, points: { show: false } },
        { fill: ink.hit, stroke: ink.hit, width: 0, paths: bars, points: { show: false } },
        { stroke: ink.fixed, width: 1, dash: [4, 3], spanGaps: true, points: { show: false } },
      ],
      // An axis that is not shown would take the other one with it: uPlot draws none after it.
      axes: [
        { ...xAxis(ink), size: 0, gap: 0, values: (_, ticks) => ticks.map(() => "") },
        yAxis(ink, (value) => (Number.isInteger(value) ? count(value) : "")),
      ],
    });
  }

  /** Alert windows behind everything, and the fixed hour. */
  shade(plot, ink) {
    const { ctx } = plot;
    const { left, top, width, height } = plot.bbox;
    const across = (ms) => Math.min(left + width, Math.max(left, plot.valToPos(ms / 1000, "x", true)));
    const endMs = this.data.points.at(-1)?.start_ms + this.data.bucket_ms;
    ctx.save();
    for (const { onset_ms, end_ms } of this.data.alerts) {
      const [from, to] = [across(onset_ms), across(end_ms ?? endMs)];
      ctx.fillStyle = ink.alert;
      ctx.fillRect(from, top, Math.max(2, to - from), height);
      ctx.fillStyle = ink.edge;
      ctx.fillRect(from, top, 2, height);
    }
    if (this.fixedMs) {
      ctx.fillStyle = ink.fixed;
      ctx.globalAlpha = 0.25;
      ctx.fillRect(across(this.fixedMs), top, Math.max(3, across(this.fixedMs + this.data.bucket_ms) - across(this.fixedMs)), height);
    }
    ctx.restore();
  }

  /** Says so where a long stretch has no items: an empty half of a chart looks like a failure. */
  sayEmpty(plot, ink) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.font = `${12 * devicePixelRatio}px ${ink.face}`;
    ctx.fillStyle = ink.ink;
    ctx.textAlign = "center";
    for (const [startMs, endMs] of emptySpans(this.data)) {
      const across = (ms) => plot.valToPos(ms / 1000, "x", true);
      ctx.fillText(NO_ITEMS, across((startMs + endMs) / 2), bbox.top + bbox.height / 2, across(endMs) - across(startMs));
    }
    ctx.restore();
  }

  moved(index) {
    if (index === null || index === undefined || index === this.at) return;
    this.at = index;
    const point = this.data.points[index];
    if (!point) return;
    this.root.setAttribute("aria-valuenow", index);
    this.root.setAttribute("aria-valuetext", sayPoint(point, this.data.signal));
    this.onMove(point);
  }

  choose(index) {
    if (index === null || index === undefined || !this.data.points[index]) return;
    this.onFix(this.data.points[index]);
  }

  key(event) {
    const last = this.data.points.length - 1;
    const from = this.at < 0 ? last : this.at;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - 24, PageDown: from + 24, Home: 0, End: last }[event.key];
    if (event.key === "Enter" || event.key === " ") this.choose(from);
    else if (to === undefined) return;
    else this.point(Math.min(last, Math.max(0, to)));
    event.preventDefault();
    event.stopPropagation();
  }

  point(index) {
    const [plot] = this.plots;
    const left = plot.valToPos(this.middle(this.data.points[index]), "x");
    for (const each of this.plots) each.setCursor({ left, top: 10 });
    this.moved(index);
  }

  fix(ms) {
    this.fixedMs = ms;
    for (const plot of this.plots) plot.redraw(false);
  }

  fit() {
    const width = Math.max(280, this.root.clientWidth);
    for (const plot of this.plots) if (plot.width !== width) plot.setSize({ width, height: plot.height });
  }
}

function zone() {
  return preferences.get().zone === "utc" ? "Etc/UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function xAxis(ink) {
  const said = (_, ticks) => ticks.map((at) => (clock(at * 1000) === "00:00" ? day(at * 1000) : clock(at * 1000)));
  return {
    stroke: ink.ink,
    font: `12px ${ink.face}`,
    size: 30,
    gap: 6,
    grid: { stroke: ink.grid, width: 1 },
    ticks: { show: false },
    space: 64,
    values: said,
  };
}

function yAxis(ink, said) {
  return {
    stroke: ink.ink,
    font: `12px ${ink.face}`,
    size: AXIS_WIDTH,
    gap: 6,
    grid: { stroke: ink.grid, width: 1 },
    ticks: { show: false },
    space: 36,
    values: (_, ticks) => ticks.map(said),
  };
}
