// Sends what was typed or dragged and puts the answer in its place. Nothing is worked out here.
"use strict";
const at = id => document.getElementById(id);
const form = at("form"), text = at("text"), lines = at("lines"), timeline = at("timeline"), quote = at("quote");
const SNAP = 5 * 60 * 1000, HOUR = 60 * 60 * 1000;
document.documentElement.classList.add("live");

// --- Looking: one request at a time, always with the latest state.
let next = null, flying = false, timer = 0, drag = null, settle = false;

function look(more = {}, delay = 0) {
  next = { ...next, ...more };
  clearTimeout(timer);
  timer = setTimeout(go, delay);
}

async function go() {
  if (flying || !next) return;
  const body = new URLSearchParams(new FormData(form));
  for (const [name, value] of Object.entries(next)) body.set(name, value);
  body.set("width", Math.round(timeline.clientWidth));
  next = null;
  flying = true;
  const sent = text.value;
  try {
    const answer = await fetch("/look", { method: "POST", body });
    if (answer.ok) show(await answer.json(), sent); else at("said").textContent = await answer.text();
  } catch {
    at("said").textContent = "no answer: is takst play still running?";
  }
  flying = false;
  if (next) go();
  else if (settle && !drag) { settle = false; look(); }
}

const HTML = ["lines", "messages", "timeline", "bill", "questions"];

function show(answer, sent) {
  const held = document.activeElement?.dataset?.handle;
  const stale = !("timeline" in answer.parts);
  for (const [id, part] of Object.entries(answer.parts)) {
    const place = at(id);
    if (id === "lines" && text.value !== sent) continue;
    if (id === "questions" && (place.contains(document.activeElement) || place.dataset.was === part)) continue;
    if (id === "questions") place.dataset.was = part;
    if (HTML.includes(id)) place.innerHTML = part; else place.textContent = part;
  }
  at("verdict").className = answer.how;
  for (const place of [timeline, at("bill")]) place.classList.toggle("stale", stale);
  for (const [name, value] of Object.entries(answer.fields ?? {})) {
    const field = form.elements[name];
    if (field && (field !== document.activeElement || drag)) field.value = value;
  }
  if ("text" in answer && answer.text !== text.value) { text.value = answer.text; }
  at("said").textContent = answer.said;
  if (held) timeline.querySelector(`[data-handle="${held}"]`)?.focus({ preventScroll: true });
  scrolled();
  light();
  caret();
}

form.addEventListener("input", event => {
  const field = event.target;
  if (field !== text && field.value === "") return;
  look({}, field === text ? 120 : 60);
});
form.addEventListener("submit", event => {
  event.preventDefault();
  look({ do: event.submitter?.value ?? "look" });
});
at("questions").addEventListener("focusout", () => look({}, 50));
document.addEventListener("keydown", event => {
  if ((event.ctrlKey || event.metaKey) && event.key === "s") {
    event.preventDefault();
    if (form.querySelector('[value="save"]')) look({ do: "save" });
  }
});
let wide = 0;
new ResizeObserver(() => {
  if (Math.abs(timeline.clientWidth - wide) > 4) { wide = timeline.clientWidth; look({}, 80); }
}).observe(timeline);

// --- The editor: marks lie under the text and scroll with it.
function scrolled() { lines.scrollTop = text.scrollTop; lines.scrollLeft = text.scrollLeft; }
text.addEventListener("scroll", scrolled, { passive: true });

function choose(from, to) {
  text.focus({ preventScroll: true });
  text.setSelectionRange(from, to);
  reveal(text.value.slice(0, from).split("\n").length);
  text.scrollIntoView({ block: "nearest" });
}
function reveal(line) {
  const top = (line - 1) * 20;
  if (top < text.scrollTop || top + 40 > text.scrollTop + text.clientHeight) {
    text.scrollTop = Math.max(0, top - text.clientHeight / 3);
    scrolled();
  }
}
at("messages").addEventListener("click", event => {
  const go = event.target.closest("[data-go]"), fix = event.target.closest(".fix");
  if (go) choose(Number(go.dataset.go), Number(go.dataset.end));
  if (fix) {
    text.focus();
    text.setRangeText(fix.dataset.text, Number(fix.dataset.from), Number(fix.dataset.to), "end");
    look();
  }
});

// --- Which line made it: pointing at an amount lights up its lines, and the caret in a line its amounts.
let pointed = null;
const numbers = element => element?.dataset.lines?.split(" ").map(Number) ?? [];
function light(element = pointed ?? document.activeElement?.closest("[data-lines]")) {
  for (const line of lines.querySelectorAll(".lit")) line.classList.remove("lit");
  const wanted = numbers(element);
  for (const number of wanted) lines.children[number - 1]?.classList.add("lit");
  const all = text.value.split("\n");
  quote.hidden = wanted.length === 0;
  quote.firstElementChild.textContent = wanted.slice(0, 4).map(number => `${number}  ${(all[number - 1] ?? "").trim()}`).join("\n")
    + (wanted.length > 4 ? `\nand ${wanted.length - 4} more lines` : "");
  if (wanted.length) reveal(wanted[0]);
}
document.addEventListener("pointerover", event => {
  if (event.pointerType === "touch" || drag || quote.contains(event.target)) return;
  const element = event.target.closest("[data-lines]");
  if (element !== pointed) { pointed = element; light(); }
});
document.addEventListener("focusin", event => { if (!quote.contains(event.target)) { pointed = null; light(); } });
document.addEventListener("focusout", () => setTimeout(light));
quote.lastElementChild.addEventListener("pointerdown", event => {
  event.preventDefault();
  jump(numbers(pointed ?? document.activeElement)[0]);
});
function jump(number) {
  if (!number) return;
  const before = text.value.split("\n").slice(0, number - 1).join("\n").length + (number > 1 ? 1 : 0);
  choose(before, before + (text.value.split("\n")[number - 1] ?? "").length);
}
at("bill").addEventListener("click", event => {
  // By keyboard, or twice: into the text.
  const amount = event.target.closest("[data-lines]");
  if (amount && event.detail !== 1) jump(numbers(amount)[0]);
});
function caret() {
  for (const element of document.querySelectorAll(".from")) element.classList.remove("from");
  if (document.activeElement !== text) return;
  const number = text.value.slice(0, text.selectionStart).split("\n").length;
  for (const element of document.querySelectorAll(`[data-lines~="${number}"]`)) element.classList.add("from");
}
document.addEventListener("selectionchange", caret);

// --- The timeline: a part is taken hold of, and the server says what becomes of it.
function picture() {
  const svg = timeline.querySelector("svg"), box = svg.getBoundingClientRect();
  const { from, to, left, width } = svg.dataset;
  return { svg, box, scale: box.width / svg.viewBox.baseVal.width, from: Number(from), to: Number(to), left: Number(left), width: Number(width) };
}
timeline.addEventListener("pointerdown", event => {
  const handle = event.target.closest("[data-handle]");
  if (!handle || event.button !== 0) return;
  event.preventDefault();
  const p = picture(), name = handle.dataset.handle;
  const time = e => p.from + ((e.clientX - p.box.left) / p.scale - p.left) / p.width * (p.to - p.from);
  const { top, bottom, most } = handle.dataset;
  const offset = time(event) - Number(handle.getAttribute("aria-valuenow"));
  drag = name === "kw"
    ? e => Math.max(0, Math.round(20 * most * (bottom - (e.clientY - p.box.top) / p.scale) / (bottom - top)) / 20).toFixed(1)
    : e => Math.round((time(e) - offset) / SNAP) * SNAP;
  drag.part = name;
  timeline.setPointerCapture(event.pointerId);
  handle.focus({ preventScroll: true });
});
timeline.addEventListener("pointermove", event => {
  if (drag) look({ drag: `${drag.part}:${drag(event)}` });
});
for (const end of ["pointerup", "pointercancel"]) timeline.addEventListener(end, () => {
  if (!drag) return;
  drag = null;
  settle = true;
  if (!flying && !next) { settle = false; look(); }
});
timeline.addEventListener("keydown", event => {
  const handle = event.target.closest("[data-handle]");
  const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
  if (!handle || !step) return;
  event.preventDefault();
  const now = Number(handle.getAttribute("aria-valuenow"));
  const value = handle.dataset.handle === "kw"
    ? Math.max(0, now + step * (event.shiftKey ? 5 : 0.5)).toFixed(1)
    : now + step * (event.shiftKey ? HOUR : SNAP);
  look({ drag: `${handle.dataset.handle}:${value}` });
  settle = true;
});
