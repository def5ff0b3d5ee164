// The page: one video at a time, its state as the server sent it, and edits that the server has to confirm.

/* global FesnetTimeline, FesnetContext: plain scripts, as pages without a server need them */
import { FrameClock } from "./clock.js";
import { EditLine } from "./edits.js";
import { wireKeys } from "./keys.js";
import { nextOpen, showVideos, wireLibrary } from "./library.js";
import { showAgreement, showHistory, showSliders, showVersions, tell, wireExport, wireSliders, wireUpload } from "./panels.js";
import { Loop, offerCopy, setSpeed, showIfPlayable, showSeekBar, toggleFull, toggleSound, wireSeekBar } from "./player.js";
import { isSettled, showRaterChoices, showRaters, takeEdits, wireRaters } from "./raters.js";
import { at, below, json, newestOnly, readVideo } from "./server.js";
import { SPEEDS, shortcuts } from "./shortcuts.js";
import { markRow, showChosen, showRows, wireForm } from "./table.js";
import { FaceZoom, Thumbnails } from "./zoom.js";

const $ = (id) => document.getElementById(id);
const video = $("video");
const NEW_S = { macro: 1, micro: 0.3 }; // length of an expression added by a key, s

let view = null; // state of the chosen video, as the server sent it
let tracks = [];
let chosenId = null;
let seenStamp = null; // of the review file, when the list was last asked for
let preview = null; // proposals while a slider moves
let timeline;
let blind = ""; // name of a rater who sees nothing of the machine
let videoList = [];
const clock = new FrameClock(video, () => view && showTime(), () => loop.check());
const loop = new Loop(video, (frame) => clock.seekFrame(frame));
const zoom = new FaceZoom(video, () => chosen()?.face ?? tracks[0]?.face ?? 0, () => thumbnails.show(chosen()));
const thumbnails = new Thumbnails(zoom, (seconds) => clock.middleOf(clock.frameAt(seconds)));
let context; // what else happened: filters and lanes

// --- what there is to see ---

const machineOnly = () => document.querySelector('input[name="version"]:checked').value === "machine";
const everyInterval = () => (machineOnly() ? view.machine.map((i, n) => ({ ...i, id: `machine-${n}`, checked: false, by: "machine", note: "" })) : (preview ?? view.intervals));
const intervals = () => everyInterval().filter((i) => !context.hides(i)); // filters hide on the page alone
const chosen = () => intervals().find((i) => i.id === chosenId) ?? null;

// A score is the machine's, for the edges and kind that it found.
const asMachine = ({ by, machine, kind, onset_frame, offset_frame }) =>
  by === "machine" || (machine && machine[0] === kind && machine[1] === onset_frame && machine[2] === offset_frame);

function draw() {
  const rules = view.rules;
  context.setData({ flags: view.flags, intervals: everyInterval() });
  timeline.setData({
    duration: view.duration,
    tracks,
    intervals: intervals().map((i) => ({ ...i, score: asMachine(i) ? i.score : null })), // its own: it moves edges before the server has agreed
    lanes: context.lanes(),
    candidates: machineOnly() || preview ? [] : view.candidates,
    compared: view.compared,
    score_name: view.score_name,
    gaps: view.gaps,
    thresholds: { macro: preview ? $("macro_threshold").valueAsNumber : rules.macro_threshold, micro: preview ? $("micro_threshold").valueAsNumber : rules.micro_threshold },
  });
  timeline.setTime(clock.time);
  if (!chosen()) chosenId = null;
  timeline.select(chosenId);
  showRows(intervals(), (id) => choose(id, true), (i) => context.badges(i, 2));
  markRow(chosenId);
  showOne();
}

function showOne() {
  const one = chosen();
  showChosen(one, !machineOnly());
  $("chosencontext").replaceChildren(...(one ? context.badges(one) : []));
  thumbnails.show(one);
}

function render() {
  draw();
  showSliders(view);
  $("legend").innerHTML = view.legend; // constant texts of the server's own
  $("scorehead").textContent = view.score_name === "probability" ? "prob." : view.score_name;
  $("scorehead").title = view.score_name;
  showHistory(view.history);
  showVersions(view);
  $("undo").disabled = !view.undo;
  $("redo").disabled = !view.redo;
  $("undo").title = view.undo ? `Undo: ${view.undo} (Ctrl+Z)` : "nothing to undo";
  $("redo").title = view.redo ? `Redo: ${view.redo} (Ctrl+Shift+Z)` : "nothing to redo";
  $("warnings").replaceChildren(...view.warnings.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  $("done").setAttribute("aria-pressed", String(view.done));
  showRaterChoices(view);
  agreeSoon();
}

let agreeTimer;
function agreeSoon() {
  clearTimeout(agreeTimer);
  if (blind) return;
  agreeTimer = setTimeout(() => { showAgreement(view, () => view); showRaters(view, RATERS); }, 600);
}

// --- which video ---

let wanted = null; // the video that was asked for last; answers about others come too late

async function open(name) {
  wanted = name;
  if (edits.waiting) await edits.last;
  try {
    const before = view;
    const { answer, times, read } = await readVideo(name);
    if (wanted !== name) return;
    const edited = view !== before && view.key === answer.key; // while it was read
    [view, tracks, chosenId, preview, seenStamp] = [edited ? view : answer, read, null, null, null];
    clock.load(times, answer.working_rate);
  } catch (error) {
    tell(error.message);
    return;
  }
  location.hash = encodeURIComponent(name);
  document.title = `${view.name} · fesnet review`;
  $("title").textContent = view.name;
  $("welcome").hidden = true;
  $("workplace").hidden = $("side").hidden = false;
  play();
  zoom.open(name);
  render();
  timeline.fit();
  showTime();
  refresh();
}

// `again`: another address for the same, as browsers keep what they could not play.
function play(again = "") {
  const key = view.key;
  thumbnails.source("");
  showIfPlayable(video, key, () => {
    if (view.key !== key) return;
    video.hidden = false;
    video.src = below(`/media/${encodeURIComponent(key)}${again}`);
    video.playbackRate = Number($("speed").value);
    thumbnails.source(video.src);
    thumbnails.show(chosen());
  }, refresh);
}

// The format is known, and still it is not shown: a damaged file, or a codec that this browser lacks.
video.addEventListener("error", () => {
  if (view && video.getAttribute("src")) offerCopy(video, view.key, "This browser cannot play the format of this video. Everything else works. ", refresh);
});

let tried = null;

async function refresh() {
  try {
    const videos = await json("/api/videos");
    videoList = videos;
    showVideos(videos, view?.key, open);
    zoom.follow(videos.find((v) => v.key === view?.key));
    await follow(videos);
  } catch (error) {
    if (!$("errors").textContent.includes(error.message)) tell(error.message);
  }
}

// Take over what happened elsewhere: in another window, or in the background.
async function follow(videos) {
  const named = decodeURIComponent(location.hash.slice(1));
  if (!view) {
    const first = videos.find((v) => v.key === named && v.result) ?? (named ? null : nextOpen(videos) ?? videos.find((v) => v.result));
    if (first) await open(first.key);
    return;
  }
  const now = videos.find((v) => v.key === view.key);
  if (now?.copy && !$("novideo").hidden && tried !== view.key) {
    tried = view.key; // once: the copy is there now, and should play
    play("?copy");
  }
  if (now && now.stamp !== seenStamp && !edits.waiting) {
    const first = seenStamp === null;
    seenStamp = now.stamp;
    if (first) return;
    const before = view;
    const answer = await json(at(view.key));
    // An edit of this window that was saved meanwhile is newer than the answer.
    if (view === before && answer.revision !== view.revision && !edits.waiting) {
      view = answer;
      render();
    }
  }
}

// --- time ---

video.addEventListener("play", () => { $("play").textContent = "Pause"; });
video.addEventListener("pause", () => { $("play").textContent = "Play"; });

function showTime() {
  $("clock").textContent = `${FesnetTimeline.time(clock.time, 3)} · frame ${clock.frame}`;
  timeline.setTime(clock.time);
  showSeekBar(clock.time, view.duration, $("clock").textContent);
  zoom.draw();
}

function toggle() {
  if (!video.paused) video.pause();
  else video.play().catch(() => {});
}

const playSpan = ({ onset_s, offset_s }, again) =>
  loop.start(clock.frameAt(onset_s), clock.frames[clock.frameAt(offset_s) + 1] ?? Infinity, again);

function playChosen() {
  if (chosen()) playSpan(chosen(), false);
}

function toggleLoop() {
  if (loop.again) loop.end();
  else if (chosen()) playSpan(chosen(), true);
  else tell("Choose an expression first (n or p, or click one).");
}

// --- choosing and editing ---

function choose(id, andSeek) {
  chosenId = id;
  timeline.select(id);
  markRow(id);
  showOne();
  const one = chosen();
  if (one && andSeek) {
    video.pause();
    clock.seek(one.onset_s);
  }
}

function step(direction) {
  const all = intervals();
  if (!all.length) return;
  const now = all.findIndex((i) => i.id === chosenId);
  let next = now + direction;
  if (now < 0) {
    const later = all.findIndex((i) => i.onset_s > clock.time + 1e-6);
    next = direction > 0 ? (later < 0 ? all.length - 1 : later) : (later < 0 ? all.length : later) - 1;
  }
  choose(all[Math.min(Math.max(next, 0), all.length - 1)].id, true);
}

const edits = new EditLine({
  current: () => view,
  take: (state, added) => { [view, preview, chosenId] = [state, null, added ?? chosenId]; },
  ended: () => render(),
});
const edit = (fields) => edits.send(fields);

// An edit of the chosen expression; the machine's own version is not to be changed.
function editChosen(fields) {
  const one = chosen();
  if (!one) return tell("Choose an expression first (n or p, or click one).");
  if (machineOnly()) return tell("This is the machine’s version, only to look at. Choose “the corrected version” above the timeline to edit.");
  return edit({ id: one.id, ...fields });
}

function moveEdge(which) {
  const one = chosen();
  if (!one) return editChosen({});
  const times = { onset_s: one.onset_s, apex_s: one.apex_s, offset_s: one.offset_s, [`${which}_s`]: clock.time };
  if (times.onset_s > times.offset_s) return tell(`Not moved: the onset would come after the offset (${which} at ${clock.time.toFixed(3)} s).`);
  return editChosen({ what: "edge", ...times });
}

function add(kind, onset_s = clock.time, offset_s = Math.min(clock.time + NEW_S[kind], clock.frames.at(-1))) {
  if (machineOnly()) return editChosen({});
  const face = chosen()?.face ?? tracks[0]?.face ?? 0;
  return edit({ what: "add", kind, face, onset_s, offset_s });
}

// What lies under half a second is a micro-expression by the field's usual rule; the kind can be changed.
const addSpan = (onset_s, offset_s) => add(offset_s - onset_s <= 0.5 ? "micro" : "macro", onset_s, offset_s);

const setDone = () => edit({ what: "done", done: !view.done });

function openNext() {
  const next = nextOpen(videoList, view?.key);
  if (next) open(next.key);
  else tell("Every video is reviewed.");
}

// What the panel of two raters can do.
const RATERS = {
  settled: (moment) => isSettled(view.intervals, moment),
  see: (span) => { video.pause(); chosenId = null; timeline.select(null); playSpan(span, true); },
  take: async (span, side) => {
    for (const fields of takeEdits(view.intervals, span, side)) if (!(await edit(fields))) return;
    showRaters(view, RATERS, true);
  },
};

function undo(what) {
  if (view && view[what]) edit({ what });
}

const showPreview = newestOnly(async (values) => {
  const rules = Object.entries(values).map(([name, value]) => `${name}=${value}`).join(",");
  const before = view;
  const found = await json(`${at(view.key, "/preview")}?rules=${encodeURIComponent(rules)}`);
  if (view !== before) return; // of another video, or of before an edit
  preview = found;
  if (!edits.waiting) draw();
}, (error) => tell(error.message));

// --- beginning ---

function wire(about) {
  timeline = new FesnetTimeline($("timeline"), {
    editable: true,
    onSeek: (s) => { video.pause(); clock.seek(s); },
    onSelect: (id) => { video.pause(); choose(id, false); },
    onEdit: (id, times) => (machineOnly() ? (draw(), editChosen({})) : edit({ id, what: "edge", ...times })),
    onAdd: (onset, offset) => (machineOnly() ? editChosen({}) : addSpan(onset, offset)),
  });
  context = new FesnetContext($("context"), { onChange: () => view && draw() });
  const click = (id, does) => $(id).addEventListener("click", does);
  click("play", toggle);
  click("back", () => { video.pause(); clock.seekFrame(clock.frame - 1); });
  click("forward", () => { video.pause(); clock.seekFrame(clock.frame + 1); });
  click("loop", playChosen);
  click("repeat", toggleLoop);
  click("sound", () => toggleSound(video));
  click("full", toggleFull);
  click("zoomface", () => zoom.toggle());
  click("done", setDone);
  click("nextvideo", openNext);
  wireSeekBar((s) => { video.pause(); clock.seek(s); });
  wireLibrary(refresh);
  wireRaters(() => view, RATERS);
  blind = about.rater;
  document.body.classList.toggle("blind", Boolean(blind));
  click("undo", () => undo("undo"));
  click("redo", () => undo("redo"));
  click("addmacro", () => add("macro"));
  click("addmicro", () => add("micro"));
  click("resetrules", () => edit({ what: "rules", rules: numbersOf(view.machine_rules) }));
  $("speed").addEventListener("change", () => setSpeed(video, $("speed").value));
  for (const radio of document.querySelectorAll('input[name="version"]')) radio.addEventListener("change", () => { preview = null; draw(); });
  for (const id of ["truth", "compared"]) $(id).addEventListener("change", agreeSoon);
  $("agreementbox").addEventListener("toggle", agreeSoon);
  $("who").value = blind || localStorage.getItem("fesnet-who") || about.who;
  $("who").readOnly = Boolean(blind);
  $("who").addEventListener("change", () => localStorage.setItem("fesnet-who", $("who").value.trim()));
  $("folder").textContent = `${blind ? `blind review of ${blind}, ` : ""}results in ${about.folder}`;
  wireForm(chosen, editChosen);
  wireSliders(showPreview, (rules) => { showPreview.forget(); edit({ what: "rules", rules }); });
  wireExport(about.formats, () => view.key);
  wireUpload(about.limit, refresh);
  wireKeys(shortcuts(ACTIONS).map(([written, says, meant, does]) => [written, says, meant, (event) => view && does(event)]));
  addEventListener("hashchange", () => { const name = decodeURIComponent(location.hash.slice(1)); if (name && name !== wanted) open(name); });
}

const numbersOf = (rules) => Object.fromEntries(Object.entries(rules).filter(([name]) => /threshold|release/.test(name)));

// What keys do, by the names in shortcuts.js.
const ACTIONS = {
  toggle, step, playChosen, toggleLoop, moveEdge, add, setDone, openNext, undo, editChosen, toggleFull,
  frameStep: (event, direction) => {
    video.pause();
    if (event.shiftKey) clock.seek(Math.max(0, clock.time + direction));
    else clock.seekFrame(clock.frame + direction);
  },
  speed: (value) => setSpeed(video, value),
  slower: () => setSpeed(video, SPEEDS[(SPEEDS.indexOf($("speed").value) + 1) % SPEEDS.length]),
  zoomFace: () => zoom.toggle(),
  sound: () => toggleSound(video),
  check: () => editChosen({ what: "check", checked: !chosen()?.checked }),
  zoom: (factor) => timeline.zoom(factor),
  fit: () => timeline.fit(),
  escape: () => { timeline.cancel(); choose(null, false); },
};

history.replaceState(null, "", below("/") + location.hash); // the token leaves the address
json("/api/about").then(async (about) => {
  wire(about);
  for (;;) {
    await refresh();
    await new Promise((done) => setTimeout(done, document.hidden ? 5000 : 1000));
  }
}).catch((error) => tell(error.message));
