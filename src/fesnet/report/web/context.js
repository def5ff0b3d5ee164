"use strict";
/* What moved and what else happened: badges, filters that hide expressions, lanes in the timeline.

   const c = new FesnetContext(element, {onChange()});
   c.setData({flags: [{name, text, short, meaning, spans: [{face, spans: [[start_s, stop_s], ...]}]}], intervals: [{id, flags, moved}]});
   c.hides(interval)   whether a filter hides it
   c.lanes()           [{face, name, spans}] of the flags to draw, for FesnetTimeline.setData

   A filter hides on the page alone: files and figures hold all. Without flags the element stays empty. */

class FesnetContext {
  constructor(element, options = {}) {
    this.element = element;
    this.options = options;
    this.flags = [];
    this.intervals = [];
    this.hidden = new Set(); // names of flags whose expressions are hidden
    this.shown = new Set(); // names of flags that have a lane
    element.classList.add("fc");
    element.addEventListener("change", (event) => this.change(event.target));
  }

  setData({ flags, intervals }) {
    const same = JSON.stringify(flags.map((f) => f.name)) === JSON.stringify(this.flags.map((f) => f.name));
    [this.flags, this.intervals] = [flags, intervals];
    if (!same) this.build();
    this.count();
  }

  build() {
    const names = new Set(this.flags.map((f) => f.name));
    for (const chosen of [this.hidden, this.shown]) for (const name of [...chosen]) if (!names.has(name)) chosen.delete(name);
    if (!this.flags.length) return this.element.replaceChildren();
    const box = FesnetContext.make("fieldset"), legend = FesnetContext.make("legend", "What else happened");
    const rows = this.flags.map((flag) => {
      const row = FesnetContext.make("div", "", "fc-row"), badge = FesnetContext.make("span", flag.text, "badge");
      badge.title = flag.meaning;
      row.append(badge, this.box(flag, "shown", "show lane"), this.box(flag, "hidden", "hide expressions"));
      return row;
    });
    this.told = FesnetContext.make("output", "", "fc-told");
    box.append(legend, ...rows, this.told);
    this.element.replaceChildren(box);
    return undefined;
  }

  box(flag, what, text) {
    const label = FesnetContext.make("label"), input = FesnetContext.make("input");
    Object.assign(input, { type: "checkbox", checked: this[what].has(flag.name) });
    Object.assign(input.dataset, { flag: flag.name, what });
    input.setAttribute("aria-label", `${text}: ${flag.text}`);
    label.append(input, ` ${text}`, FesnetContext.make("span", "", "fc-count"));
    return label;
  }

  change(input) {
    const chosen = this[input.dataset.what];
    if (!chosen) return;
    if (input.checked) chosen.add(input.dataset.flag);
    else chosen.delete(input.dataset.flag);
    this.count();
    this.options.onChange?.();
  }

  count() {
    if (!this.flags.length) return;
    for (const input of this.element.querySelectorAll('input[data-what="hidden"]')) {
      const number = this.intervals.filter((i) => (i.flags ?? []).includes(input.dataset.flag)).length;
      input.parentElement.querySelector(".fc-count").textContent = ` (${number})`;
    }
    const gone = this.intervals.filter((i) => this.hides(i)).length;
    this.told.textContent = gone ? `${gone} of ${this.intervals.length} expressions hidden on this page; files hold all.` : "";
  }

  hides(interval) {
    return (interval.flags ?? []).some((name) => this.hidden.has(name));
  }

  lanes() {
    const drawn = this.flags.filter((flag) => this.shown.has(flag.name));
    return drawn.flatMap((flag) => flag.spans.map(({ face, spans }) => ({ face, name: flag.short, spans })));
  }

  badges(interval, most = Infinity) {
    // Elements: the strongest motions as texts, each flag as a badge; an empty list where nothing is known.
    const named = new Map(this.flags.map((flag) => [flag.name, flag]));
    const moved = interval.moved ?? [], left = moved.length - most;
    const texts = left > 0 ? [...moved.slice(0, most), `and ${left} more`] : moved;
    const motions = texts.map((text) => FesnetContext.make("span", text, "motion"));
    const flags = (interval.flags ?? []).filter((name) => named.has(name)).map((name) => {
      const badge = FesnetContext.make("span", named.get(name).text, "badge");
      badge.title = named.get(name).meaning;
      return badge;
    });
    return [...motions, ...flags];
  }

  static make(tag, text = "", name = "") {
    const out = document.createElement(tag);
    out.textContent = text;
    if (name) out.className = name;
    return out;
  }
}
