// What the stream says, heard through a worker that all tabs share; by this tab itself where browsers have none.

import { apiPath, BASE } from "./api.js";
import { follow } from "./live-source.js";
import { contact, status } from "./store.js";

const listeners = new Set();

/** Calls `listener(kind, data)` with each event until `signal` aborts. */
export function hear(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener));
}

/**
 * Returns `soon(waitMs)`, which calls `load` once for all calls until then, and never before the last load is done:
 * in a storm a thousand alerts come at once.
 */
export function paced(load, signal) {
  let [due, dueMs, busy, next] = [0, Infinity, false, Infinity];
  const run = async () => {
    [dueMs, busy] = [Infinity, true];
    try {
      await load();
    } finally {
      busy = false;
    }
    const waitMs = next;
    next = Infinity;
    if (waitMs < Infinity) soon(waitMs);
  };
  const soon = (waitMs) => {
    if (signal.aborted) return;
    if (busy) next = Math.min(next, waitMs);
    else if (Date.now() + waitMs < dueMs) {
      clearTimeout(due);
      dueMs = Date.now() + waitMs;
      due = setTimeout(run, waitMs);
    }
  };
  signal.addEventListener("abort", () => clearTimeout(due));
  return soon;
}

export function connect() {
  const url = new URL(apiPath("stream", { topics: "alerts,items,status" }), location.href).href;
  if (typeof SharedWorker === "function") share(url);
  else follow(url, heard);
}

function share(url) {
  const { port } = new SharedWorker(`${BASE}page/live-worker.js`, { name: `moodwire${BASE}`, type: "module" });
  port.onmessage = ({ data }) => heard(data);
  port.postMessage({ kind: "join", url });
  addEventListener("pagehide", () => port.postMessage({ kind: "leave" }));
  addEventListener("pageshow", ({ persisted }) => persisted && port.postMessage({ kind: "join", url }));
}

function heard({ kind, data }) {
  const problem = kind === "lost" ? "The connection to the board is lost. The page tries again by itself." : "";
  contact.set({ connected: kind !== "lost", heardMs: kind === "lost" ? contact.get().heardMs : Date.now(), problem });
  document.documentElement.dataset.stream = kind === "lost" ? "lost" : "open";
  if (kind === "open" || kind === "lost") return;
  const said = data ? JSON.parse(data) : null;
  if (kind === "status" && said) status.set(said);
  for (const listener of [...listeners]) listener(kind, said);
}
