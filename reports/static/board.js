// The leaderboard table: sorted by any column, filtered, and ranked again by another measure or budget.
// All texts are made in Python; data/board.js holds them as window.posteriorBoard.
"use strict";
(() => {
  const table = document.getElementById("board");
  const board = window.posteriorBoard;
  if (!table || !board) return;
  const byId = (id) => document.getElementById(id);
  const measure = byId("board-measure");
  const budget = byId("board-budget");
  const filter = byId("board-filter");
  const status = byId("board-status");
  const headings = [...table.querySelectorAll("thead th[data-column]")];
  const columns = headings.map((heading) => heading.dataset.column);
  const rows = new Map([...table.querySelectorAll("tbody tr[data-name]")].map((row) => [row.dataset.name, row]));
  let sorted = { column: "rank", descending: false };

  function text(cell, value, small) {
    cell.textContent = value;
    if (!small) return;
    const below = document.createElement("small");
    below.textContent = small;
    cell.append(below);
  }

  // A cell's fields: text, small text, title, class names.
  function fill(cell, [value = "", small = "", title = "", names = ""]) {
    text(cell, value, small);
    cell.className = names;
    cell.title = title;
    if (!title) cell.removeAttribute("title");
  }

  function draw(cell, bar) {
    const [reach, point] = cell.querySelectorAll(".reach, .point");
    for (const line of [reach, point]) line.setAttribute("visibility", bar ? "visible" : "hidden");
    if (!bar) return;
    reach.setAttribute("x1", `${bar[0]}%`);
    reach.setAttribute("x2", `${bar[2]}%`);
    point.setAttribute("x1", `${bar[1]}%`);
    point.setAttribute("x2", `${bar[1]}%`);
  }

  function axis(ticks) {
    for (const grid of table.querySelectorAll(".bar")) {
      grid.querySelectorAll(".grid").forEach((line) => line.remove());
      for (const [place] of ticks) {
        const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
        const places = { class: "grid", x1: `${place}%`, x2: `${place}%`, y1: "0", y2: "100%" };
        for (const [name, value] of Object.entries(places)) line.setAttribute(name, value);
        grid.prepend(line);
      }
    }
    const ends = table.querySelectorAll(".scale text");
    ends[0].textContent = ticks[0][1];
    ends[1].textContent = ticks[ticks.length - 1][1];
  }

  function show() {
    const shown = board.measures[measure.value];
    axis(shown.ticks);
    shown.budgets[budget.value].forEach(([name, cells, bar], place) => {
      const row = rows.get(name);
      row.dataset.place = place;
      columns.forEach((column, index) => {
        const cell = row.cells[index];
        if (column === "bar") draw(cell, bar);
        else if (column !== "name") fill(cell, cells[index]);
      });
    });
    byId("board-at").textContent = board.at[budget.value];
    byId("board-value").textContent = shown.title;
    byId("board-unit").textContent = shown.unit;
    order();
  }

  // What a cell sorts by: the first number in its text; texts without one come last.
  function key(row, index) {
    const value = row.cells[index].firstChild ? row.cells[index].firstChild.textContent.trim() : "";
    if (columns[index] === "name") return row.dataset.name.toLowerCase();
    if (value.startsWith("∞")) return Number.MAX_VALUE;
    if (/(failed|skipped)$/.test(value)) return NaN;
    const number = value.replace(/,/g, "").match(/-?\d+(\.\d+)?(e-?\d+)?/);
    return number ? Number(number[0]) + (value.startsWith(">") ? 1e-9 * Number(number[0]) : 0) : NaN;
  }

  function compare(one, other) {
    if (typeof one === "string") return one < other ? -1 : Number(one > other);
    if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
    return one - other;
  }

  function order() {
    const index = columns.indexOf(sorted.column);
    for (const body of table.tBodies) {
      const members = [...body.querySelectorAll("tr[data-name]")].map((row) => ({
        row,
        place: Number(row.dataset.place),
        key: sorted.column === "rank" ? Number(row.dataset.place) : key(row, index),
      }));
      members.sort((one, other) => {
        const blank = Number.isNaN(one.key) || Number.isNaN(other.key);
        const found = compare(one.key, other.key) * (sorted.descending && !blank ? -1 : 1);
        return found || one.place - other.place;
      });
      body.append(...members.map((member) => member.row));
    }
    for (const heading of headings) {
      const here = heading.dataset.column === sorted.column;
      if (here) heading.setAttribute("aria-sort", sorted.descending ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
  }

  function sift() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows.values()) {
      const name = row.dataset.name.toLowerCase();
      row.hidden = !words.every((word) => name.includes(word));
      count += !row.hidden;
    }
    return count;
  }

  function say() {
    const count = sift();
    const measured = measure.selectedOptions[0].textContent;
    const of = count < rows.size ? `${count} of ${rows.size} rows. ` : "";
    status.textContent = `${of}Ranked by ${measured.toLowerCase()} ${board.at[budget.value]}.`;
  }

  for (const heading of headings) {
    const button = heading.querySelector("button");
    if (!button) continue;
    button.disabled = false;
    button.addEventListener("click", () => {
      const column = heading.dataset.column;
      sorted = { column, descending: sorted.column === column && !sorted.descending };
      order();
    });
  }
  for (const select of [measure, budget]) select.addEventListener("change", () => { show(); say(); });
  filter.addEventListener("input", say);

  // Where the table fits, its head sticks to the window; else the table scrolls in a box of its own.
  const box = table.parentElement;
  const fit = () => box.classList.toggle("fits", table.offsetWidth <= box.clientWidth + 1);
  window.addEventListener("resize", fit);
  fit();
  byId("board-controls").hidden = false;
  rows.forEach((row) => { row.dataset.place = row.rowIndex; });
  if (measure.value !== board.measure || budget.value !== board.budget) { show(); say(); } // restored by "back"
})();
