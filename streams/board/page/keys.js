// Keys: one table, so that `?` lists exactly what works. Off while typing, with a modifier, and when switched off.

import { preferences } from "./store.js";

const SEQUENCE_MS = 1_200;
const entries = [];
let first = "";
let firstAt = 0;

/** `keys` are [key, what it does, run]; "g a" is g, then a. They hold until `signal` aborts. */
export function bind(group, keys, signal) {
  const own = keys.map(([key, text, run]) => ({ group, key, text, run }));
  entries.push(...own);
  signal?.addEventListener("abort", () => {
    for (const entry of own) entries.splice(entries.indexOf(entry), 1);
  });
}

export function bindings() {
  const groups = new Map();
  for (const { group, key, text } of entries) groups.set(group, [...(groups.get(group) ?? []), { key, text }]);
  return groups;
}

function isTyping(target) {
  return target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button])");
}

function wanted(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
  return !isTyping(event.target) && !document.querySelector("dialog[open]");
}

function runOf(key) {
  // What was bound last wins: a view's keys before those of the frame.
  return entries.findLast((entry) => entry.key === key)?.run;
}

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (!wanted(event) || event.defaultPrevented) return;
    if (!preferences.get().keys) return;
    const sequence = event.timeStamp - firstAt < SEQUENCE_MS ? `${first} ${event.key}` : "";
    const run = runOf(sequence) ?? runOf(event.key);
    first = event.key;
    firstAt = event.timeStamp;
    if (!run) return;
    event.preventDefault();
    first = "";
    run(event);
  });
}
