// One stream for all tabs of this browser: holds the only one and passes on what it says.

import { follow } from "./live-source.js";

const ports = new Set();
let end = null;
let state = "connecting";

function tell(message) {
  if (message.kind === "open" || message.kind === "lost") state = message.kind;
  for (const port of ports) port.postMessage(message);
}

function leave(port) {
  ports.delete(port);
  if (ports.size) return;
  end?.();
  [end, state] = [null, "connecting"];
}

self.addEventListener("connect", ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.kind === "leave") return leave(port);
    ports.add(port);
    if (end === null) end = follow(data.url, tell);
    else if (state !== "connecting") port.postMessage({ kind: state });
  };
});
