// Feed: the newest items, one per story. It holds back what comes while one reads, and takes corrections in place.

import { apiPath, get, send } from "./api.js";
import { ask, toast } from "./dialog.js";
import { button, foreign, h, outLink, replace } from "./dom.js";
import { count, moment, percent, plural, sourceName, titled } from "./format.js";
import { titleIs } from "./header.js";
import { bind } from "./keys.js";
import { hear } from "./live.js";
import { dataLinks, empty, fill, heading, publishers, seriesLink, showProblem, timeOf } from "./parts.js";
import { change } from "./router.js";
import { kindMadeOf, kinds, may, preferences, status } from "./store.js";

const PAGE = 40;
const TYPING_MS = 300;
const NEAR_TOP_PX = 120;
const PHONE_PX = 700;
const FILTERS = ["q", "series", "label", "source", "language", "since_ms", "until_ms"];
const MOST_HELD = 500; // new items that wait to be shown: a page is open all day
const MOST_SHOWN = 1_000;
const SHOWN = 8; // values of a facet before one asks for more
// Facets of the answer, the key of the query that restricts to one of its values, and of which series it speaks.
const FACETS = [
  ["sentiment", "label", ""],
  ["subject", "label", "labels"],
  ["source", "source", "source"],
  ["language", "language", ""],
  ["entity", "series", "entities"],
];

export function feed(root, place) {
  titleIs("Feed");
  const view = { place, filter: filterOf(place.query), items: [], next: null, held: [], over: 0, skipped: 0, at: -1 };
  view.chips = h("span", { class: "chips" });
  view.field = h("input", {
    type: "search",
    name: "q",
    value: view.filter.q ?? "",
    placeholder: "Words that must all occur",
    "aria-label": "Search the items",
    maxlength: "1000",
    autocomplete: "off",
  });
  view.facets = h("div", { class: "facets" });
  const aside = h("details", { class: "narrow", open: innerWidth > PHONE_PX }, h("summary", {}, "Narrow"), view.facets);
  view.fresh = h("div", { class: "fresh", "aria-live": "polite" });
  view.list = h("ol", { class: "plain feed", "aria-label": "Items" });
  view.foot = h("div", { class: "list-foot" });
  const every = place.query.get("story") === "all";
  const stories = button(every ? "One per story" : "Show every copy", () => change({ story: every ? "" : "all" }));
  replace(
    root,
    heading("Feed"),
    h("div", { class: "bar" }, searchForm(view), stories, view.chips),
    h(
      "div",
      { class: "feed-page" },
      h("aside", { "aria-label": "Narrow the feed" }, aside),
      h("div", {}, view.fresh, view.list, view.foot),
    ),
  );
  if (!place.moved && view.filter.q) refocus(view.field);
  view.story = every ? "" : "one";
  replace(view.chips, chosenFilters(view, {}));
  fill(
    view.facets,
    place.signal,
    async () => {
      const found = await get("items/facets", { ...view.filter, story: view.story }, place.signal);
      replace(view.chips, chosenFilters(view, found));
      return facets(found, view);
    },
    { wait: false },
  );
  load(view);
  listen(view);
  keysOf(view);
}

function filterOf(query) {
  return Object.fromEntries(FILTERS.map((key) => [key, query.get(key) ?? ""]).filter(([, value]) => value));
}

function refocus(field) {
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

function searchForm({ field, place }) {
  const search = () => change({ q: field.value.trim() }, { replace: true });
  let due = 0;
  field.addEventListener("input", () => (clearTimeout(due), (due = setTimeout(search, TYPING_MS))));
  place.signal.addEventListener("abort", () => clearTimeout(due));
  return h("form", { role: "search", on: { submit: (event) => (event.preventDefault(), search()) } }, field);
}

/** The name of a series: that of a company is among the counted ones. */
function seriesName(value, { entity = [] }) {
  const kind = kinds().find(({ name }) => value === name || value.startsWith(`${name}/`));
  const own = value.slice((kind?.name ?? "").length + 1);
  if (kind?.of === "entities") return entity.find(({ name }) => name === own)?.label ?? own;
  return kind?.of === "source" ? sourceName(own) : own || kind?.label || value;
}

function chosenFilters({ filter }, found) {
  const said = { series: "", label: "", source: "from", language: "language", since_ms: "since", until_ms: "before" };
  const texts = {
    series: (value) => seriesName(value, found),
    label: (value) => value.slice(value.indexOf(":") + 1),
    source: sourceName,
  };
  const text = (key, value) => (key.endsWith("_ms") ? moment(Number(value)) : (texts[key]?.(value) ?? value));
  return Object.entries(filter)
    .filter(([key]) => key !== "q")
    .map(([key, value]) =>
      button([`${said[key]} `, foreign(text(key, value)), h("span", { "aria-hidden": "true" }, " ×")], () => change({ [key]: "" }), {
        class: "chip",
        title: "Remove this filter",
      }),
    );
}

// --- Facets

function facets(found, view) {
  const groups = FACETS.filter(([name]) => found[name]?.length).map(([name, key, of]) =>
    facet(name, key, kindMadeOf(of)?.label ?? titled(name), found[name], view),
  );
  const what = view.story ? plural(found.of, "story", "stories") : plural(found.of, "item");
  const over = found.complete ? `Counted over all ${what}.` : `Counted over the newest ${what}: a click may find more.`;
  return [...groups, h("p", { class: "quiet" }, over)];
}

function facet(name, key, heading, values, view) {
  const link = ({ name: value, label, count: number }) => {
    const asked = queryValue(name, value, view);
    const isChosen = asked !== "" && view.filter[key] === asked;
    return h(
      "li",
      {},
      button(
        [
          h("span", { class: "facet-name", title: value }, foreign(name === "source" ? sourceName(value) : label)),
          h("span", { class: "number" }, count(number)),
        ],
        () => change({ [key]: isChosen ? "" : asked }),
        { class: "facet", "aria-pressed": String(isChosen) },
      ),
    );
  };
  const list = h("ul", { class: "plain" }, values.slice(0, SHOWN).map(link));
  const rest = values.slice(SHOWN);
  const all = () => {
    more.replaceWith(...rest.map(link));
    list.children[SHOWN]?.querySelector("button").focus();
  };
  const more = h("li", {}, button(`Show ${rest.length} more`, all, { class: "quiet-button" }));
  if (rest.length) list.append(more);
  return h("section", { "aria-label": heading }, h("h2", {}, heading), list);
}

/** Labels are asked for as HEAD:LABEL: the head is the one of the shown items that has this label. */
function queryValue(facetName, value, { items }) {
  if (facetName === "entity") return `${kindMadeOf("entities")?.name ?? facetName}/${value}`;
  if (facetName === "source" || facetName === "language") return value;
  const head = items
    .flatMap(({ heads }) => Object.entries(heads))
    .find(([, { label, probabilities }]) => label === value || value in (probabilities ?? {}))?.[0];
  return `${head ?? (facetName === "subject" ? kindMadeOf("labels")?.head : null) ?? facetName}:${value}`;
}

// --- Items

async function load(view, { more = false } = {}) {
  try {
    const page = await get("items", { ...view.filter, story: view.story, limit: PAGE, cursor: more ? view.next : "" }, view.place.signal);
    view.items = more ? [...view.items, ...page.items] : page.items;
    view.next = page.next;
    if (!more) [view.held, view.over] = [[], 0];
    draw(view, more ? page.items : null);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    if (problem.status === 401) document.dispatchEvent(new CustomEvent("login"));
    else
      showProblem(view.foot, problem, () => load(view, { more }), view.place.signal, { isFilled: view.items.length > 0 && !more });
  }
}

function draw(view, added) {
  if (added) view.list.append(...added.map((item) => row(item)));
  else
    replace(
      view.list,
      view.items.map((item) => row(item)),
    );
  drawFresh(view);
  if (!view.items.length)
    return replace(
      view.foot,
      empty(
        Object.keys(view.filter).length
          ? "No item fits. Remove a filter, or use fewer words."
          : "No items yet. They appear here as they are scored.",
      ),
    );
  const query = { ...view.filter, story: view.story };
  return replace(
    view.foot,
    view.next ? button("Show more", () => load(view, { more: true })) : h("p", { class: "quiet" }, "That is all."),
    dataLinks(apiPath("items", query)),
  );
}

export function row(item) {
  const signal = status.get()?.mood?.signal;
  const label = (head, { label: name, probability }) =>
    h("span", { class: "label", data: { hit: name === signal }, title: `${titled(head)}: ${percent(probability)} likely` }, foreign(name));
  const companies = item.entities.map(({ id, name, label: said }) =>
    h(
      "span",
      { class: "entity" },
      seriesLink(item.series.find((each) => each.endsWith(`/${id}`)) ?? `${kindMadeOf("entities")?.name}/${id}`, name),
      said ? h("span", { class: "quiet" }, " ", foreign(said)) : "",
    ),
  );
  const repeats = bare(item.title).startsWith(bare(item.snippet));
  const title = repeats && bare(item.snippet) === bare(item.title) ? marked(item.snippet) : item.title;
  return h(
    "li",
    { class: "item", tabindex: "-1", data: { id: item.id } },
    h(
      "div",
      { class: "item-head" },
      timeOf(item.seen_ms, { short: Date.now() - item.seen_ms < 20 * 3_600_000 }),
      h("span", {}, publishers(item.story, item.source)),
    ),
    h("h3", {}, outLink(item.url, title || "(no title)")),
    item.snippet && !repeats ? h("p", { class: "snippet" }, marked(item.snippet)) : null,
    h(
      "div",
      { class: "item-foot" },
      Object.entries(item.heads).map(([head, said]) => label(head, said)),
      companies,
      may("act") ? button("Correct the label…", () => correct(item), { class: "quiet-button" }) : "",
    ),
  );
}

/** A text without the marks of a search and of what was left out. */
const bare = (text) => (text ?? "").replace(/[«»…]/g, "").replace(/\s+/g, " ").trim();

/** The words searched for stand between « and ». */
function marked(snippet) {
  const parts = snippet.split(/[«»]/);
  return h(
    "bdi",
    {},
    parts.map((part, index) => (index % 2 && parts.length % 2 ? h("mark", {}, part) : part)),
  );
}

// --- What comes while one reads

function fits(item, { filter, story, items, held }) {
  if (filter.q || filter.until_ms) return false; // the archive's search decides, not this page
  if (filter.series && !item.series?.includes(filter.series)) return false;
  if (filter.source && item.source !== filter.source) return false;
  if (filter.language && item.language !== filter.language) return false;
  const [head, ...rest] = (filter.label ?? "").split(":");
  if (head && item.heads?.[head]?.label !== rest.join(":")) return false;
  const same = (each) => each.id === item.id || (story && each.story.id === item.story.id);
  return !items.some(same) && !held.some(same);
}

function listen(view) {
  hear((kind, said) => {
    if (kind === "resync") return load(view);
    if (kind === "skipped") return ((view.skipped += said.items), drawFresh(view));
    if (kind !== "item" || !said?.heads || !fits(said, view)) return undefined;
    if (view.held.length < MOST_HELD) view.held.unshift(said);
    else view.over += 1;
    return drawFresh(view);
  }, view.place.signal);
  preferences.watch(() => draw(view, null), view.place.signal);
}

function drawFresh(view) {
  if (!view.held.length) return replace(view.fresh);
  const number = view.held.length + view.over + (plain(view) ? view.skipped : 0);
  return replace(
    view.fresh,
    button(`${count(number)} new`, () => showHeld(view), { class: "main" }),
  );
}

/** Without a filter all that the stream left out would be here too. */
const plain = ({ filter, story }) => !story && !Object.keys(filter).length;

function showHeld(view) {
  view.at = -1;
  if (view.skipped || view.over || view.items.length + view.held.length > MOST_SHOWN)
    load(view); // more came than the stream sends, or the page keeps: the archive has all of it
  else {
    view.items = [...view.held, ...view.items];
    view.held = [];
    draw(view, null);
  }
  view.skipped = 0;
  if (scrollY > NEAR_TOP_PX) scrollTo({ top: 0 });
}

// --- Corrections

function correct(item) {
  const heads = Object.keys(item.heads);
  const head = h(
    "select",
    { name: "head" },
    heads.map((name) => h("option", { value: name }, titled(name))),
  );
  const about = h(
    "select",
    { name: "entity" },
    h("option", { value: "" }, "the item itself"),
    item.entities.map(({ id, name }) => h("option", { value: id }, name)),
  );
  const now = h("p", { class: "quiet" });
  const wanted = h("span", { class: "wanted" });
  const offer = () => {
    const { label, labels } = judged(item, head.value, about.value);
    head.disabled = Boolean(about.value);
    replace(now, "Now: ", h("strong", {}, foreign(label || "none")));
    replace(wanted, ...labelField(labels, about.value ? "" : head.value));
  };
  for (const each of [head, about]) each.addEventListener("change", offer);
  offer();
  const fields = [
    h("p", {}, foreign(item.title)),
    h("label", {}, "What", head),
    item.entities.length ? h("label", {}, "About", about) : null,
    now,
    h("label", {}, "Should be", wanted),
    h("label", {}, "Note", h("input", { name: "note", maxlength: "2000", autocomplete: "off" })),
  ];
  ask("Correct the label", fields, "Send", async (form) => {
    const body = { head: head.value, label: form.elements.label.value.trim(), note: form.elements.note.value.trim() };
    if (about.value) body.entity = about.value;
    await send("POST", `items/${encodeURIComponent(item.id)}/feedback`, body);
    toast("Thank you. It is used when the model is trained next.");
  });
}

/** The present label of the item by a head, or of an entity in it, and the labels that there are; none where the model says which. */
function judged(item, head, entity) {
  const known = status.get()?.heads ?? [];
  const own = entity ? item.entities.find(({ id }) => id === entity) : item.heads[head];
  const labels = known.find((each) => (entity ? each.of_entities : each.name === head))?.labels ?? [];
  return { label: own?.label, labels: labels.length ? labels : Object.keys(own?.probabilities ?? {}) };
}

function labelField(labels, head) {
  if (!labels.length) return typedField(head);
  const options = labels.map((name) => h("option", { value: name }, name));
  return [h("select", { name: "label", required: true }, h("option", { value: "" }, "Choose …"), options)];
}

/** Any label may be written; those that have series of their own are offered. */
function typedField(head) {
  const offered = h("datalist", { id: "labels" });
  const kind = kinds().find((each) => each.head === head)?.name;
  if (kind)
    get("series", { kind, limit: 200 }).then(
      ({ items }) =>
        replace(
          offered,
          items.map(({ name }) => h("option", { value: name.slice(kind.length + 1) })),
        ),
      () => {}, // without offers
    );
  return [h("input", { name: "label", required: true, maxlength: "200", list: "labels", autocomplete: "off" }), offered];
}

// --- Keys

function keysOf(view) {
  bind(
    "Feed",
    [
      ["/", "Search", () => view.field.focus()],
      ["j", "Next item", () => step(view, 1)],
      ["k", "Previous item", () => step(view, -1)],
      ["n", "Show what is new", () => view.held.length && showHeld(view)],
      ["e", "Correct the item", () => view.items[view.at] && may("act") && correct(view.items[view.at])],
      ["Enter", "Open the item", () => view.list.children[view.at]?.querySelector("h3 a")?.click()],
    ],
    view.place.signal,
  );
}

function step(view, by) {
  view.at = Math.min(view.items.length - 1, Math.max(0, view.at + by));
  const shown = view.list.children[view.at];
  shown?.focus({ preventScroll: true });
  shown?.scrollIntoView({ block: "nearest" });
}
