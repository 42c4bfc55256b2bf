// Two architectures head to head: picks a pair's sentences and numbers, all made beforehand, and shows them.
"use strict";
(() => {
  const data = window.comparisons;
  const get = (id) => document.getElementById(id);
  const duel = get("duel"), pickA = get("pick-a"), pickB = get("pick-b");
  if (!duel || !data || data.names.length < 2) return;
  const BLANK = "–";
  const SVG = "http://www.w3.org/2000/svg";

  function number(value, digits = 3) {
    if (value === null || value === undefined) return BLANK;
    if (value === "inf" || value === Infinity) return "∞";
    if (value === 0) return "0";
    const [mantissa, power] = value.toExponential(digits - 1).split("e");
    if (Number(power) < -4) return `${mantissa}e${Number(power)}`;
    const places = Math.max(digits - 1 - Number(power), 0);
    return Number(value.toPrecision(digits)).toLocaleString("en-US", {
      minimumFractionDigits: places, maximumFractionDigits: places,
    });
  }

  function p(value) {
    if (value === null) return "";
    return value < 0.0001 ? "< 0.0001" : number(value, 2);
  }

  function span(low, high) {
    return low === null || high === null || low === high ? "" : `${number(low)}–${number(high)}`;
  }

  const inverse = (value) => (value === null ? null : value === "inf" ? 0 : value === 0 ? "inf" : 1 / value);

  function turned(line) {
    if (!line) return line;
    const [ratio, low, high, test, flip, wins, better] = line;
    return [inverse(ratio), inverse(high), inverse(low), test, flip, wins === null ? null : 1 - wins, -better];
  }

  function drawn(name, marks) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", name);
    svg.setAttribute("aria-hidden", "true");
    for (const [tag, attributes, text] of marks) {
      const mark = document.createElementNS(SVG, tag);
      for (const [key, value] of Object.entries(attributes)) mark.setAttribute(key, value);
      if (text) mark.textContent = text;
      svg.append(mark);
    }
    return svg;
  }

  function bar(line, reach) {
    const at = (value) => `${50 + 50 * Math.max(-1, Math.min(1, Math.log(value) / Math.log(reach)))}%`;
    const marks = [["line", { class: "one", x1: "50%", x2: "50%", y1: 0, y2: "100%" }]];
    const ratio = line ? line[0] : null;
    if (typeof ratio === "number" && ratio > 0) {
      const [low, high] = [line[1], line[2]].map((end) => at(typeof end === "number" ? end : ratio));
      marks.push(["line", { class: "reach", x1: low, x2: high, y1: "50%", y2: "50%" }]);
      marks.push(["line", { class: "point", x1: at(ratio), x2: at(ratio), y1: 5, y2: 21 }]);
    }
    return drawn("bar", marks);
  }

  function scale(reach) {
    const text = (x, anchor, words) => ["text", { x, y: 12, "text-anchor": anchor }, words];
    const power = Math.round(Math.log10(reach));
    const [low, high] = power > 2 ? [`1e-${power}`, `1e${power}`] : [`1/${reach}`, `${reach}`];
    return drawn("scale", [text("0%", "start", low), text("50%", "middle", "1"), text("100%", "end", high)]);
  }

  function fill(table, rows, reach) {
    table.querySelector(".scale-box").replaceChildren(scale(reach));
    table.tBodies[0].replaceChildren(...rows.map(([label, a, b, line]) => {
      const row = document.createElement("tr");
      if (line && line[6]) row.className = "told";
      const head = document.createElement("th");
      head.scope = "row";
      head.className = "name";
      head.textContent = label;
      const chart = document.createElement("td");
      chart.className = "axis";
      chart.append(bar(line, reach));
      const [ratio, low, high, test, flip, wins] = line || [null, null, null, null, null, null];
      const cell = (text) => {
        const made = document.createElement("td");
        made.textContent = text;
        return made;
      };
      const first = cell(number(a));
      first.className = "first";
      row.append(
        head, cell(line ? number(ratio) : "not compared"), chart, cell(span(low, high)), cell(p(test)),
        cell(p(flip)), cell(wins === null ? "" : `${Math.round(100 * wins)} %`), first, cell(number(b)),
      );
      return row;
    }));
  }

  function show() {
    const names = [pickA.value, pickB.value];
    const [i, j] = names.map((name) => data.names.indexOf(name));
    const pair = data.pairs[`${Math.min(i, j)},${Math.max(i, j)}`];
    const turn = i > j ? turned : (line) => line;
    const [sentences, budgets, tasks, reaches] = pair;
    get("lead").textContent = sentences[0];
    get("rest").textContent = sentences.slice(1).join(" ");
    for (const [id, place] of [["about-a", i], ["about-b", j]]) {
      get(id).textContent = data.names[place];
      get(id).href = data.links[place];
    }
    const [a, b] = [data.means[i], data.means[j]];
    const last = data.budgets.length - 1;
    const overall = ["overall", a[0][last], b[0][last], turn(budgets[last])];
    const single = data.tasks.map((task, n) => [task, a[1][n], b[1][n], turn(tasks[n])]);
    fill(get("by-task"), data.tasks.length > 1 ? [overall, ...single] : single, reaches[1]);
    const rows = data.budgets.map((n, k) => [n.toLocaleString("en-US"), a[0][k], b[0][k], turn(budgets[k])]);
    fill(get("by-budget"), rows, reaches[0]);
  }

  function address() {
    return `#a=${encodeURIComponent(pickA.value)}&b=${encodeURIComponent(pickB.value)}`;
  }

  function picked(other) {
    // A row has no duel with itself: the other side takes the next one.
    if (pickA.value === pickB.value) other.selectedIndex = (other.selectedIndex + 1) % other.options.length;
    history.replaceState(null, "", address());
    show();
  }

  function arrive() {
    const asked = new URLSearchParams(location.hash.slice(1).replace(/\+/g, "%2B"));
    for (const [pick, name] of [[pickA, asked.get("a")], [pickB, asked.get("b")]]) {
      if (data.names.includes(name)) pick.value = name;
    }
    if (pickA.value === pickB.value) pickB.selectedIndex = pickA.selectedIndex ? 0 : 1;
    show();
    if (asked.get("a")) duel.scrollIntoView({ block: "start" });
  }

  pickA.addEventListener("change", () => picked(pickB));
  pickB.addEventListener("change", () => picked(pickA));
  get("swap").addEventListener("click", () => {
    [pickA.value, pickB.value] = [pickB.value, pickA.value];
    picked(pickB);
  });
  addEventListener("hashchange", arrive);
  duel.hidden = false;
  arrive();
})();
