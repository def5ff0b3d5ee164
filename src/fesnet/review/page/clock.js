// The time of the page: always that of a frame of the video, which the player is led to.

export class FrameClock {
  // `shown` is called after each change of the time, `passes` with every picture that goes by.
  constructor(video, shown, passes) {
    Object.assign(this, { video, shown, passes, frames: new Float64Array(), step: 1 / 30, time: 0 });
    const tick = () => {
      if (video.paused) return;
      this.follow();
      requestAnimationFrame(tick);
    };
    video.addEventListener("play", () => requestAnimationFrame(tick));
    video.addEventListener("loadedmetadata", () => this.seekFrame(this.frame));
  }

  // frames: their times, s; rate: frames a second, for the length of the last one.
  load(frames, rate) {
    Object.assign(this, { frames, step: 1 / rate, time: 0 });
  }

  get frame() {
    return this.frameAt(this.time);
  }

  // The number of the frame that is shown at a time, from 0.
  frameAt(seconds) {
    let [low, high] = [0, this.frames.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.frames[middle] <= seconds + 1e-6) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // Into the middle of a frame, so that rounding cannot show its neighbour.
  middleOf(k) {
    const next = this.frames[k + 1] ?? this.frames[k] + this.step;
    return Math.min((this.frames[k] + next) / 2, this.video.duration || Infinity);
  }

  seekFrame(frame) {
    const k = Math.min(Math.max(frame, 0), this.frames.length - 1);
    this.time = this.frames[k];
    if (this.video.readyState > 0) this.video.currentTime = this.middleOf(k);
    this.shown();
  }

  seek(seconds) {
    this.seekFrame(this.frameAt(seconds));
  }

  // Take over where the player is.
  follow() {
    if (!this.frames.length) return;
    if (!this.video.paused || this.video.seeking) {
      this.time = this.frames[this.frameAt(this.video.currentTime)] ?? 0;
      this.shown();
    }
    this.passes();
  }
}
