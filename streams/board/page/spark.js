// Sparklines: hits by hour as bars, those above the band in the colour of hits, and the band behind them.

import { svg } from "./dom.js";

const WIDTH = 120;

/** `points` are {hits, low, high} of equal hours, the oldest first. */
export function sparkline(points, { height = 28, said = "" } = {}) {
  const most = Math.max(1, ...points.map(({ hits, high }) => Math.max(hits, high ?? 0)));
  const step = WIDTH / Math.max(1, points.length);
  const y = (value) => height - 1 - ((height - 2) * value) / most;
  const bars = points.map(({ hits, high }, index) => {
    const above = high !== null && high !== undefined && hits > high;
    return hits
      ? svg("rect", {
          x: index * step,
          width: Math.max(1, step - 1),
          y: y(hits),
          height: height - y(hits),
          class: above ? "above" : "within",
        })
      : null;
  });
  const band = bandPath(points, step, y);
  const root = {
    viewBox: `0 0 ${WIDTH} ${height}`,
    class: "spark",
    preserveAspectRatio: "none",
    ...(said ? { role: "img", "aria-label": said } : { "aria-hidden": "true" }),
  };
  return svg(
    "svg",
    root,
    band && svg("path", { d: band, class: "spark-band" }),
    bars,
    svg("path", { d: `M0 ${height - 0.5}H${WIDTH}`, class: "spark-base" }),
  );
}

function bandPath(points, step, y) {
  const known = points.map((point, index) => ({ ...point, index })).filter(({ high }) => high !== null && high !== undefined);
  if (!known.length) return "";
  const upper = known.flatMap(({ index, high }) => [`${index * step} ${y(high)}`, `${(index + 1) * step} ${y(high)}`]);
  const lower = known.flatMap(({ index, low }) => [`${index * step} ${y(low ?? 0)}`, `${(index + 1) * step} ${y(low ?? 0)}`]).reverse();
  return `M${[...upper, ...lower].join("L")}Z`;
}

/** A line of shares with its band, for the small multiples. `points` are {share, low, high}, null where unknown. */
export function shareLine(points, { width = 240, height = 64, said = "" } = {}) {
  const most = Math.max(0.2, ...points.flatMap(({ share, high }) => [share ?? 0, high ?? 0]));
  const x = (index) => (width * index) / Math.max(1, points.length - 1);
  const y = (value) => height - 2 - ((height - 4) * value) / most;
  const line = (pick) =>
    points
      .map((point, index) => [index, pick(point)])
      .filter(([, value]) => value !== null)
      .map(([index, value]) => `${x(index).toFixed(1)} ${y(value).toFixed(1)}`);
  const [upper, lower, share] = [line(({ high }) => high), line(({ low }) => low).reverse(), line((point) => point.share)];
  const root = { viewBox: `0 0 ${width} ${height}`, class: "share-line", preserveAspectRatio: "none", role: "img", "aria-label": said };
  return svg(
    "svg",
    root,
    upper.length > 0 && svg("path", { d: `M${[...upper, ...lower].join("L")}Z`, class: "spark-band" }),
    share.length > 0 && svg("path", { d: `M${share.join("L")}`, class: "share" }),
    svg("path", { d: `M0 ${height - 0.5}H${width}`, class: "spark-base" }),
  );
}
