// What a player has beside the pictures: sound, a loop, a seek bar, full screen; and which formats it shows.

import { make, tell } from "./panels.js";
import { at, json, post } from "./server.js";

const $ = (id) => document.getElementById(id);

// Plays a span once or again and again. `seekFrame` goes to a frame.
export class Loop {
  constructor(video, seekFrame) {
    Object.assign(this, { video, seekFrame, first: 0, stop: null, again: false });
    video.addEventListener("ended", () => { if (this.stop !== null && this.again) this.restart(); });
    video.addEventListener("pause", () => { if (!video.ended || !this.again) this.stop = null; });
  }

  // From frame `first` up to `stop` s.
  start(first, stop, again = this.again) {
    this.again = again;
    $("repeat").setAttribute("aria-pressed", String(again));
    this.first = first;
    this.seekFrame(first);
    this.stop = stop;
    this.video.play().catch(() => {});
  }

  restart() {
    this.seekFrame(this.first);
    this.video.play().catch(() => {});
  }

  // Called as the pictures go by.
  check() {
    if (this.stop === null || this.video.seeking || this.video.currentTime < this.stop) return;
    if (this.again) this.seekFrame(this.first);
    else this.video.pause();
  }

  end() {
    this.again = false;
    this.stop = null;
    $("repeat").setAttribute("aria-pressed", "false");
    this.video.pause();
  }
}

export function toggleSound(video) {
  video.muted = !video.muted;
  $("sound").setAttribute("aria-pressed", String(!video.muted));
}

export function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("watch").requestFullscreen().catch((error) => tell(`No full screen: ${error.message}`));
}

export function setSpeed(video, value) {
  $("speed").value = value;
  video.playbackRate = Number(value);
}

export function wireSeekBar(seek) {
  $("seekbar").addEventListener("input", () => seek($("seekbar").valueAsNumber));
}

export function showSeekBar(time, duration, text) {
  const bar = $("seekbar");
  bar.max = duration;
  if (document.activeElement !== bar || Math.abs(bar.valueAsNumber - time) > 0.5) bar.value = time;
  bar.setAttribute("aria-valuetext", text);
}

// Shows a video if this browser can, and else what can be done. `show` sets its address.
export async function showIfPlayable(video, key, show, refresh) {
  $("novideo").hidden = true;
  try {
    const about = await json(at(key, "/media"));
    if (about.problem) return sayNoVideo(video, `No picture: ${about.problem}.`);
    const able = about.plays === "yes" || (about.plays === "ask" && video.canPlayType(about.mime) !== "");
    if (able) return show();
    return offerCopy(video, key, `${about.format}. Everything else works. `, refresh);
  } catch (error) {
    return sayNoVideo(video, error.message);
  }
}

function sayNoVideo(video, text) {
  video.removeAttribute("src");
  video.load();
  video.hidden = true;
  $("novideo").hidden = false;
  $("novideo").textContent = text;
}

export function offerCopy(video, key, text, refresh) {
  sayNoVideo(video, text);
  const box = $("novideo");
  const button = make("button", "Make a copy that it plays");
  button.type = "button";
  button.addEventListener("click", () => {
    box.textContent = "A copy is being made; it is shown when it is ready.";
    post(at(key, "/copy")).then(refresh, (error) => tell(error.message));
  });
  box.append(button);
}
