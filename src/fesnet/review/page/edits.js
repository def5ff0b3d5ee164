// Edits go to the server one after another; what is shown is what it has saved.

import { clearErrors, tell } from "./panels.js";
import { at, json, post } from "./server.js";

const $ = (id) => document.getElementById(id);

function saved(text, name) {
  $("saved").textContent = text;
  $("saved").className = name;
}

export class EditLine {
  // current: the state that is shown; take: shows another one, with the id of what was added or null; ended: after each edit.
  constructor({ current, take, ended }) {
    Object.assign(this, { current, take, ended, waiting: 0, last: Promise.resolve() });
    addEventListener("beforeunload", (event) => { if (this.waiting) event.preventDefault(); });
  }

  // Send an edit of the video that is shown. Returns whether it is saved.
  send(fields) {
    const about = this.current().key;
    this.waiting += 1;
    saved("saving …", "busy");
    const sent = this.last.then(() => (this.current().key === about ? this.ask(about, fields) : false))
      .finally(() => { this.waiting -= 1; this.ended(); });
    this.last = sent.catch(() => {});
    return sent;
  }

  // Another video may have come meanwhile: it stays.
  show(about, state, added) {
    if (this.current().key === about) this.take(state, added);
  }

  async ask(about, fields) {
    const before = this.current();
    try {
      const known = new Set(before.intervals.map((i) => i.id));
      const now = await post(at(about, "/edits"), { revision: before.revision, who: $("who").value, ...fields });
      const fresh = fields.what === "add" ? now.intervals.find((i) => !known.has(i.id)) : null;
      this.show(about, now, fresh?.id ?? null);
      if (this.waiting === 1) saved(`saved ${new Date().toLocaleTimeString("en-GB")}`, "good");
      clearErrors();
      return true;
    } catch (error) {
      const now = error.status === 409 ? await json(at(about)).catch(() => before) : before;
      this.show(about, now, null);
      saved("not saved", "bad");
      tell(`Not saved: ${error.message}`);
      return false;
    }
  }
}
