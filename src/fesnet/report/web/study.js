// Sort and search the table of videos. Rows are moved, never made: 100s of them stay smooth.
"use strict";
const table = document.getElementById("videos");
const body = table.tBodies[0];
const heads = [...table.tHead.rows[0].cells];
const rows = [...body.rows];
const shown = document.getElementById("shown");
const words = rows.map((row) => row.textContent.toLowerCase());
const order = new Intl.Collator(undefined, { numeric: true });

function keyOf(row, column) {
  const cell = row.cells[column];
  return cell.classList.contains("n") ? Number(cell.dataset.v ?? cell.textContent) : cell.textContent;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return order.compare(String(a), String(b));
}

function isEmpty(row, column) {
  return row.cells[column].textContent.trim() === "";
}

function sortBy(column) {
  const down = heads[column].getAttribute("aria-sort") === "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
  const sorted = [...rows].sort((a, b) => {
    const [x, y] = [isEmpty(a, column), isEmpty(b, column)];
    if (x || y) return Number(x) - Number(y);
    return (down ? -1 : 1) * compare(keyOf(a, column), keyOf(b, column));
  });
  body.append(...sorted);
}

function search(text) {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  rows.forEach((row, n) => {
    const hit = wanted.every((word) => words[n].includes(word));
    row.hidden = !hit;
    count += hit;
  });
  shown.textContent = `${count} of ${rows.length} videos`;
}

heads.forEach((head, column) => {
  head.querySelector("button")?.addEventListener("click", () => sortBy(column));
});
document.getElementById("search").addEventListener("input", (event) => search(event.target.value));
search("");
