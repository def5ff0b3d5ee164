// The list of videos: counts, how far the review is, what runs in the background, search.

import { make, tell } from "./panels.js";
import { at, post } from "./server.js";

const $ = (id) => document.getElementById(id);
const STATES = { new: "not spotted yet", waiting: "waiting", working: "working", done: "", failed: "failed", stopped: "stopped" };
const PROGRESS = { complete: ["✓", "reviewed"], begun: ["◐", "begun"], open: ["○", "not reviewed"] };

function words(video) {
  if (video.state === "working") return video.share === null ? video.stage : `${video.stage} ${Math.floor(100 * video.share)} %`;
  return STATES[video.state];
}

function task(video, name, label) {
  const button = make("button", label);
  button.type = "button";
  button.setAttribute("aria-label", `${label} ${video.name}`);
  button.addEventListener("click", () => post(at(video.key, `/${name}`)).catch((error) => tell(error.message)));
  return button;
}

function counts(video) {
  const seen = video.unseen ? `, ${video.unseen} to check` : "";
  return `${video.macro} macro, ${video.micro} micro${seen}`;
}

function entry(video, current, choose) {
  const item = make("li");
  const button = make("button", "", "video");
  button.type = "button";
  button.disabled = !video.result;
  if (video.key === current) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => choose(video.key));
  if (video.result) {
    const [mark, says] = PROGRESS[video.progress];
    const sign = make("span", mark, `progress ${video.progress}`);
    sign.setAttribute("role", "img");
    sign.setAttribute("aria-label", says);
    button.append(sign, " ");
  }
  button.append(make("span", video.name, "name"));
  if (video.result) button.append(make("small", counts(video)));
  item.append(button);
  const state = words(video);
  if (state) item.append(make("span", state, "quiet"));
  if (video.state === "working" && video.share !== null) {
    const bar = make("progress");
    bar.value = video.share;
    bar.setAttribute("aria-label", `${video.stage} ${video.name}`);
    item.append(bar);
  }
  if (video.format && !video.copy) item.append(make("span", `${video.format}; open it to make a copy`, "quiet"));
  if (video.error) item.append(make("span", video.error, "error"));
  if (["waiting", "working"].includes(video.state)) item.append(task(video, "stop", "Stop"));
  else if (!video.result) item.append(task(video, "spot", video.state === "new" ? "Spot" : "Try again"));
  return item;
}

const matches = (video, asked) => asked.every((word) => `${video.name} ${video.about}`.toLowerCase().includes(word));

function summary(videos, shown) {
  const ready = videos.filter((v) => v.result);
  const whole = ready.filter((v) => v.progress === "complete").length;
  const found = shown.length === videos.length ? "" : `${shown.length} of ${videos.length} shown; `;
  return ready.length ? `${found}${whole} of ${ready.length} reviewed` : "";
}

let listed = "";
export function showVideos(videos, current, choose) {
  const asked = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const open = $("openonly").checked;
  const now = JSON.stringify([videos, current, asked, open]);
  if (now === listed) return; // so that the keyboard's place in the list stays
  listed = now;
  const shown = videos.filter((v) => matches(v, asked) && !(open && v.progress === "complete"));
  $("reviewed").textContent = summary(videos, shown);
  $("finding").hidden = videos.length < 2;
  const place = [...$("videos").querySelectorAll("button")].indexOf(document.activeElement);
  $("videos").replaceChildren(...shown.map((video) => entry(video, current, choose)));
  if (place >= 0) $("videos").querySelectorAll("button")[place]?.focus();
}

export function wireLibrary(refresh) {
  for (const id of ["find", "openonly"]) $(id).addEventListener("input", refresh);
}

// The video to begin with, or to go on with after `current`: the next one whose review is not complete.
export function nextOpen(videos, current = null) {
  const ready = videos.filter((v) => v.result);
  const from = ready.findIndex((v) => v.key === current) + 1;
  const order = [...ready.slice(from), ...ready.slice(0, from)];
  return order.find((v) => v.progress !== "complete" && v.key !== current) ?? null;
}
