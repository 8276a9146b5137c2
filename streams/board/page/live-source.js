// The stream of the board, and again after an answer that is no stream: to a browser that ends it for good.

const EVENTS = ["item", "skipped", "alert", "silence", "status", "resync"];
const RETRY_MS = 3_000;

/** Calls `tell({kind, data})` with what the stream says, and `open` and `lost`; returns what ends it. */
export function follow(url, tell) {
  let source = null;
  let due = 0;
  const open = () => {
    let opened = false;
    source = new EventSource(url);
    source.addEventListener("open", () => {
      opened = true;
      tell({ kind: "open" });
    });
    for (const kind of EVENTS) source.addEventListener(kind, ({ data }) => tell({ kind, data }));
    source.addEventListener("error", () => {
      if (opened || source.readyState === EventSource.CLOSED) tell({ kind: "lost" });
      if (source.readyState === EventSource.CLOSED) due = setTimeout(again, RETRY_MS);
    });
  };
  const again = () => {
    open();
    tell({ kind: "resync" }); // what was said meanwhile is not known
  };
  open();
  return () => (clearTimeout(due), source.close());
}
