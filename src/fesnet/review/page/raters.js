// Two raters side by side, and one who decides: what each says, where they differ, and whose word to take.

import { make, tell } from "./panels.js";
import { at, json } from "./server.js";

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const MEETS = { same: "agree", edges: "other edges", kind: "other kind", one: "only the first", other: "only the second" };
const HEIGHT = 12;
let moments = [];
let asked = "";

const text = (side) => (side ? `${side.kind} ${side.onset_s.toFixed(2)}–${side.offset_s.toFixed(2)}` : "–");

// The versions that can be compared: of other people first.
export function showRaterChoices(view) {
  $("ratersbox").hidden = !view.others.length;
  if (!view.others.length) return;
  const versions = [...view.others.map((name) => [name, name.split(".").at(-3)]), ["person", "corrected"], ["machine", "machine’s"]];
  const fallback = { rater1: versions[0][0], rater2: versions[1][0] };
  for (const id of ["rater1", "rater2"]) {
    const before = $(id).value || fallback[id];
    $(id).replaceChildren(...versions.map(([value, name]) => new Option(name, value)));
    $(id).value = versions.some(([value]) => value === before) ? before : fallback[id];
  }
}

export async function showRaters(view, does, again = false) {
  if (!view.others.length || !$("ratersbox").open) return;
  const pair = new URLSearchParams({ one: $("rater1").value, other: $("rater2").value });
  const now = `${view.key} ${view.revision} ${pair}`;
  if (now === asked && !again) return;
  asked = now;
  try {
    const found = await json(`${at(view.key, "/raters")}?${pair}`);
    if (asked !== now) return; // another video or pair has been asked for meanwhile
    moments = found;
    draw(view, does);
    const both = new URLSearchParams({ truth: pair.get("one"), found: pair.get("other") });
    const values = await json(`${at(view.key, "/agreement")}?${both}`);
    if (asked === now) $("raterfigures").textContent = figures(values);
  } catch (error) {
    tell(error.message);
  }
}

function figures({ looked_at, kinds, kappa, left }) {
  const rest = left ? " Not all of it is seen by both, so there is no kappa." : "";
  if (!kinds) return `Both looked at ${looked_at} moments: too few for figures.`;
  const over = kappa === null ? "" : `, Cohen’s kappa over frames ${kappa.toFixed(2)}`;
  return `F1 ${kinds.overall.f1.toFixed(2)} of ${looked_at} moments that both looked at${over}.${rest}`;
}

function draw(view, does) {
  const differing = $("differonly").checked;
  const shown = moments.filter((m) => !differing || m.meeting !== "same");
  const same = moments.filter((m) => m.meeting === "same").length;
  $("ratercount").textContent = `${moments.length} moments: ${same} agree, ${moments.length - same} differ`;
  $("ratermoments").replaceChildren(...shown.map((moment) => line(moment, does)));
  strip(view, does);
}

function line(moment, does) {
  const row = document.createElement("tr");
  const settled = does.settled(moment);
  row.className = settled ? "settled" : "";
  const go = make("button", "see");
  go.type = "button";
  go.addEventListener("click", () => does.see(span(moment)));
  const cell = (...parts) => row.insertCell().append(...parts);
  cell(go);
  for (const [name, side] of [["first", moment.one], ["second", moment.other]]) {
    const take = make("button", text(side), "take");
    take.type = "button";
    take.disabled = !side;
    take.title = side ? `Take what the ${name} says` : "";
    take.addEventListener("click", () => does.take(span(moment), side));
    cell(take);
  }
  const none = make("button", "none");
  none.type = "button";
  none.title = "Neither: no expression here";
  none.addEventListener("click", () => does.take(span(moment), null));
  cell(none);
  cell(`${settled ? "✓ " : ""}${MEETS[moment.meeting]}`);
  return row;
}

// The moment as a span: of both raters together.
function span({ one, other }) {
  const sides = [one, other].filter(Boolean);
  return { face: sides[0].face, onset_s: Math.min(...sides.map((s) => s.onset_s)), offset_s: Math.max(...sides.map((s) => s.offset_s)) };
}

// One lane for each rater over the whole video.
function strip(view, does) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 1000 ${2 * HEIGHT + 4}`);
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", "the two raters over the whole video");
  for (const moment of moments) {
    for (const [lane, side] of [moment.one, moment.other].entries()) {
      if (!side) continue;
      const bar = document.createElementNS(SVG, "rect");
      const x = (1000 * side.onset_s) / view.duration;
      bar.setAttribute("x", x);
      bar.setAttribute("y", lane * (HEIGHT + 4));
      bar.setAttribute("width", Math.max((1000 * (side.offset_s - side.onset_s)) / view.duration, 3));
      bar.setAttribute("height", HEIGHT);
      bar.setAttribute("class", `${side.kind} ${moment.meeting}`);
      bar.addEventListener("click", () => does.see(span(moment)));
      picture.append(bar);
    }
  }
  $("raterstrip").replaceChildren(picture);
}

export function wireRaters(view, does) {
  for (const id of ["rater1", "rater2", "differonly"]) $(id).addEventListener("change", () => showRaters(view(), does, true));
  $("ratersbox").addEventListener("toggle", () => view() && showRaters(view(), does, true));
}

// The edits that make the corrected version say at a moment what one rater says (null: nothing).
export function takeEdits(intervals, moment, side) {
  const meets = (i) => i.face === moment.face && i.onset_s <= moment.offset_s && i.offset_s >= moment.onset_s;
  const there = intervals.filter(meets);
  if (!side) return there.map((i) => ({ id: i.id, what: "delete" }));
  const [first, ...rest] = there;
  const times = { onset_s: side.onset_s, apex_s: side.apex_s, offset_s: side.offset_s };
  const others = rest.map((i) => ({ id: i.id, what: "delete" }));
  if (!first) return [{ what: "add", kind: side.kind, face: side.face, ...times }];
  const edits = [...others, { id: first.id, what: "edge", ...times }];
  if (first.kind !== side.kind) edits.push({ id: first.id, what: "kind", kind: side.kind });
  return [...edits, { id: first.id, what: "check", checked: true }];
}

// Whether the corrected version has a person's word at a moment already: the same as one side, or a deletion.
export function isSettled(intervals, { one, other }) {
  const equal = (i, side) => side && i.kind === side.kind && i.face === side.face && Math.abs(i.onset_s - side.onset_s) < 0.001 && Math.abs(i.offset_s - side.offset_s) < 0.001;
  return intervals.some((i) => i.by !== "machine" && (equal(i, one) || equal(i, other)));
}
