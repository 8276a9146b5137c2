// What every view shows on top: mood, age of the data, open alerts, troubles, and how to show times and colours.

import { button, foreign, h, replace } from "./dom.js";
import { ago, count, length, moment, percent, plural, zoneName, zoneShort } from "./format.js";
import { help } from "./help.js";
import { address } from "./router.js";
import { contact, prefer, preferences, status } from "./store.js";

const STALE_MS = 10 * 60_000; // without a new item in a live stream
const VIEWS = [
  ["now", "Now"],
  ["series", "Series"],
  ["alerts", "Alerts"],
  ["feed", "Feed"],
];

let place = { path: "" };
let title = "Now";

export function titleIs(text) {
  title = text;
  retitle();
}

function retitle() {
  const open = status.get()?.open_alerts ?? 0;
  document.title = `${open ? `(${open}) ` : ""}${title} · moodwire`;
}

export function showHeader(root) {
  const mood = h("div", { class: "mood" });
  const age = h("div", { class: "age" });
  const troubles = h("div", { class: "troubles" });
  const nav = h("nav", { class: "views", "aria-label": "Views" });
  const tools = h("div", { class: "tools" });
  replace(
    root,
    h("a", { class: "brand", href: address("now"), "aria-label": "moodwire, now" }, "moodwire"),
    nav,
    mood,
    age,
    troubles,
    tools,
  );
  const draw = () => {
    drawNav(nav);
    replace(mood, moodOf(status.get()));
    drawAge(age);
    drawTroubles(troubles);
    retitle();
  };
  const drawTools = () =>
    replace(
      tools,
      zoneButton(),
      themeButton(),
      button("?", help, { "aria-label": "Keys and help", title: "Keys and help (?)", class: "tool" }),
    );
  status.watch(draw);
  contact.watch(() => drawAge(age));
  preferences.watch(() => (drawTools(), draw()));
  document.addEventListener("moved", ({ detail }) => ((place = detail), drawNav(nav)));
  setInterval(() => drawAge(age), 5_000);
  drawTools();
  draw();
}

function drawNav(nav) {
  const here = place.path.split("/")[0] || "now";
  const open = status.get()?.open_alerts ?? 0;
  const link = ([path, text]) =>
    h(
      "a",
      { href: address(path), "aria-current": path === here ? "page" : null },
      text,
      path === "alerts" && open
        ? h("span", { class: "badge", title: `${open} open` }, count(open), h("span", { class: "unseen" }, " open"))
        : "",
    );
  replace(nav, VIEWS.map(link));
}

function moodOf(now) {
  const mood = now?.mood;
  if (!mood) return h("span", { class: "quiet" }, now ? "No items yet" : "");
  const known = mood.low !== null && mood.high !== null;
  const place = !known ? "" : mood.share > mood.high ? "above" : mood.share < mood.low ? "below" : "within";
  return [
    gauge(mood),
    h("span", {}, h("strong", { class: "figure" }, percent(mood.share)), " ", foreign(mood.signal)),
    h(
      "span",
      { class: "quiet" },
      known ? `${place} the usual ${percent(mood.low)} to ${percent(mood.high)}` : "too early to say what is usual",
      `, last ${mood.hours} h`,
    ),
  ];
}

/** A line from 0 to twice the usual, the band on it, and a mark for now. */
function gauge({ share, low, high }) {
  const most = Math.max(2 * (high ?? share), share, 0.01);
  const at = (value) => `${((100 * value) / most).toFixed(1)}%`;
  const band = high === null ? null : h("span", { class: "gauge-band", style: { left: at(low), width: at(high - low) } });
  return h("span", { class: "gauge", "aria-hidden": "true" }, band, h("span", { class: "gauge-mark", style: { left: at(share) } }));
}

export function ageState(now, reached, wallMs) {
  if (reached.problem) return "lost";
  if (now?.kind === "live" && now.newest_ms !== null && wallMs - now.newest_ms > STALE_MS) return "stale";
  return "fresh";
}

function drawAge(root) {
  const [now, reached] = [status.get(), contact.get()];
  const state = now ? ageState(now, reached, Date.now()) : "fresh";
  document.documentElement.dataset.age = state;
  if (!now) return replace(root);
  if (state === "lost")
    return replace(root, h("span", { class: "mark", role: "status" }, `Connection lost, data of ${ago(reached.heardMs, Date.now())}`));
  if (now.newest_ms === null) return replace(root, h("span", {}, "No items yet"));
  if (now.kind === "replay") return replace(root, h("span", {}, `Replay, up to ${moment(now.newest_ms)} ${zoneShort(now.newest_ms)}`));
  const newest = `Newest item ${ago(now.newest_ms, Date.now())}`;
  return replace(
    root,
    h(
      "span",
      { title: moment(now.newest_ms), class: state === "stale" ? "mark" : "" },
      state === "stale" ? `Stale: no item for ${length(Date.now() - now.newest_ms)}` : newest,
    ),
  );
}

function drawTroubles(root) {
  const troubles = status.get()?.troubles ?? [];
  const wasOpen = root.querySelector("details")?.open;
  if (!troubles.length) return replace(root);
  const rows = troubles.map(({ subject, detail, since_ms, reason }) =>
    h(
      "li",
      {},
      h("strong", {}, foreign(subject || reason)),
      ": ",
      foreign(detail),
      h("span", { class: "quiet" }, ` since ${moment(since_ms)}`),
    ),
  );
  const box = h(
    "details",
    { class: "trouble-box" },
    h("summary", {}, plural(troubles.length, "trouble")),
    h("ul", { class: "plain popover" }, rows),
  );
  box.open = Boolean(wasOpen);
  return replace(root, box);
}

const noun = (text) => h("span", { class: "noun" }, text);

function zoneButton() {
  const utc = preferences.get().zone === "utc";
  return button([noun("Time: "), utc ? "UTC" : "local"], toggleZone, {
    class: "tool",
    title: `Times are in ${zoneName()}; show ${utc ? "local time" : "UTC"} (t)`,
  });
}

function themeButton() {
  const { theme } = preferences.get();
  return button([noun("Colours: "), { system: "auto", light: "light", dark: "dark" }[theme]], toggleTheme, {
    class: "tool",
    title: "Colours: as the system, light or dark (d)",
  });
}

export function toggleZone() {
  prefer({ zone: preferences.get().zone === "utc" ? "local" : "utc" });
}

export function toggleTheme() {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const themes = isDark ? ["system", "light", "dark"] : ["system", "dark", "light"]; // each press changes what is seen
  prefer({ theme: themes[(themes.indexOf(preferences.get().theme) + 1) % themes.length] });
}

export function applyTheme() {
  const { theme } = preferences.get();
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
