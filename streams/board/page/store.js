// What all views share: the state of the stream, the reader's preferences, and when they were last here.

const PREFERENCES = "moodwire.preferences";
const VISIT = "moodwire.visit";
const DEFAULTS = { zone: "local", theme: "system", keys: true, name: "" };

function stored(key) {
  try {
    return JSON.parse(localStorage.getItem(key) || "null");
  } catch {
    return null;
  }
}

function keep(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is off or full: the choice lasts as long as the page.
  }
}

function observable(value) {
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const listener of [...listeners]) listener(value);
    },
    /** Calls back on each change until `signal` aborts. */
    watch(listener, signal) {
      listeners.add(listener);
      signal?.addEventListener("abort", () => listeners.delete(listener));
    },
  };
}

export const status = observable(null);
/** Whether the stream is connected, and when the board was last heard, by this machine's clock. */
export const contact = observable({ connected: false, heardMs: Date.now(), problem: "" });
export const preferences = observable({ ...DEFAULTS, ...stored(PREFERENCES) });

export function prefer(change) {
  const next = { ...preferences.get(), ...change };
  keep(PREFERENCES, next);
  preferences.set(next);
}

const waiting = new WeakMap();

/** Calls `run` once, when the board answers again; of one `owner` the last call alone. */
export function whenBack(owner, run, signal) {
  waiting.get(owner)?.abort();
  const stop = new AbortController();
  waiting.set(owner, stop);
  signal?.addEventListener("abort", () => stop.abort(), { signal: stop.signal });
  contact.watch(({ connected, problem }) => connected && !problem && !stop.signal.aborted && (stop.abort(), run()), stop.signal);
}

/** The event time at which the reader last looked, of this namespace; null on a first visit. */
export function lastVisit(namespace) {
  const visit = stored(VISIT)?.[namespace];
  return visit ? { eventMs: visit.eventMs, wallMs: visit.wallMs } : null;
}

export function keepVisit(namespace, eventMs) {
  keep(VISIT, { ...stored(VISIT), [namespace]: { eventMs, wallMs: Date.now() } });
}

/** The present of the stream: the clock of a live one, the newest item of a replay. */
export function eventNow() {
  const now = status.get();
  if (!now) return Date.now();
  return now.kind === "live" ? Date.now() : (now.event_ms ?? now.newest_ms ?? Date.now());
}

export function may(scope) {
  return Boolean(status.get()?.scopes.includes(scope));
}

/** The kinds of series as the profile has them: {name, label, of, head}. */
export const kinds = () => status.get()?.kinds ?? [];
export const kindMadeOf = (of) => kinds().find((kind) => kind.of === of);
export const kindLabel = (name) => kinds().find((kind) => kind.name === name)?.label ?? name;
