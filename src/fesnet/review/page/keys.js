// Keyboard shortcuts: one table for what they do and for what the page says of them.

const $ = (id) => document.getElementById(id);
const TEXT = new Set(["text", "number", "search", ""]);

// [how it is written, what it says, when it is meant, what it does]
export function wireKeys(table) {
  $("keys").replaceChildren(...table.map(([written, says]) => {
    const term = document.createElement("dt");
    term.append(...written.split(" ").map((part) => Object.assign(document.createElement("kbd"), { textContent: part })));
    const what = document.createElement("dd");
    what.textContent = says;
    const both = document.createElement("div");
    both.append(term, what);
    return both;
  }));
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || !mine(event)) return;
    const found = table.find(([, , meant]) => meant(event));
    if (!found) return;
    event.preventDefault();
    event.stopPropagation(); // the timeline has keys of its own, which mean other steps
    found[3](event);
  }, true);
}

// Whether a key is for the page, rather than for the field or button that has the focus.
function mine(event) {
  const on = event.target;
  if (on.matches?.("textarea, select, [contenteditable]")) return false;
  if (on.matches?.("input")) {
    if (TEXT.has(on.getAttribute("type") ?? "")) return false;
    if (on.type === "range" && event.key.startsWith("Arrow")) return false;
  }
  return !([" ", "Enter"].includes(event.key) && on.matches?.("button, summary, a, input, label"));
}

const plain = (event) => !event.ctrlKey && !event.metaKey && !event.altKey;
export const key = (...names) => (event) => plain(event) && names.includes(event.key);
export const control = (name, shift) => (event) =>
  (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === name && event.shiftKey === shift;
