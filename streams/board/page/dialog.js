// Dialogs and toasts. A dialog is the browser's own: it traps focus, and Escape closes it.

import { button, foreign, h, replace } from "./dom.js";
import { Problem } from "./api.js";
import { whenBack } from "./store.js";

/** Shows a form; `submit` gets it, and the dialog closes unless it throws a Problem, which is shown. */
export function ask(title, fields, confirm, submit, { danger = false } = {}) {
  const problem = h("p", { class: "field-problem", role: "alert" });
  const accept = h("button", { type: "submit", class: danger ? "main danger" : "main" }, confirm);
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", {}, title),
    fields,
    problem,
    h(
      "div",
      { class: "buttons" },
      button("Cancel", () => box.close()),
      accept,
    ),
  );
  const box = h("dialog", { "aria-label": title }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    accept.disabled = true;
    problem.textContent = "";
    try {
      await submit(form, box);
      box.close();
    } catch (error) {
      problem.textContent = textOf(error);
    } finally {
      accept.disabled = false;
    }
  });
  return open(box);
}

export function show(title, ...content) {
  const box = h("dialog", { "aria-label": title, class: "wide" });
  replace(
    box,
    h("h2", {}, title),
    content,
    h(
      "div",
      { class: "buttons" },
      button("Close", () => box.close()),
    ),
  );
  return open(box);
}

function open(box) {
  const before = document.activeElement;
  box.addEventListener("close", () => {
    box.remove();
    if (before?.isConnected) before.focus();
  });
  box.addEventListener("click", (event) => event.target === box && box.close());
  document.body.append(box);
  box.showModal();
  return box;
}

export function textOf(error) {
  if (!(error instanceof Problem)) console.error(error);
  const details = error.errors?.map(({ detail }) => detail).filter(Boolean) ?? [];
  return [error.detail || error.title || error.message, ...details].filter(Boolean).join(" ");
}

const TOAST_MS = 6_000;

/** Says what was done. With warnings it stays until it is closed: they ask for something. */
export function toast(text, warnings = []) {
  const line = h("p", { class: "toast" }, h("span", {}, text, warnings.map((each) => h("span", { class: "warned" }, foreign(each)))));
  document.getElementById("toasts").append(line);
  if (warnings.length) line.append(closing(line));
  else setTimeout(() => line.remove(), TOAST_MS);
}

export function failed(error) {
  const line = h("p", { class: "toast failed" }, h("span", {}, textOf(error)));
  line.append(closing(line));
  document.getElementById("toasts").append(line);
  if (error.status === 0) whenBack(line, () => line.remove());
}

function closing(line) {
  return button("Close", () => line.remove());
}
