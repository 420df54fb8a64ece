"use strict";
// Asks /debug/cluster about once a second and draws what it answers. Text of others only ever becomes text.

const $ = (id) => document.getElementById(id);

// ---- amounts as people read them

const whole = (n) => Math.round(n).toLocaleString("en-US");
const count = (n, one, many = one + "s") => `${whole(n)} ${n === 1 ? one : many}`;

function short(n) {
  if (n >= 1e6) return (n / 1e6).toFixed(1) + "M";
  if (n >= 1e4) return (n / 1e3).toFixed(1) + "k";
  return n >= 100 || n === 0 ? whole(n) : n.toFixed(1);
}
function duration(ms) {
  if (ms >= 60000) return (ms / 60000).toFixed(1) + " min";
  if (ms >= 1000) return (ms / 1000).toFixed(2) + " s";
  return ms.toFixed(ms >= 10 ? 0 : ms >= 1 ? 1 : 2) + " ms";
}
function bytes(n) {
  const units = ["B", "kB", "MB", "GB"];
  while (n >= 1000 && units.length > 1) { n /= 1000; units.shift(); }
  return [n.toFixed(n < 10 && units[0] !== "B" ? 1 : 0), units[0]];
}

// ---- elements

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}
function drawn(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
function picture(element, words) {
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", words);
  return element;
}
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
// The children of `list`, one an item, each made once and updated ever after, in the items' order.
function keep(list, items, keyOf, makeOne, update) {
  list.kept ??= new Map();
  const here = new Set(items.map(keyOf));
  for (const [key, element] of list.kept) if (!here.has(key)) { element.remove(); list.kept.delete(key); }
  let last = null;
  for (const item of items) {
    const key = keyOf(item);
    if (!list.kept.has(key)) list.kept.set(key, makeOne(item));
    const element = list.kept.get(key);
    update(element, item);
    const next = last ? last.nextSibling : list.firstChild;
    if (next !== element) list.insertBefore(element, next);
    last = element;
  }
}
// As keep() does; some words where there are no items.
function keepOr(words, list, items, keyOf, makeOne, update) {
  keep(list, items.length ? items : [null], (item) => item ? keyOf(item) : "none",
    (item) => item ? makeOne(item) : make("li", "empty", words), (element, item) => item && update(element, item));
}

// ---- figures

function spark(values) {
  const most = Math.max(...values, 1e-9);
  const x = (i) => (i * 120 / (values.length - 1)).toFixed(1), y = (v) => (25 - 23 * v / most).toFixed(1);
  const line = values.map((v, i) => `${x(i)},${y(v)}`).join("L");
  return drawn("svg", { class: "spark", viewBox: "0 0 120 26", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("path", { class: "area", d: `M0,26L${line}L120,26Z` }), drawn("path", { d: `M${line}` }));
}
function drawFigures(c) {
  const { rates, history } = c, [kv, unit] = bytes(rates.kv_bytes_per_s);
  const figures = [
    ["Tokens", short(rates.tokens_per_s), "/s", history.tokens],
    ["Prompt tokens", short(rates.prompt_tokens_per_s), "/s", history.prompt_tokens],
    ["Requests", short(rates.requests_per_s), "/s", history.requests],
    ["KV moved", kv, ` ${unit}/s`, history.kv_bytes],
    ["Running now", whole(c.served), c.waiting ? ` + ${whole(c.waiting)} waiting` : " none waiting", null],
  ];
  $("figures").replaceChildren(...figures.map(([name, value, after, values]) => {
    const box = make("div", "", make("dt", "", name), make("dd", "", value, make("small", "", after)));
    box.dataset.figure = name;
    if (values) { box.append(spark(values)); box.title = "in the last two minutes"; }
    return box;
  }));
}

// ---- groups and paths

const USED = ["leased", "shared", "quarantined"];  // in the bar; in words, what is out of order comes first
const TOLD = ["quarantined", "leased", "shared"];

function makeGroup(g) {
  const element = make("li", "",
    make("h3", "", make("span", "dot"), make("span", "name", g.name), make("span", "role", g.role)),
    make("p", "about"), make("div", "bar", ...USED.map((state) => make("i", state))), make("p", "pages"),
    make("p", "numbers"));
  element.dataset.group = g.name;
  return element;
}
function updateGroup(element, g) {
  const part = (name) => element.querySelector("." + name);
  element.className = `group ${g.role} ${g.state}`;
  element.dataset.state = g.state;
  part("dot").className = `dot ${g.state}`;
  const state = g.state === "absent" ? "is not here" : g.state;
  set(part("about"), [state, `TP ${g.tp}`, g.host, g.computes_with].filter(Boolean).join(" · "));
  for (const name of ["bar", "pages", "numbers"]) part(name).hidden = g.pages.total === 0;
  if (g.pages.total > 0) updatePages(part, g.pages);
  const last = g.role === "prefill" ? [whole(g.shipping), "shipping"] : [whole(g.reserved), "reserved"];
  const numbers = [
    [short(g.tokens_per_s), "tokens/s"], [whole(g.running), "running"], [whole(g.queued), "queued"], last,
  ];
  part("numbers").replaceChildren(...numbers.map(([n, what]) => make("span", "", make("b", "", n), " " + what)));
}
function updatePages(part, p) {
  for (const state of USED) part("bar").querySelector("." + state).style.width = `${100 * p[state] / p.total}%`;
  const used = TOLD.filter((state) => p[state]).map((state) => `${whole(p[state])} ${state}`).join(", ");
  const words = `${whole(p.free)} of ${whole(p.total)} pages free${used && "; " + used}`;
  set(part("pages"), words);
  part("pages").title = words;
  picture(part("bar"), words);
}
function updatePath(element, p) {
  const name = `${p.prefill} → ${p.decode}`, [n, unit] = bytes(p.bytes_per_s);
  element.className = `path ${p.state}`;
  element.dataset.path = name;
  element.title = `${name}: measured when the path was made`;
  element.replaceChildren(make("span", "ends", name));
  if (p.state !== "ready") return element.append(p.state);
  element.append(make("b", "", p.transport), ` · ${p.gb_per_s} GB/s · ${p.latency_us} µs`);
  if (p.bytes_per_s > 0) element.append(make("span", "now", ` · now ${n} ${unit}/s`));
}
let wired = [];  // the paths that wires are drawn for
function drawWires() {
  const box = $("picture").getBoundingClientRect();
  const place = (list, key) => {
    const r = $(list).kept?.get(key)?.getBoundingClientRect();
    return r && { left: r.left - box.left, right: r.right - box.left, y: (r.top + r.bottom) / 2 - box.top };
  };
  const curve = (from, to) => {  // it leaves and arrives level
    const half = (to.left - from.right) / 2;
    return `${from.right},${from.y}C${from.right + half},${from.y} ${to.left - half},${to.y} ${to.left},${to.y}`;
  };
  const wires = wired.flatMap((p) => {
    const from = place("prefill", p.prefill), to = place("decode", p.decode);
    const chip = place("paths", `${p.prefill} ${p.decode}`);
    if (!from || !to || !chip) return [];
    const d = `M${curve(from, chip)}L${curve(chip, to)}`;
    return (p.bytes_per_s > 0 ? [p.state, "flow"] : [p.state]).map((name) => drawn("path", { d, class: name }));
  });
  $("wires").replaceChildren(...wires);
}
function drawGroups(c) {
  for (const role of ["prefill", "decode", "mixed"])
    keep($(role), c.groups.filter((g) => g.role === role), (g) => g.name, makeGroup, updateGroup);
  keep($("paths"), c.paths, (p) => `${p.prefill} ${p.decode}`, () => make("li"), updatePath);
  const absent = c.groups.filter((g) => g.state === "absent").length, here = c.groups.length - absent;
  const ready = c.paths.filter((p) => p.state === "ready").length;
  $("no-groups").hidden = here > 0;
  set($("groups-said"), here === 0 ? "none is here" : [
    `${count(here, "group")} here`, absent && `, ${absent} missing`,
    c.paths.length && `; ${count(ready, "path")} ready`,
  ].filter(Boolean).join(""));
  wired = c.paths;
  drawWires();
}

// ---- requests

const STATIONS = { waiting: 0.02, reserving: 0.16, prefilling: 0.34, decoding: 0.56 };
const SHOWN = 12;
let rows = 0, rowHeight = 0;  // room that shrinks slowly, so that what is below stays where it is

const shortId = (id) => id.replace(/^req-/, "").slice(0, 10);
const tokens = (prompt, generated) => `${whole(prompt)} + ${whole(generated)} tok`;

function makeTrip(r) {
  const element = make("li", "trip", make("span", "id", shortId(r.id)), make("div", "water", make("i"), make("span")),
    make("span", "route"), make("span", "n tokens"), make("span", "n age"));
  element.dataset.request = r.id;
  element.title = r.id;
  return element;
}
function updateTrip(element, r) {
  const water = element.querySelector(".water"), decodes = r.stage === "decoding";
  const place = STATIONS[r.stage] + (decodes ? 0.42 * (1 - Math.exp(-r.tokens / 120)) : 0);
  water.className = `water ${r.stage}${decodes ? " late" : ""}`;
  for (const part of water.children) part.style.left = `${100 * place}%`;
  set(water.lastChild, r.stage + (r.attempts > 1 ? `, attempt ${r.attempts}` : ""));
  element.dataset.stage = r.stage;
  const groups = r.prefill === r.decode ? r.decode : `${r.prefill} → ${r.decode}`;
  set(element.querySelector(".route"), groups || "no group yet");
  set(element.querySelector(".tokens"), tokens(r.prompt_tokens, r.tokens));
  set(element.querySelector(".age"), duration(r.age_ms));
}
function drawFlight(c) {
  const n = c.waiting + c.served, shown = c.in_flight.slice(0, SHOWN);
  const more = n > shown.length ? `; the ${shown.length} oldest are shown` : "";
  set($("flight-said"), n ? count(n, "request") + more : "");
  keepOr("Nothing is under way: all quiet on the water.", $("flight"), shown, (r) => `${r.id} ${r.choice}`, makeTrip,
    updateTrip);
  rows = Math.max(shown.length, rows - 0.1);
  if (shown.length) rowHeight = $("flight").lastChild.offsetHeight;
  $("flight").style.minHeight = `${Math.round(rows) * rowHeight}px`;
}
function makeParts(timeline) {
  const parts = timeline.map((p) => {
    const part = make("i", `p-${p.part}`);
    part.style.flexGrow = p.ms;
    part.title = `${p.part.replace("_", " ")}: ${duration(p.ms)}`;
    return part;
  });
  return picture(make("div", "parts", ...parts), parts.map((part) => part.title).join(", "));
}
function makeLatest(r) {
  const link = make("a", "id", shortId(r.id));
  link.href = `debug/requests/${encodeURIComponent(r.id)}`;
  link.title = r.id;
  const failed = !["finished", "cancelled"].includes(r.end);
  const how = make("span", failed ? "route ended" : "route",
    r.end === "finished" ? `first token ${duration(r.ttft_ms)}` : r.end);
  how.title = how.textContent;
  const element = make("li", "trip", link, make("div", "bill", makeParts(r.timeline)), how,
    make("span", "n", tokens(r.prompt_tokens, r.completion_tokens)), make("span", "n", duration(r.total_ms)));
  element.dataset.ended = r.id;
  return element;
}
function drawLatest(c) {
  const longest = Math.max(...c.latest.map((r) => r.total_ms), 1);
  keepOr("No request has ended yet.", $("latest"), c.latest, (r) => r.id, makeLatest, (element, r) => {
    element.querySelector(".parts").style.width = `${Math.max(100 * r.total_ms / longest, 0.5)}%`;
  });
}

// ---- latencies

function makeBins({ low_ms, high_ms, counts }, n) {
  const most = Math.max(...counts);
  const bins = counts.map((n) => {
    const bin = make("i");
    bin.style.height = `${n && Math.max(100 * n / most, 4)}%`;
    return bin;
  });
  const low = duration(low_ms), high = duration(high_ms);
  return [picture(make("div", "bins", ...bins), `Histogram of ${whole(n)} values from ${low} to ${high}`),
    make("div", "axis", ...[low, `${whole(n)} values`, high].map((text) => make("span", "", text)))];
}
function drawLatencies(c) {
  const kinds = [["ttft", "Time to first token"], ["itl", "Between tokens"], ["e2e", "Whole answer"]];
  $("latencies").replaceChildren(...kinds.map(([kind, title]) => {
    const l = c.latency[kind], box = make("section", "panel latency", make("h3", "", title));
    box.dataset.latency = kind;
    if (!l.n) { box.append(make("p", "empty", "Nothing was measured yet.")); return box; }
    const shares = ["p50", "p90", "p99"].map((p) =>
      make("div", "", make("dt", "", p), make("dd", "", duration(l[p + "_ms"]))));
    box.append(make("dl", "", ...shares), ...makeBins(l.bins, l.n));
    return box;
  }));
}
function drawCounters(c) {
  const n = c.counters, retries = Object.values(n.retries).reduce((a, b) => a + b, 0);
  set($("counters"), `Since its start: ${whole(n.finished)} finished, ${whole(n.failed)} failed, ` +
    `${whole(n.cancelled)} cancelled, ${count(retries, "retry", "retries")}. Ferry ${c.version}`);
}

// ---- the loop

const KEY = "ferry-key";  // in the tab's storage
let answered = new Date();

function draw(c) {
  $("cluster").hidden = false;
  set($("model"), c.model);
  document.title = `Ferry · ${c.model}`;
  for (const part of [drawFigures, drawGroups, drawFlight, drawLatencies, drawLatest, drawCounters]) part(c);
}
function say(state, text) {
  $("state").className = state;
  set($("said"), text);
  $("cluster").classList.toggle("stale", state === "gone");
}
function askForKey(refused) {
  $("key").hidden = false;
  $("cluster").hidden = $("gone").hidden = true;
  if (refused) set($("key-why"), "The key was not accepted. Another one?");
  say("", "needs a key");
}
function sayGone(error) {
  const words = { TypeError: "no connection", TimeoutError: "it takes too long" };
  const why = words[error.name] ?? error.message;
  set($("gone"), `The router does not answer since ${answered.toLocaleTimeString()}: ${why}. ` +
    "What is below is of then. Groups outlive their router, and this page goes on by itself when it is back.");
  $("gone").hidden = false;
  say("gone", "no answer");
}
async function look() {
  const key = sessionStorage.getItem(KEY), headers = key ? { Authorization: `Bearer ${key}` } : {};
  const answer = await fetch("debug/cluster", { headers, cache: "no-store", signal: AbortSignal.timeout(4000) });
  if (answer.status === 401 || answer.status === 403) {
    sessionStorage.removeItem(KEY);
    return askForKey(key !== null);
  }
  if (!answer.ok) throw new Error(`it answers ${answer.status}`);
  const c = await answer.json();
  answered = new Date();
  $("key").hidden = $("gone").hidden = true;
  say("live", "live");
  draw(c);
}
async function watch() {
  let pause = 700;
  if (!document.hidden && $("key").hidden) {
    try { await look(); } catch (error) { pause = 1500; sayGone(error); }
  }
  setTimeout(watch, pause);
}
$("key").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = $("key-value").value.trim();
  $("key-value").value = "";
  if (!/^[!-~]+$/.test(key)) return askForKey(true);  // no header could carry it
  sessionStorage.setItem(KEY, key);
  $("key").hidden = true;
});
addEventListener("resize", drawWires);
watch();
