// All other panels: upload, thresholds, agreement, export, history, errors.

import { at, download, json, upload } from "./server.js";

const $ = (id) => document.getElementById(id);

export function make(tag, text = "", name = "") {
  const out = document.createElement(tag);
  out.textContent = text;
  if (name) out.className = name;
  return out;
}

export function tell(message) {
  const line = make("p", message);
  const close = make("button", "Close");
  close.type = "button";
  close.addEventListener("click", () => line.remove());
  line.append(" ", close);
  $("errors").replaceChildren(...[...$("errors").children].slice(-3), line);
}

export const clearErrors = () => $("errors").replaceChildren();

// --- upload ---

export function wireUpload(limit, refresh) {
  const size = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`);
  const send = async (file) => {
    if (file.size > limit) {
      tell(`${file.name} has ${size(file.size)}, and at most ${size(limit)} are taken here: name it on the command line (fesnet review ${file.name}), or raise --max-upload`);
      return;
    }
    const item = make("li");
    const bar = make("progress");
    bar.setAttribute("aria-label", `sending ${file.name}`);
    item.append(make("span", file.name), make("span", "sending", "quiet"), bar);
    $("drop").after(item);
    await upload(file, (share) => { bar.value = share; }).catch((error) => tell(error.message));
    item.remove();
    refresh();
  };
  const take = async (files) => { for (const file of files) await send(file); };
  $("pick").addEventListener("change", () => { take([...$("pick").files]); $("pick").value = ""; });
  addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").classList.remove("over"); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    take([...event.dataTransfer.files]);
  });
}

// --- thresholds ---

const RULES = {
  macro_threshold: "macro: counts from",
  macro_release: "macro: ends below",
  micro_threshold: "micro: counts from",
  micro_release: "micro: ends below",
};
let references = { macro_reference: 1, micro_reference: 1 }; // what a release is a share of
const shown = (name, value) => (name.endsWith("release") ? (value * references[`${name.slice(0, 5)}_reference`]).toFixed(2) : value.toFixed(2));

// `preview` takes all values while a slider moves, `keep` when it is let go.
export function wireSliders(preview, keep) {
  for (const [name, text] of Object.entries(RULES)) {
    const label = make("label", text, name.slice(0, 5));
    const slider = make("input");
    Object.assign(slider, { type: "range", id: name, min: 0.02, max: 1, step: 0.01 });
    const out = make("output");
    out.htmlFor = name;
    slider.addEventListener("input", () => { out.textContent = shown(name, slider.valueAsNumber); preview(sliderValues()); });
    slider.addEventListener("change", () => keep(sliderValues()));
    label.append(slider, out);
    $("sliders").append(label);
  }
}

const sliderValues = () => Object.fromEntries(Object.keys(RULES).map((name) => [name, $(name).valueAsNumber]));

export function showSliders({ rules, compared, compared_text, score_name }) {
  references = rules;
  $("aboutrules").textContent = `Thresholds are compared with ${compared_text}: the bars in the timeline.`;
  for (const name of Object.keys(RULES)) {
    const label = $(name).parentElement;
    label.firstChild.textContent = name.endsWith("threshold") ? `${name.slice(0, 5)}: ${score_name} from` : RULES[name];
    label.hidden = compared === "check" && name.endsWith("release"); // a check's candidates have fixed edges
    $(name).value = rules[name];
    $(name).setAttribute("aria-valuetext", shown(name, rules[name]));
    $(name).nextElementSibling.textContent = shown(name, rules[name]);
  }
}

// --- agreement ---

export function showVersions(view) {
  const versions = [["person", "corrected"], ["machine", "machine’s"], ...view.others.map((name) => [name, name])];
  for (const [id, fallback] of [["truth", "person"], ["compared", "machine"]]) {
    const before = $(id).value || fallback;
    $(id).replaceChildren(...versions.map(([value, text]) => new Option(text, value)));
    $(id).value = versions.some(([value]) => value === before) ? before : fallback;
  }
}

function agreementTable(values) {
  const table = make("table");
  const head = table.createTHead().insertRow();
  for (const name of ["", "in both", "only in truth", "only in compared", "F1"]) {
    const th = make("th", name, name ? "num" : "");
    th.scope = "col";
    head.append(th);
  }
  const body = table.createTBody();
  for (const [kind, c] of Object.entries(values.kinds)) {
    const row = body.insertRow();
    const th = make("th", kind);
    th.scope = "row";
    row.append(th);
    for (const value of [c.tp, c.fn, c.fp, c.f1.toFixed(2)]) row.append(make("td", String(value), "num"));
  }
  return table;
}

function lookedAt({ people, looked_at, left }) {
  if (!people) return "Two versions of the machine: nobody has looked at them.";
  const rest = left ? `${left} ${left === 1 ? "proposal is" : "proposals are"} not looked at and ${left === 1 ? "counts" : "count"} on neither side.` : "Nothing is left to look at.";
  return `Looked at: ${looked_at} ${looked_at === 1 ? "moment" : "moments"} (checked, moved, changed, added or deleted). ${rest}`;
}

// `current` gives the state that is shown when the answer has come.
export async function showAgreement(view, current) {
  const box = $("agreement");
  if (!$("agreementbox").open) return;
  try {
    const asked = new URLSearchParams({ truth: $("truth").value, found: $("compared").value });
    const values = await json(`${at(view.key, "/agreement")}?${asked}`);
    if (current().key !== view.key) return;
    const about = make("p", lookedAt(values));
    if (!values.kinds) {
      box.replaceChildren(about, make("p", `From ${values.handful} moments on, figures are shown here.`, "quiet"));
      return;
    }
    const kappa = values.kappa === null ? "" : `, Cohen’s kappa over frames ${values.kappa.toFixed(2)}`;
    const lines = [`In both: overlap (IoU) of ${values.iou} or more${kappa}.`, ...values.lines, "fesnet score says more."];
    box.replaceChildren(about, agreementTable(values), ...lines.map((text) => make("p", text, "quiet")));
  } catch (error) {
    box.replaceChildren(make("p", error.message, "quiet"));
  }
}

// --- export, history ---

const PROGRAMS = { eaf: "ELAN (.eaf)", textgrid: "Praat (.TextGrid)", vtt: "WebVTT (.vtt)", srt: "SubRip (.srt)", boris: "BORIS", labelstudio: "Label Studio", activitynet: "ActivityNet", bids: "BIDS events", megc: "MEGC", frames: "CSV of frames", "frames-parquet": "Parquet of frames", blinks: "CSV of blinks", csv: "CSV" };

export function wireExport(formats, current) {
  $("format").replaceChildren(...formats.map((name) => new Option(PROGRAMS[name] ?? name, name)));
  $("export").addEventListener("click", async () => {
    try {
      const asked = new URLSearchParams({ to: $("format").value, which: $("which").value });
      await download(`${at(current(), "/export")}?${asked}`);
    } catch (error) {
      tell(`Not exported: ${error.message}`);
    }
  });
}

const WHAT = { edge: "moved", kind: "changed kind of", add: "added", delete: "deleted", check: "checked or unchecked", note: "noted on", rules: "moved thresholds", done: "said whether it is reviewed", undo: "undid", redo: "redid" };

export function showHistory(history) {
  const lines = history.map((e) => make("li", `${e.when.slice(0, 10)} ${e.when.slice(11, 19)} UTC, ${e.who}: ${WHAT[e.what]} ${e.about}`));
  $("history").replaceChildren(...(lines.length ? lines : [make("li", "nothing yet")]));
}
