// The list of expressions and the form of the chosen one.

import { hintOf } from "./hints.js";

const $ = (id) => document.getElementById(id);
const MARKS = { macro: "■", micro: "◆" }; // distinguishable without colours, too
const seconds = (value) => value.toFixed(3);
const clock = (value) => (value >= 60 ? FesnetTimeline.clock(value, 1) : ""); // beside seconds beyond a minute
/* global FesnetTimeline */

function cell(row, text, name = "") {
  const out = row.insertCell();
  out.textContent = text;
  if (name) out.className = name;
  return out;
}

function line(interval, choose) {
  const row = document.createElement("tr");
  row.dataset.id = interval.id;
  row.addEventListener("click", () => choose(interval.id));
  cell(row, interval.checked ? "✓" : "", "mark").setAttribute("aria-label", interval.checked ? "checked" : "not checked");
  const hint = hintOf(interval);
  cell(row, `${MARKS[interval.kind]} ${interval.kind}`, `${interval.kind}${hint && " doubtful"}`).title = hint;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = seconds(interval.onset_s);
  button.setAttribute("aria-label", `${interval.kind} from ${seconds(interval.onset_s)} to ${seconds(interval.offset_s)} seconds`);
  const beside = (value) => Object.assign(document.createElement("small"), { textContent: clock(value) });
  cell(row, "", "num").append(button, beside(interval.onset_s));
  cell(row, seconds(interval.offset_s), "num").append(beside(interval.offset_s));
  cell(row, interval.by === "machine" || interval.machine ? interval.score.toFixed(2) : "", "num");
  const by = cell(row, interval.note ? `${interval.by} ✎` : interval.by, "by");
  if (interval.note) by.title = interval.note;
  return row;
}

// A second line: what moved and what else happened, if anything is known of it.
function more(interval, choose, badges) {
  const parts = badges(interval);
  if (!parts.length) return [];
  const row = document.createElement("tr");
  row.className = "more";
  row.dataset.id = interval.id;
  row.addEventListener("click", () => choose(interval.id));
  row.insertCell();
  const place = row.insertCell(), about = document.createElement("div");
  place.colSpan = 5;
  about.className = "context";
  about.append(...parts);
  place.append(about);
  return [row];
}

// Rows that say the same stay: the browser need not lay out hundreds of them after each edit.
function replaceRows(body, rows) {
  const placeOf = (row) => `${row.dataset.id} ${row.classList.contains("more")}`;
  const before = new Map([...body.rows].map((row) => [placeOf(row), row]));
  const shown = rows.map((row) => {
    const old = before.get(placeOf(row));
    return old?.isEqualNode(row) ? old : row;
  });
  const kept = new Set(shown);
  for (const row of [...body.rows]) if (!kept.has(row)) row.remove();
  let next = body.firstElementChild;
  for (const row of shown) {
    if (row === next) next = next.nextElementSibling;
    else body.insertBefore(row, next);
  }
}

// `badges` gives the elements that say what moved in an interval.
export function showRows(intervals, choose, badges) {
  markRow(null); // a mark is no difference
  replaceRows($("rows"), intervals.flatMap((interval) => [line(interval, choose), ...more(interval, choose, badges)]));
  const checked = intervals.filter((i) => i.checked).length;
  const of = (kind) => intervals.filter((i) => i.kind === kind).length;
  $("count").textContent = `${of("macro")} macro, ${of("micro")} micro; ${checked} of ${intervals.length} checked`;
}

export function markRow(id) {
  for (const row of $("rows").rows) {
    const chosen = row.dataset.id === id;
    if (chosen !== row.classList.contains("chosen")) {
      row.classList.toggle("chosen", chosen);
      row.toggleAttribute("aria-current", chosen);
      if (!row.className) row.removeAttribute("class");
    }
    if (chosen) bringIntoView(row);
  }
}

// Scrolls the list alone, never the page.
function bringIntoView(row) {
  const box = $("tablebox");
  const top = row.offsetTop - box.querySelector("thead").offsetHeight;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = row.offsetTop + row.offsetHeight - box.clientHeight;
}

export function showChosen(interval, editable) {
  $("chosenfields").disabled = !interval || !editable;
  $("chosenname").textContent = interval ? `Chosen: ${interval.kind} of face ${interval.face}, by ${interval.by}` : "No expression chosen";
  for (const name of ["onset", "apex", "offset"]) $(name).value = interval ? seconds(interval[`${name}_s`]) : "";
  $("kind").value = interval?.kind ?? "macro";
  $("checked").checked = interval?.checked ?? false;
  const hint = interval ? hintOf(interval) : "";
  $("hint").textContent = hint && `${hint}. Look again: edges or kind?`;
  $("hint").hidden = !hint;
  if (document.activeElement !== $("note") || !interval) $("note").value = interval?.note ?? "";
}

// `edit` takes the fields of an edit of the chosen expression.
export function wireForm(chosen, edit) {
  for (const name of ["onset", "apex", "offset"]) {
    $(name).addEventListener("change", () => {
      const times = { onset_s: $("onset").valueAsNumber, apex_s: $("apex").valueAsNumber, offset_s: $("offset").valueAsNumber };
      if (Object.values(times).some(Number.isNaN)) showChosen(chosen(), true);
      else edit({ what: "edge", ...times });
    });
  }
  $("kind").addEventListener("change", () => edit({ what: "kind", kind: $("kind").value }));
  $("checked").addEventListener("change", () => edit({ what: "check", checked: $("checked").checked }));
  $("note").addEventListener("change", () => edit({ what: "note", note: $("note").value }));
  $("delete").addEventListener("click", () => edit({ what: "delete" }));
  $("chosen").addEventListener("submit", (event) => event.preventDefault());
}
