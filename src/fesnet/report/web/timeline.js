"use strict";
/* A timeline of scores and intervals on two canvases: the part in view, and the whole below it.

   const t = new FesnetTimeline(element, {editable, onSeek(s), onSelect(id), onEdit(id, {onset_s, apex_s, offset_s}),
                                          onAdd(onset_s, offset_s)});
   t.setData({duration, tracks: [{face, times, macro, micro, sum}], intervals: [{id, face, kind, onset_s, apex_s,
              offset_s, score, checked, moved: [texts], flags: [names]}], lanes: [{face, name, spans: [[a, b]]}], candidates: [as intervals, below their thresholds],
              gaps: [{face, start_s, stop_s, reason}], thresholds: {macro, micro}, truth: [...],
              compared: "sum" | "kinds" | "check", score_name});

   What is compared with the thresholds is drawn: each interval has a bar at the height of its score. Where the rules
   compare the sum of both scores, it is the strong line; where a check gave probabilities, the curves are pale.

   Scores are 0..1, null where unknown; times rise in equal steps. Mouse: click jumps, drag moves the view, wheel (with
   Ctrl, or when the timeline has the focus) zooms; where it is editable, edges can be dragged and Shift and drag adds.
   Keys: arrows step, + - zoom, 0 shows all, [ ] go to the interval before and after. */

class FesnetTimeline {
  constructor(element, options = {}) {
    this.element = element;
    this.options = options;
    this.data = { duration: 1, tracks: [], intervals: [], gaps: [], thresholds: {}, markers: [], lanes: [] };
    this.view = [0, 1];
    this.time = 0;
    this.selected = null;
    this.drag = null;
    this.width = 0; // of the canvas, pixels
    this.columnCache = new Map(); // drawn columns of curves, by curve and view
    this.background = document.createElement("canvas"); // all but the position, which moves at every frame
    this.overviewBackground = document.createElement("canvas"); // of the overview; only new data change it
    this.stale = true;
    this.build();
    this.listen();
  }

  // -- public methods --

  setData(data) {
    const same = data.duration === this.data.duration;
    this.data = { gaps: [], truth: [], candidates: [], thresholds: {}, markers: [], lanes: [], compared: "kinds", score_name: "score", ...data, duration: Math.max(data.duration, 0.1) };
    if (!same) this.view = [0, this.data.duration];
    if (!this.data.intervals.some((i) => i.id === this.selected)) this.selected = null;
    this.fillList();
    this.resize();
  }

  setTime(seconds, follow = true) {
    this.time = Math.min(Math.max(seconds, 0), this.data.duration);
    const [a, b] = this.view;
    if (follow && !this.drag && (this.time < a || this.time > b)) this.setView(this.time - (b - a) * 0.1, b - a);
    this.scheduleDraw(false);
  }

  select(id) {
    this.selected = id;
    const chosen = this.data.intervals.find((i) => i.id === id);
    if (chosen) {
      const [a, b] = this.view;
      if (chosen.onset_s < a || chosen.offset_s > b) this.setView(chosen.onset_s - (b - a) / 2, b - a);
    }
    for (const button of this.list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.id === String(id)));
    }
    this.scheduleDraw();
  }

  zoom(factor, around = null) {
    const [a, b] = this.view;
    const width = Math.min(Math.max((b - a) / factor, 0.2), this.data.duration);
    let at = around;
    if (at === null) at = this.time >= a && this.time <= b ? this.time : (a + b) / 2;
    this.setView(at - ((at - a) / (b - a)) * width, width);
  }

  fit() {
    this.setView(0, this.data.duration);
  }

  // -- building --

  build() {
    this.element.classList.add("ft");
    this.element.innerHTML = `
      <canvas class="ft-main" tabindex="0" role="slider" aria-label="Timeline: position in the video"
        aria-valuemin="0"></canvas>
      <canvas class="ft-overview" aria-hidden="true"></canvas>
      <div class="ft-bar" role="group" aria-label="View of the timeline">
        <button type="button" data-do="in" title="zoom in (+)">+</button>
        <button type="button" data-do="out" title="zoom out (-)">&minus;</button>
        <button type="button" data-do="fit" title="show all (0)">all</button>
        <button type="button" data-do="before" title="expression before ([)">&#9664; expression</button>
        <button type="button" data-do="after" title="expression after (])">expression &#9654;</button>
        <output></output>
      </div>
      <ol class="hidden" aria-label="Expressions in order of time"></ol>`;
    this.main = this.element.querySelector(".ft-main");
    this.overview = this.element.querySelector(".ft-overview");
    this.list = this.element.querySelector("ol");
    this.output = this.element.querySelector("output");
  }

  listen() {
    const actions = {
      in: () => this.zoom(2), out: () => this.zoom(0.5), fit: () => this.fit(),
      before: () => this.step(-1), after: () => this.step(1),
    };
    this.element.querySelector(".ft-bar").addEventListener("click", (event) => {
      const action = actions[event.target.closest("button")?.dataset.do];
      if (action) action();
    });
    this.list.addEventListener("click", (event) => {
      const chosen = this.data.intervals.find((i) => String(i.id) === event.target.dataset.id);
      if (chosen) this.choose(chosen);
    });
    this.main.addEventListener("pointerdown", (event) => this.press(event));
    this.main.addEventListener("pointermove", (event) => this.move(event));
    this.main.addEventListener("pointerup", (event) => this.release(event));
    this.main.addEventListener("pointercancel", () => this.cancel());
    this.main.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.main.addEventListener("keydown", (event) => this.key(event));
    const centre = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const [a, b] = this.view;
      const at = this.overviewSeconds(event.offsetX);
      this.setView(at - (b - a) / 2, b - a);
    };
    this.overview.addEventListener("pointerdown", centre);
    this.overview.addEventListener("pointermove", centre);
    new ResizeObserver(() => this.resize()).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.resize());
  }

  fillList() {
    const rows = [...this.data.intervals].sort((a, b) => a.onset_s - b.onset_s);
    this.list.replaceChildren(...rows.map((i) => {
      const item = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.tabIndex = -1;
      button.dataset.id = String(i.id);
      const from = FesnetTimeline.time(i.onset_s, 2), to = FesnetTimeline.time(i.offset_s, 2);
      const words = [...(i.moved ?? []), ...(i.flags ?? []).map((flag) => flag.replaceAll("_", " "))];
      button.textContent = [`${i.kind}-expression of face ${i.face}, ${from} to ${to}`, ...words].join("; ");
      item.append(button);
      return item;
    }));
    this.main.setAttribute("aria-valuemax", this.data.duration.toFixed(2));
  }

  // -- where things are --

  faces() {
    // A video without any face has but a gap.
    const known = [...this.data.tracks, ...this.data.intervals, ...this.data.gaps].map((x) => x.face);
    return [...new Set(known)].sort((a, b) => a - b);
  }

  rows() {
    // Of each face: its curve, a lane for each kind, and one for the truth where there is one.
    // Markers have a lane above the first face.
    const rows = [];
    let y = FesnetTimeline.RULER;
    for (const face of this.faces()) {
      const row = { face, curve: y + 6, height: 84 };
      if (this.data.markers.length && !rows.length) {
        row.markers = y + 2;
        row.curve += FesnetTimeline.LANE;
      }
      row.macro = row.curve + row.height + 6;
      row.micro = row.macro + FesnetTimeline.LANE;
      y = row.micro + FesnetTimeline.LANE;
      if (this.data.truth.length) {
        row.truth = y;
        y += FesnetTimeline.LANE;
      }
      row.lanes = this.data.lanes.filter((lane) => lane.face === face).map((lane, n) => ({ ...lane, y: y + n * FesnetTimeline.LANE }));
      y += row.lanes.length * FesnetTimeline.LANE;
      rows.push(row);
      y += 6;
    }
    return { rows, height: Math.max(y + 4, 60) };
  }

  x(seconds) {
    // Kept by resize(): asking the canvas for each of an hour's ticks would lay out the page as often.
    const [a, b] = this.view;
    return FesnetTimeline.LEFT + ((seconds - a) / (b - a)) * (this.width - FesnetTimeline.LEFT);
  }

  seconds(x) {
    const [a, b] = this.view;
    const share = (x - FesnetTimeline.LEFT) / (this.main.clientWidth - FesnetTimeline.LEFT);
    return Math.min(Math.max(a + share * (b - a), 0), this.data.duration);
  }

  overviewX(seconds) {
    // The strip below has the axis of the timeline above.
    return FesnetTimeline.LEFT + (seconds / this.data.duration) * (this.width - FesnetTimeline.LEFT);
  }

  overviewSeconds(x) {
    const share = (x - FesnetTimeline.LEFT) / (this.overview.clientWidth - FesnetTimeline.LEFT);
    return Math.min(Math.max(share, 0), 1) * this.data.duration;
  }

  at(x, y) {
    // The interval under a point, and which part of it: "onset", "offset" or "body".
    for (const row of this.rows().rows) {
      for (const i of this.data.intervals) {
        const top = row[i.kind];
        if (i.face !== row.face || y < top || y >= top + FesnetTimeline.LANE) continue;
        const [a, b] = [this.x(i.onset_s), this.x(i.offset_s)];
        if (x < a - 6 || x > b + 6) continue;
        if (!this.options.editable) return { interval: i, part: "body" };
        const [left, right] = [Math.abs(x - a), Math.abs(x - b)];
        const reach = Math.min(6, Math.max((b - a) / 3, 3));
        if (Math.min(left, right) <= reach || x < a || x > b) return { interval: i, part: left <= right ? "onset" : "offset" };
        return { interval: i, part: "body" };
      }
    }
    return null;
  }

  // -- mouse, wheel, keys --

  press(event) {
    if (event.button !== 0) return;
    this.main.focus({ preventScroll: true });
    this.main.setPointerCapture(event.pointerId);
    const hit = this.at(event.offsetX, event.offsetY);
    this.drag = { from: event.offsetX, x: event.offsetX, view: this.view, hit, what: "view", moved: false };
    if (this.options.editable && event.shiftKey) this.drag.what = "add";
    else if (this.options.editable && hit && hit.part !== "body") {
      this.drag.what = hit.part;
      this.drag.copy = { ...hit.interval };
      this.select(hit.interval.id);
    }
  }

  move(event) {
    const d = this.drag;
    if (!d) {
      const hit = this.at(event.offsetX, event.offsetY);
      this.main.style.cursor = hit ? (hit.part === "body" ? "pointer" : "ew-resize") : "";
      return;
    }
    d.x = event.offsetX;
    d.moved = d.moved || Math.abs(d.x - d.from) > 3;
    if (!d.moved) return;
    if (d.what === "view") {
      const width = d.view[1] - d.view[0];
      const pixels = this.main.clientWidth - FesnetTimeline.LEFT;
      this.setView(d.view[0] - ((d.x - d.from) / pixels) * width, width);
    } else if (d.copy) {
      const least = 0.02;
      const t = this.seconds(d.x);
      if (d.what === "onset") d.copy.onset_s = Math.min(t, d.copy.offset_s - least);
      else d.copy.offset_s = Math.max(t, d.copy.onset_s + least);
      d.copy.apex_s = Math.min(Math.max(d.hit.interval.apex_s, d.copy.onset_s), d.copy.offset_s);
    }
    this.scheduleDraw();
  }

  release(event) {
    const d = this.drag;
    this.drag = null;
    if (!d) return;
    d.x = event.offsetX;
    if (!d.moved) {
      if (d.hit) this.choose(d.hit.interval, this.seconds(d.x));
      else this.seek(this.seconds(d.x));
    } else if (d.what === "add") {
      const [a, b] = [this.seconds(d.from), this.seconds(d.x)].sort((p, q) => p - q);
      this.options.onAdd?.(a, b);
    } else if (d.copy) {
      const { onset_s, apex_s, offset_s } = d.copy;
      Object.assign(d.hit.interval, { onset_s, apex_s, offset_s });
      this.overviewBackground.width = 0;
      this.options.onEdit?.(d.hit.interval.id, { onset_s, apex_s, offset_s });
    }
    this.scheduleDraw();
  }

  cancel() {
    this.drag = null;
    this.scheduleDraw();
  }

  wheel(event) {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const mine = event.ctrlKey || event.metaKey || document.activeElement === this.main;
    if (!sideways && !mine) return;
    event.preventDefault();
    const [a, b] = this.view;
    if (sideways) this.setView(a + (event.deltaX / this.main.clientWidth) * (b - a), b - a);
    else this.zoom(Math.exp(-event.deltaY / 300), this.seconds(event.offsetX));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 1 : 0.1;
    const actions = {
      ArrowLeft: () => this.seek(this.time - step), ArrowRight: () => this.seek(this.time + step),
      Home: () => this.seek(0), End: () => this.seek(this.data.duration),
      "+": () => this.zoom(2), "=": () => this.zoom(2), "-": () => this.zoom(0.5), 0: () => this.fit(),
      "[": () => this.step(-1), "]": () => this.step(1), Escape: () => this.cancel(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  seek(seconds) {
    this.setTime(seconds);
    this.options.onSeek?.(this.time);
  }

  choose(interval, seconds = null) {
    this.select(interval.id);
    this.options.onSelect?.(interval.id);
    this.seek(seconds ?? interval.onset_s);
  }

  step(way) {
    const rows = [...this.data.intervals].sort((a, b) => a.onset_s - b.onset_s);
    const chosen = rows.findIndex((i) => i.id === this.selected);
    let next = chosen + way;
    if (chosen < 0) next = way > 0 ? rows.findIndex((i) => i.onset_s > this.time) : rows.findLastIndex((i) => i.onset_s < this.time);
    if (rows[next]) this.choose(rows[next]);
  }

  setView(start, width) {
    const most = this.data.duration;
    const w = Math.min(width, most), a = Math.min(Math.max(start, 0), most - w);
    this.view = [a, a + w];
    this.scheduleDraw();
  }

  // -- drawing --

  resize() {
    const sizes = [[this.main, this.rows().height], [this.overview, 34]];
    for (const [canvas, height] of sizes) {
      const scale = devicePixelRatio || 1;
      canvas.style.height = `${height}px`;
      canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
      canvas.height = Math.round(height * scale);
      canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
    }
    this.width = this.main.clientWidth;
    this.columnCache.clear();
    this.overviewBackground.width = 0;
    this.scheduleDraw();
  }

  scheduleDraw(stale = true) {
    this.stale = this.stale || stale;
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  colours() {
    const style = getComputedStyle(this.element);
    const names = ["paper", "ink", "faint", "line", "macro", "micro", "macro-text", "micro-text", "gap", "now", "accent"];
    return Object.fromEntries(names.map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
  }

  draw() {
    const begun = performance.now();
    const g = this.main.getContext("2d"), c = this.colours();
    const width = this.main.clientWidth, { rows, height } = this.rows();
    if (this.stale) this.drawBackground(c, rows, width, height);
    this.stale = false;
    this.copyCanvas(g, this.main, this.background);
    this.drawPosition(g, c, height);
    this.drawOverview(c);
    const [a, b] = this.view;
    this.output.textContent = `${FesnetTimeline.time(this.time, 2)} · view ${FesnetTimeline.clock(a, 1)} to ${FesnetTimeline.clock(b, 1)}`;
    this.main.setAttribute("aria-valuenow", this.time.toFixed(2));
    this.main.setAttribute("aria-valuetext", FesnetTimeline.time(this.time, 2));
    this.drawn = performance.now() - begun; // ms, for measurements
  }

  drawBackground(c, rows, width, height) {
    const g = this.clearCanvas(this.background, this.main);
    g.font = "12px system-ui, sans-serif";
    g.textBaseline = "middle";
    this.drawRuler(g, c, width, height);
    for (const row of rows) this.drawFace(g, c, row, rows.length > 1);
  }

  clearCanvas(hidden, shown) {
    // An empty canvas as large as the shown one, with its scale.
    [hidden.width, hidden.height] = [shown.width, shown.height];
    const g = hidden.getContext("2d"), scale = devicePixelRatio || 1;
    g.setTransform(scale, 0, 0, scale, 0, 0);
    return g;
  }

  copyCanvas(g, shown, hidden) {
    g.save();
    g.resetTransform();
    g.clearRect(0, 0, shown.width, shown.height);
    g.drawImage(hidden, 0, 0);
    g.restore();
  }

  drawRuler(g, c, width, height) {
    const [a, b] = this.view, room = (width - FesnetTimeline.LEFT) / 90;
    const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600];
    const step = steps.find((s) => (b - a) / s <= room) ?? 7200;
    g.textAlign = "center";
    for (let t = Math.ceil(a / step) * step; t <= b + 1e-9; t += step) {
      const x = this.x(t);
      g.fillStyle = c.line;
      g.fillRect(x, FesnetTimeline.RULER - 4, 1, height);
      g.fillStyle = c.faint;
      if (x > FesnetTimeline.LEFT + 12 && x < width - 16) g.fillText(FesnetTimeline.clock(t, step < 0.1 ? 2 : step < 1 ? 1 : 0), x, 9);
    }
  }

  drawFace(g, c, row, several) {
    g.textAlign = "left";
    g.fillStyle = c.ink;
    const what = { sum: "sum", kinds: "scores", check: "probab." }[this.data.compared];
    const names = [[several ? `face ${row.face}` : what, row.curve + 22], ["macro", row.macro + 10], ["micro", row.micro + 10]];
    if (row.truth) names.push(["truth", row.truth + 10]);
    if (row.markers) names.push(["markers", row.markers + 10]);
    for (const lane of row.lanes) names.push([lane.name, lane.y + 10]);
    for (const [name, y] of names) g.fillText(name, 4, y, FesnetTimeline.LEFT - 8);
    g.textAlign = "right";
    g.fillStyle = c.faint;
    for (const level of [0, 1]) g.fillText(String(level), FesnetTimeline.LEFT - 5, row.curve + (1 - level) * (row.height - 8) + 4);
    g.textAlign = "left";
    g.save();
    g.beginPath();
    g.rect(FesnetTimeline.LEFT, 0, this.main.clientWidth, 1e5);
    g.clip();
    if (row.markers) for (const marker of this.data.markers) this.drawMarker(g, c, marker, row.markers);
    for (const gap of this.data.gaps.filter((x) => x.face === row.face)) this.drawGap(g, c, gap, row);
    for (const track of this.data.tracks.filter((t) => t.face === row.face)) {
      for (const kind of ["macro", "micro"]) this.drawCurve(g, c[kind], track, kind, row);
      if (this.data.compared === "sum" && track.sum) this.drawCurve(g, c.ink, track, "sum", row);
    }
    for (const kind of ["macro", "micro"]) this.drawThreshold(g, c[kind], kind, row);
    for (const i of this.data.candidates.filter((x) => x.face === row.face)) this.drawLevel(g, c, i, row, true);
    for (const i of this.data.intervals.filter((x) => x.face === row.face)) this.drawLevel(g, c, i, row, false);
    for (const i of this.data.intervals.filter((x) => x.face === row.face)) this.drawBar(g, c, i, row[i.kind]);
    if (row.truth) for (const i of this.data.truth) this.drawBar(g, c, i, row.truth, true);
    for (const lane of row.lanes) this.drawLane(g, c, lane);
    g.restore();
  }

  columns(track, kind, from, to, x) {
    // Cached for an unchanged view, as while playing.
    const name = `${track.face} ${kind} ${from} ${to} ${x(from)} ${x(to)}`;
    if (!this.columnCache.has(name)) {
      if (this.columnCache.size > 40) this.columnCache.clear();
      this.columnCache.set(name, this.computeColumns(track, kind, from, to, x));
    }
    return this.columnCache.get(name);
  }

  computeColumns(track, kind, from, to, x) {
    // The highest score of each pixel column, so that a peak of a tenth of a second shows in an hour; null: unknown.
    const { times } = track, values = track[kind], n = times.length;
    if (n === 0) return [];
    const step = n > 1 ? (times[n - 1] - times[0]) / (n - 1) : 1;
    const first = Math.max(0, Math.floor((from - times[0]) / step)), last = Math.min(n - 1, Math.ceil((to - times[0]) / step));
    const out = [];
    let column = null;
    for (let k = first; k <= last; k += 1) {
      const px = Math.round(x(times[k])), v = values[k];
      if (column === null || px !== column[0]) out.push((column = [px, v]));
      else if (v !== null && (column[1] === null || v > column[1])) column[1] = v;
    }
    return out;
  }

  drawCurve(g, colour, track, kind, row) {
    const [a, b] = this.view;
    g.strokeStyle = colour;
    g.lineWidth = kind === "sum" ? 1.5 : 1.2;
    g.globalAlpha = this.data.compared === "check" ? 0.45 : 1;
    g.setLineDash(kind === "micro" ? [5, 2] : []);
    this.line(g, this.columns(track, kind, a, b, (t) => this.x(t)), (v) => row.curve + (1 - v) * row.height);
    g.setLineDash([]);
    g.globalAlpha = 1;
  }

  drawLevel(g, c, given, row, faint) {
    // A bar at the height of the score, from onset to offset: what is compared with the threshold.
    if (given.score === undefined || given.score === null) return; // a person's own has none
    const i = this.drag?.copy && this.drag.copy.id === given.id ? this.drag.copy : given;
    const [a, b] = [this.x(i.onset_s), this.x(i.offset_s)];
    if (b < FesnetTimeline.LEFT || a > this.main.clientWidth) return;
    g.globalAlpha = faint ? 0.4 : 1;
    g.fillStyle = c[i.kind];
    const thick = faint ? 2 : 3;
    g.fillRect(a, row.curve + (1 - i.score) * row.height - thick / 2, Math.max(b - a, 3), thick);
    g.globalAlpha = 1;
  }

  line(g, columns, y) {
    // A line through the scores, broken where they are unknown; a single score is a dot.
    g.beginPath();
    let before = null;
    for (const [x, v] of columns) {
      if (v !== null && before === null) g.moveTo(x - 0.5, y(v));
      if (v !== null) g.lineTo(x + (before === null ? 0.5 : 0), y(v));
      before = v;
    }
    g.stroke();
  }

  drawThreshold(g, colour, kind, row) {
    const level = this.data.thresholds[kind];
    if (level === undefined || level === null) return;
    const y = row.curve + (1 - level) * row.height;
    g.globalAlpha = 0.8;
    g.strokeStyle = colour;
    g.lineWidth = 1;
    g.setLineDash([2, 6]);
    g.lineDashOffset = kind === "micro" ? 4 : 0; // so that both are seen where they are equal
    g.beginPath();
    g.moveTo(FesnetTimeline.LEFT, y);
    g.lineTo(this.main.clientWidth, y);
    g.stroke();
    g.setLineDash([]);
    g.lineDashOffset = 0;
    g.globalAlpha = 1;
    g.fillStyle = colour;
    g.textAlign = "right";
    g.font = "11px system-ui, sans-serif";
    g.fillText(`${kind} ${Number(level.toFixed(2))}`, this.main.clientWidth - (kind === "macro" ? 66 : 4), y - 7);
    g.font = "12px system-ui, sans-serif";
    g.textAlign = "left";
  }

  hatch(g, c, x, end, top, height) {
    g.save();
    g.beginPath();
    g.rect(x, top, Math.max(end - x, 2), height);
    g.clip();
    g.strokeStyle = c.gap;
    g.globalAlpha = 0.5;
    g.lineWidth = 1;
    g.beginPath();
    for (let s = Math.max(x, 0) - height; s < Math.min(end, this.main.clientWidth) + height; s += 8) {
      g.moveTo(s, top + height);
      g.lineTo(s + height, top);
    }
    g.stroke();
    g.restore();
  }

  drawGap(g, c, gap, row) {
    const [x, end] = [this.x(gap.start_s), this.x(gap.stop_s)];
    const top = row.curve, height = row.micro + FesnetTimeline.LANE - row.curve;
    this.hatch(g, c, x, end, top, height);
    if (end - x > 90) {
      g.fillStyle = c.faint;
      g.fillText(`unknown: ${gap.reason}`, Math.max(x, FesnetTimeline.LEFT) + 6, top + height / 2, end - x - 10);
    }
  }

  drawLane(g, c, lane) {
    // Times of a flag, such as blinks: plain boxes, which are told from expressions by their colour.
    g.fillStyle = c.faint;
    for (const [start, stop] of lane.spans) {
      const [a, b] = [this.x(start), this.x(stop)];
      if (b >= FesnetTimeline.LEFT && a <= this.width) g.fillRect(a, lane.y + 4, Math.max(b - a, 2), FesnetTimeline.LANE - 8);
    }
  }

  drawMarker(g, c, marker, top) {
    // A stimulus or another stretch of time: a labelled box, and its edges through all lanes.
    const [a, b] = [this.x(marker.start_s), this.x(marker.end_s)];
    if (b < FesnetTimeline.LEFT || a > this.main.clientWidth) return;
    g.fillStyle = c.accent;
    g.globalAlpha = 0.2;
    g.fillRect(a, top, Math.max(b - a, 2), FesnetTimeline.LANE - 4);
    g.globalAlpha = 0.45;
    for (const x of [a, b]) g.fillRect(x - 0.5, top, 1, 1e4);
    g.globalAlpha = 1;
    g.fillStyle = c.ink;
    if (b - a > 24) g.fillText(marker.label, Math.max(a, FesnetTimeline.LEFT) + 4, top + 8, b - Math.max(a, FesnetTimeline.LEFT) - 6);
  }

  drawBar(g, c, given, top, truth = false) {
    const i = this.drag?.copy && this.drag.copy.id === given.id && !truth ? this.drag.copy : given;
    const [a, b] = [this.x(i.onset_s), this.x(i.offset_s)];
    if (b < FesnetTimeline.LEFT || a > this.main.clientWidth) return;
    const inset = i.kind === "micro" ? 4 : 2, w = Math.max(b - a, 3), h = FesnetTimeline.LANE - 2 * inset;
    g.fillStyle = c[i.kind];
    g.globalAlpha = truth ? 0.55 : 1;
    g.beginPath();
    if (w > 8) g.roundRect(a, top + inset, w, h, 3);
    else g.rect(a, top + inset, w, h); // an hour has hundreds, and a plain one is many times cheaper
    g.fill();
    g.globalAlpha = 1;
    if (!truth && w > 8 && i.apex_s !== undefined) {
      g.fillStyle = c[`${i.kind}-text`];
      g.fillRect(this.x(i.apex_s) - 1, top + inset + h - 5, 2, 5); // the apex, a notch
    }
    if (w > 46) {
      g.fillStyle = c[`${i.kind}-text`];
      const { text, place } = this.barText(g, i, Math.max(a, FesnetTimeline.LEFT), b, truth);
      g.fillText(text, place, top + inset + h / 2 + 0.5, w - 8);
    } else if (i.checked) {
      g.fillStyle = c.ink;
      g.fillRect(a, top + inset + h, w, 2);
    }
    if (!truth && i.id === this.selected) {
      g.strokeStyle = c.ink;
      g.lineWidth = 2;
      g.stroke();
    }
  }

  barText(g, i, a, b, truth) {
    // Its kind, and as much of what moved as there is room for before or behind the apex.
    const kind = `${i.checked ? "✓ " : ""}${i.kind}`, first = truth ? undefined : i.moved?.[0];
    const texts = first ? [`${kind}: ${i.moved.join("; ")}`, `${kind}: ${first}`, `${kind}: ${first.split(" (")[0]}`, kind] : [kind];
    const apex = truth || i.apex_s === undefined ? b : Math.min(Math.max(this.x(i.apex_s), a), b);
    const rooms = [[a + 6, apex - a - 10], [apex + 6, b - apex - 10]];
    for (const text of texts) {
      const width = g.measureText(text).width, room = rooms.find(([, free]) => width <= free);
      if (room) return { text, place: room[0] };
    }
    return { text: kind, place: a + 6 };
  }

  drawPosition(g, c, height) {
    const x = this.x(this.time);
    if (x >= FesnetTimeline.LEFT) {
      g.fillStyle = c.now;
      g.fillRect(x - 1, FesnetTimeline.RULER - 4, 2, height);
    }
    if (this.drag?.what === "add" && this.drag.moved) {
      g.fillStyle = c.accent;
      g.globalAlpha = 0.25;
      g.fillRect(Math.min(this.drag.from, this.drag.x), FesnetTimeline.RULER, Math.abs(this.drag.x - this.drag.from), height);
      g.globalAlpha = 1;
    }
  }

  drawOverview(c) {
    const g = this.overview.getContext("2d"), width = this.overview.clientWidth, height = 34;
    const x = (t) => this.overviewX(t);
    if (this.overviewBackground.width === 0) this.drawOverviewBackground(c, x);
    this.copyCanvas(g, this.overview, this.overviewBackground);
    const [a, b] = this.view;
    g.fillStyle = c.accent;
    g.globalAlpha = 0.14;
    g.fillRect(x(a), 0, x(b) - x(a), height);
    g.globalAlpha = 1;
    g.strokeStyle = c.accent;
    g.strokeRect(x(a) + 0.5, 0.5, Math.max(x(b) - x(a) - 1, 2), height - 1);
    g.fillStyle = c.now;
    g.fillRect(x(this.time) - 1, 0, 2, height);
  }

  drawOverviewBackground(c, x) {
    const g = this.clearCanvas(this.overviewBackground, this.overview);
    for (const gap of this.data.gaps) this.hatch(g, c, x(gap.start_s), x(gap.stop_s), 2, 23);
    g.lineWidth = 1.5;
    g.font = "12px system-ui, sans-serif";
    g.textBaseline = "middle";
    g.fillStyle = c.faint;
    g.fillText("whole", 4, 17);
    for (const kind of ["macro", "micro"]) {
      g.fillStyle = g.strokeStyle = c[kind];
      for (const track of this.data.tracks) {
        this.line(g, this.columns(track, kind, 0, this.data.duration, x), (v) => 25 - v * 22);
      }
      for (const i of this.data.intervals.filter((q) => q.kind === kind)) {
        g.fillRect(x(i.onset_s), kind === "macro" ? 26 : 30, Math.max(x(i.offset_s) - x(i.onset_s), 1.5), 3);
      }
    }
  }

  static time(seconds, digits) {
    // Seconds, beyond sixty with the clock: 83.40 s (1:23.4).
    return `${seconds.toFixed(digits)} s${seconds >= 60 ? ` (${FesnetTimeline.clock(seconds, 1)})` : ""}`;
  }

  static clock(seconds, digits) {
    const whole = Math.max(seconds, 0) + 0.5 * 10 ** -digits;
    const h = Math.floor(whole / 3600), m = Math.floor((whole % 3600) / 60);
    const s = (Math.floor((whole % 60) * 10 ** digits) / 10 ** digits).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
    return h ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
  }
}

FesnetTimeline.LEFT = 58; // pixels for the names of rows
FesnetTimeline.RULER = 22;
FesnetTimeline.LANE = 20;
