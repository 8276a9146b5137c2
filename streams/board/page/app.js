// Starts the page: first the status, then the view of this address, then the stream.

import { get, login, Problem } from "./api.js";
import { h, replace, button } from "./dom.js";
import { applyTheme, showHeader, titleIs, toggleTheme, toggleZone } from "./header.js";
import { help } from "./help.js";
import { bind, listen } from "./keys.js";
import { connect, hear } from "./live.js";
import { empty, heading, problemBox } from "./parts.js";
import { address, go, route, start } from "./router.js";
import { contact, preferences, status } from "./store.js";
import { alerts } from "./view-alerts.js";
import { feed } from "./view-feed.js";
import { beginVisit, now } from "./view-now.js";
import { series } from "./view-series.js";

const STATUS_MS = 30_000;
const STATUS_AFTER_MS = 1_500; // an alert changes the number of open ones

route(/^(?:now)?$/, now);
route(/^series(?:\/(.+))?$/, series);
route(/^alerts(?:\/([^/]+))?$/, alerts);
route(/^feed$/, feed);
route(/./, (root) => {
  titleIs("Not here");
  replace(root, heading("Nothing is here"), empty("This address shows nothing. ", h("a", { href: address("now") }, "Go to Now")));
});

async function refresh() {
  try {
    status.set(await get("status"));
    const { connected, problem } = contact.get();
    contact.set({ connected, heardMs: Date.now(), problem: connected ? "" : problem }); // without the stream nothing moves
  } catch (problem) {
    if (problem.status === 401) return askLogin();
    contact.set({ ...contact.get(), problem: problem.message });
  }
  return undefined;
}

function askLogin() {
  const root = document.getElementById("main");
  const field = h("input", { type: "password", name: "token", required: true, autocomplete: "current-password", "aria-label": "Token" });
  const problem = h("p", { class: "field-problem", role: "alert" });
  const enter = async (event) => {
    event.preventDefault();
    try {
      await login(field.value.trim());
      location.reload();
    } catch (error) {
      problem.textContent =
        error instanceof Problem && error.status === 401 ? "This token is not known, or it was revoked." : error.message;
    }
  };
  titleIs("Sign in");
  replace(
    root,
    h(
      "form",
      { class: "card login", on: { submit: enter } },
      h("h1", {}, "Sign in"),
      h("p", {}, "Paste a token. ", h("code", {}, "moodwire tokens make"), " makes one."),
      field,
      problem,
      h("button", { type: "submit", class: "main" }, "Sign in"),
    ),
  );
  field.focus();
}

function keys() {
  const to = (path) => () => go(address(path));
  bind("Everywhere", [
    ["?", "Show these keys", help],
    ["g n", "Go to Now", to("now")],
    ["g s", "Go to Series", to("series")],
    ["g a", "Go to Alerts", to("alerts")],
    ["g f", "Go to Feed", to("feed")],
    ["t", "UTC or local time", toggleZone],
    ["d", "Light or dark", toggleTheme],
  ]);
  listen();
}

function follow() {
  let due = 0;
  hear((kind) => {
    if (kind === "alert" || kind === "resync") due ||= setTimeout(() => ((due = 0), refresh()), STATUS_AFTER_MS);
  });
  setInterval(() => document.visibilityState === "visible" && refresh(), STATUS_MS);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
}

async function open() {
  applyTheme();
  preferences.watch(applyTheme);
  showHeader(document.getElementById("top"));
  document.addEventListener("login", askLogin);
  try {
    status.set(await get("status"));
  } catch (problem) {
    if (problem.status === 401) return askLogin();
    return replace(
      document.getElementById("main"),
      problemBox(problem),
      button("Try again", () => location.reload()),
    );
  }
  beginVisit();
  keys();
  start();
  connect();
  return follow();
}

open();
