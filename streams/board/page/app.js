// Shows the state of the stream.
const base = document.querySelector('meta[name="moodwire-base"]').content;

const response = await fetch(`${base}v1/status`);
const status = await response.json();
const list = document.getElementById("status");
for (const key of ["namespace", "items_total", "open_alerts"]) {
  const term = document.createElement("dt");
  const value = document.createElement("dd");
  term.textContent = key.replace("_", " ");
  value.textContent = status[key];
  list.append(term, value);
}
