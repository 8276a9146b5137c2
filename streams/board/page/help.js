// `?`: the keys that work here, and the switch that turns them off.

import { show } from "./dialog.js";
import { h } from "./dom.js";
import { bindings } from "./keys.js";
import { prefer, preferences } from "./store.js";

export function help() {
  if (document.querySelector("dialog[open]")) return;
  const groups = [...bindings()].map(([group, keys]) => [
    h("h3", {}, group),
    h(
      "dl",
      { class: "keys" },
      keys.map(({ key, text }) =>
        h(
          "div",
          {},
          h(
            "dt",
            {},
            key.split(" ").map((each) => h("kbd", {}, named(each))),
          ),
          h("dd", {}, text),
        ),
      ),
    ),
  ]);
  const box = h("input", { type: "checkbox", checked: preferences.get().keys, on: { change: () => prefer({ keys: box.checked }) } });
  show(
    "Keys",
    h("label", { class: "check" }, box, h("span", {}, "Single keys work. They never do while you type.")),
    h(
      "div",
      { class: "key-groups" },
      groups.map((each) => h("section", {}, each)),
    ),
  );
}

function named(key) {
  return { ArrowLeft: "←", ArrowRight: "→", Escape: "Esc", " ": "Space" }[key] ?? key;
}
