// Speaks to the board. An answer that is no success is thrown as a Problem with the board's own words.

export const BASE = document.querySelector('meta[name="moodwire-base"]').content;

const NOT_KEPT = "Not kept: the board does not answer. Press again when it is back.";

export class Problem extends Error {
  constructor(status, title, detail, errors = []) {
    super(detail || title);
    Object.assign(this, { status, title, detail, errors });
  }

  get lostLogin() {
    return this.status === 401;
  }
}

export function apiPath(path, query = {}) {
  const words = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) words.set(key, value);
  }
  const asked = words.toString();
  return `${BASE}v1/${path}${asked ? `?${asked}` : ""}`;
}

export function get(path, query, signal) {
  return asked(apiPath(path, query), { signal, headers: { Accept: "application/json" } });
}

/** `version` is that of the alert that the reader saw: the board refuses when it has moved. */
export async function send(method, path, body, version) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  try {
    return await asked(apiPath(path), { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (problem) {
    if (problem.status === 0) throw new Problem(0, "Not kept", NOT_KEPT);
    throw problem;
  }
}

export async function login(token) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  return asked(`${BASE}login`, { method: "POST", headers, body: JSON.stringify({ token }) });
}

async function asked(url, options) {
  const response = await reached(url, { credentials: "same-origin", ...options });
  if (!response.ok) throw await problemOf(response);
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

async function reached(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The board does not answer", "Check that moodwire still runs. The page tries again by itself.");
  }
}

async function problemOf(response) {
  try {
    const { title, detail, errors } = await response.json();
    return new Problem(response.status, title || response.statusText, detail, errors);
  } catch {
    return new Problem(response.status, `The board answered ${response.status}`, response.statusText);
  }
}
