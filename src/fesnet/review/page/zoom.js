// The face beside the video, held still; and the three pictures of the chosen expression.

import { tell } from "./panels.js";
import { at, json, post } from "./server.js";

const $ = (id) => document.getElementById(id);
const EDGES = ["onset", "apex", "offset"];

// Paths of the faces of one video: where a square round each face is at any time.
export class FacePaths {
  constructor(values) {
    this.width = values.width;
    this.hole = values.hole_s;
    this.faces = values.faces;
  }

  // [x, y, turn, side] at a time, or null where the face is not known.
  at(face, time) {
    const path = this.faces[String(face)] ?? Object.values(this.faces)[0];
    if (!path?.length) return null;
    let [low, high] = [0, path.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (path[middle][0] <= time) low = middle;
      else high = middle - 1;
    }
    const [before, after] = [path[low], path[Math.min(low + 1, path.length - 1)]];
    const gap = after[0] - before[0];
    if (Math.abs(time - before[0]) > this.hole && Math.abs(after[0] - time) > this.hole) return null;
    const share = gap > 0 && gap <= this.hole ? Math.min(Math.max((time - before[0]) / gap, 0), 1) : 0;
    return [1, 2, 3, 4].map((k) => before[k] + share * (after[k] - before[k]));
  }
}

// The picture of `video` on a canvas: cut out round the face, or whole where no face is known.
function paint(video, canvas, square, width) {
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillRect(0, 0, canvas.width, canvas.height);
  const scale = video.videoWidth / width; // a copy may have another size
  if (square) {
    const [x, y, turn, side] = square;
    const factor = canvas.width / (side * scale);
    context.translate(canvas.width / 2, canvas.height / 2);
    context.scale(factor, factor);
    context.rotate(-turn);
    context.translate(-x * scale, -y * scale);
    context.drawImage(video, 0, 0);
  } else {
    const factor = Math.min(canvas.width / video.videoWidth, canvas.height / video.videoHeight);
    const [w, h] = [video.videoWidth * factor, video.videoHeight * factor];
    context.drawImage(video, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
  }
}

export class FaceZoom {
  // `face` gives the number of the face to show; `found` is called when its path is known.
  constructor(video, face, found) {
    Object.assign(this, { video, face, found, key: null, paths: null, on: false, asked: false });
    for (const name of ["seeked", "timeupdate", "loadeddata"]) video.addEventListener(name, () => this.draw());
  }

  async open(key) {
    [this.key, this.paths, this.asked] = [key, null, false];
    await this.load();
  }

  // What is known of the faces; the server is asked to look for them where the zoom is on.
  async load() {
    const key = this.key;
    try {
      const values = await json(at(key, "/faces"));
      if (key !== this.key) return;
      if (values.faces) {
        this.paths = new FacePaths(values);
        this.found();
      } else if (this.on && !this.asked) {
        this.asked = true;
        await post(at(key, "/follow"));
      }
    } catch (error) {
      tell(error.message);
    }
    this.draw();
  }

  toggle() {
    this.on = !this.on;
    $("zoom").hidden = !this.on;
    $("zoomface").setAttribute("aria-pressed", String(this.on));
    if (this.on && !this.paths) this.load();
    this.draw();
  }

  // Called with the state of the list: the path may be ready now.
  follow(video) {
    const busy = ["waiting", "working"].includes(video?.state);
    if (this.on && !this.paths && video) {
      $("zoomsays").textContent = busy ? `finding the face ${video.share === null ? "" : `${Math.floor(100 * video.share)} %`}` : "";
      if (!busy) this.load();
    }
  }

  draw() {
    if (!this.on || this.video.readyState < 2 || this.video.hidden) return;
    const square = this.paths?.at(this.face(), this.video.currentTime) ?? null;
    $("zoomsays").textContent = this.paths && !square ? "no face here" : this.paths ? "" : $("zoomsays").textContent;
    paint(this.video, $("zoomcanvas"), square, this.paths?.width ?? this.video.videoWidth);
  }
}

// Pictures of the chosen expression at onset, apex and offset, by a second player that nobody sees.
export class Thumbnails {
  // `timeOf` gives the middle of the frame at a time.
  constructor(zoom, timeOf) {
    Object.assign(this, { zoom, timeOf, wanted: null, shown: "", running: false, timer: 0 });
    this.video = Object.assign(document.createElement("video"), { muted: true, preload: "auto" });
  }

  source(address) {
    this.shown = "";
    if (address) this.video.src = address;
    else this.video.removeAttribute("src");
  }

  show(interval) {
    const now = interval ? JSON.stringify([interval.face, ...EDGES.map((e) => interval[`${e}_s`]), this.zoom.paths !== null]) : "";
    if (now === this.shown) return;
    this.shown = now;
    this.wanted = interval;
    $("thumbs").hidden = !interval;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), 120); // who steps through the list does not wait for each
  }

  async run() {
    if (this.running) return;
    this.running = true;
    while (this.wanted && this.video.getAttribute("src")) {
      const one = this.wanted;
      this.wanted = null;
      for (const edge of EDGES) {
        if (!this.wanted) await this.take(one, edge);
      }
    }
    this.running = false;
  }

  async take(interval, edge) {
    const time = this.timeOf(interval[`${edge}_s`]);
    if (!(await this.reach(time))) return;
    const { paths } = this.zoom;
    paint(this.video, $(`thumb-${edge}`), paths?.at(interval.face, time) ?? null, paths?.width ?? this.video.videoWidth);
    $(`thumb-${edge}`).dataset.time = time.toFixed(3);
  }

  // Whether the hidden player shows the picture of a time.
  reach(time) {
    return new Promise((resolve) => {
      const end = (reached) => { clearTimeout(late); this.video.onseeked = this.video.onloadeddata = this.video.onerror = null; resolve(reached); };
      const late = setTimeout(() => end(false), 5000);
      this.video.onerror = () => end(false);
      this.video.onseeked = () => end(true);
      if (this.video.readyState >= 1) this.video.currentTime = time;
      else this.video.onloadeddata = () => { this.video.currentTime = time; };
    });
  }
}
