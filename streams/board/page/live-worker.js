// One stream for all tabs of this browser: holds the only EventSource and passes on what it says.

const EVENTS = ["item", "skipped", "alert", "silence", "status", "resync"];
const RETRY_MS = 3_000;
const ports = new Set();
let source = null;
let state = "connecting";

function tell(message) {
  for (const port of ports) port.postMessage(message);
}

function changed(next, kind = next) {
  state = next;
  tell({ kind });
}

function open(url) {
  source = new EventSource(url);
  let opened = false;
  source.addEventListener("open", () => {
    opened = true;
    changed("open");
  });
  for (const kind of EVENTS) source.addEventListener(kind, (event) => tell({ kind, data: event.data }));
  source.addEventListener("error", () => {
    if (opened || source.readyState === EventSource.CLOSED) changed("lost");
    if (source.readyState === EventSource.CLOSED) again(url); // an answer that is no stream ends it for good
  });
}

function again(url) {
  setTimeout(() => {
    if (!ports.size) return end();
    open(url);
    tell({ kind: "resync" }); // what was said meanwhile is not known
  }, RETRY_MS);
}

function end() {
  source?.close();
  source = null;
}

function leave(port) {
  ports.delete(port);
  if (!ports.size) end();
}

self.addEventListener("connect", ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.kind === "leave") return leave(port);
    ports.add(port);
    if (source === null) open(data.url);
    else if (state !== "connecting") port.postMessage({ kind: state });
  };
});
