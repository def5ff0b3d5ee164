// The keys of the page: how each is written, what it says, when it is meant, and what it does.

import { control, key } from "./keys.js";

export const SPEEDS = ["1", "0.5", "0.25", "0.1"];
const SPEED_KEYS = { 1: "1", 2: "0.5", 4: "0.25" };

// does: the actions of the page by their names.
export const shortcuts = (does) => [
  ["Space", "play, pause", key(" "), does.toggle],
  ["←", "one frame back (with Shift one second)", key("ArrowLeft"), (event) => does.frameStep(event, -1)],
  ["→", "one frame on (with Shift one second)", key("ArrowRight"), (event) => does.frameStep(event, 1)],
  ["n", "next expression", key("n"), () => does.step(1)],
  ["p", "previous expression", key("p"), () => does.step(-1)],
  ["l", "play the chosen expression", key("l"), does.playChosen],
  ["r", "loop the chosen expression, or stop", key("r"), does.toggleLoop],
  ["1 2 4", "speed 1, ½, ¼", key("1", "2", "4"), (event) => does.speed(SPEED_KEYS[event.key])],
  ["s", "the next slower speed", key("s"), does.slower],
  ["z", "the face, held still, beside the video", key("z"), does.zoomFace],
  ["v", "sound on, off", key("v"), does.sound],
  ["f", "full screen", key("f"), does.toggleFull],
  ["i", "onset here", key("i"), () => does.moveEdge("onset")],
  ["a", "apex here", key("a"), () => does.moveEdge("apex")],
  ["o", "offset here", key("o"), () => does.moveEdge("offset")],
  ["m", "is a macro-expression", key("m"), () => does.editChosen({ what: "kind", kind: "macro" })],
  ["u", "is a micro-expression", key("u"), () => does.editChosen({ what: "kind", kind: "micro" })],
  ["c", "checked, or not", key("c"), does.check],
  ["Shift M", "add a macro-expression here", key("M"), () => does.add("macro")],
  ["Shift U", "add a micro-expression here", key("U"), () => does.add("micro")],
  ["Delete", "delete the chosen expression", key("Delete", "Backspace"), () => does.editChosen({ what: "delete" })],
  ["d", "the whole video is reviewed, or not", key("d"), does.setDone],
  ["Shift N", "the next video that is not reviewed", key("N"), does.openNext],
  ["Ctrl Z", "undo", control("z", false), () => does.undo("undo")],
  ["Ctrl Shift Z", "redo (or Ctrl Y)", (e) => control("z", true)(e) || control("y", false)(e), () => does.undo("redo")],
  ["+ -", "zoom in, out", key("+", "=", "-"), (event) => does.zoom(event.key === "-" ? 0.5 : 2)],
  ["0", "the whole video", key("0"), does.fit],
  ["Esc", "choose nothing", key("Escape"), does.escape],
];
