// The posterior explorer of a task's page: exact posterior against a row's outputs at any budget.
"use strict";
(() => {
  const box = document.getElementById("explorer");
  const data = window.explorerData;
  if (!box || !data || !window.DecompressionStream) return;
  const get = (id) => document.getElementById(id);
  const [rows, slider, status] = ["architecture", "budget", "status"].map((name) => get(`explorer-${name}`));
  const [classes, errors, readout, csv] = ["class", "error", "readout", "csv"].map((name) => get(`explorer-${name}`));
  const line = data.kind === "line";
  const SCALE = 10000;
  const BLANK = "\u2013";
  let numbers; // of 16 bits
  const places = new Map(); // "row,budget": [where its numbers begin, seeds]
  let now = null; // what is drawn

  // Numbers

  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const split = new Uint8Array(await new Response(stream).arrayBuffer());
    const count = split.length / 2;
    const found = new Int16Array(count);
    for (let place = 0; place < count; place += 1) found[place] = split[place] | (split[count + place] << 8);
    return found;
  }

  function index() {
    let at = data.exact.length * data.points;
    for (const [row, budget, seeds] of data.cells) {
      places.set(`${row},${budget}`, [at, seeds]);
      at += (data.rows.length + seeds * data.shown.length) * data.points;
    }
  }

  const part = (from, place) => numbers.subarray(from + place * data.points, from + (place + 1) * data.points);
  const exact = (name) => part(0, data.exact.indexOf(name));

  function cell(row, budget) {
    const found = places.get(`${row},${budget}`);
    if (!found) return null;
    const [from, seeds] = found;
    return {
      get: (name) => part(from, data.rows.indexOf(name)),
      seeds: (place) => Array.from({ length: seeds }, (_, seed) => part(from, data.rows.length + place * seeds + seed)),
    };
  }

  const kl = (code) => (code > 300 ? Infinity : code <= -600 ? 0 : 10 ** (code / 100));

  function short(value) {
    if (value === Infinity) return "\u221e";
    if (value === 0) return "0";
    return Math.abs(value) < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  }

  // SVG

  function element(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // One input: lines

  const LEFT = 36, RIGHT = 12, TOP = 24, BOTTOM = 40, STRONG = "#555555", NEUTRAL = "#767676";

  function ticks(low, high, wanted) {
    const raw = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find((factor) => raw <= factor * power * 1.001) * power;
    const found = [];
    for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9; place += 1) {
      found.push(Number((place * step).toPrecision(6)));
    }
    return found;
  }

  function scales(plot) {
    const width = Math.max(plot.parentElement.clientWidth, 260);
    const height = Math.round(Math.min(Math.max(width * 0.42, 230), 380));
    const [low, high] = [data.x[0], data.x[data.x.length - 1]];
    const across = (x) => LEFT + ((x - low) / (high - low)) * (width - LEFT - RIGHT);
    const down = (p) => TOP + (1.02 - p) / 1.04 * (height - TOP - BOTTOM);
    return { width, height, low, high, across, down };
  }

  function frame(plot, at, name) {
    const { width, height, across, down } = at;
    plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
    plot.setAttribute("height", height);
    const bottom = height - BOTTOM;
    let widest = null;
    for (const [from, to] of data.sparse) {
      const [start, end] = [across(from), Math.max(across(to), across(from) + 1)];
      plot.append(element("rect", { class: "sparse-shade", x: start, y: TOP, width: end - start, height: bottom - TOP }));
      if (!widest || end - start > widest[1] - widest[0]) widest = [start, end];
    }
    for (const p of [0, 0.5, 1]) {
      plot.append(element("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: down(p), y2: down(p) }));
      plot.append(element("text", { x: LEFT - 8, y: down(p) + 4, "text-anchor": "end" }, p));
    }
    if (widest && widest[1] - widest[0] > 84) {
      plot.append(element("text", { x: (widest[0] + widest[1]) / 2, y: TOP + 16, "text-anchor": "middle" }, "sparse region"));
    }
    for (const x of data.crossings) {
      plot.append(element("line", { class: "crossing", x1: across(x), x2: across(x), y1: TOP, y2: bottom }));
    }
    for (const x of ticks(at.low, at.high, width / 90)) {
      plot.append(element("line", { class: "tick", x1: across(x), x2: across(x), y1: bottom, y2: bottom + 4 }));
      plot.append(element("text", { x: across(x), y: bottom + 17, "text-anchor": "middle" }, x));
    }
    plot.append(element("text", { x: (LEFT + width - RIGHT) / 2, y: height - 6, "text-anchor": "middle" }, data.titles[0]));
    plot.append(element("text", { x: 2, y: 11 }, name));
  }

  function path(at, values) {
    let text = "";
    for (let place = 0; place < values.length; place += 1) {
      text += `${place ? "L" : "M"}${at.across(data.x[place]).toFixed(1)} ${at.down(values[place] / SCALE).toFixed(1)}`;
    }
    return text;
  }

  function drawLines(row, budget, found) {
    const plot = get("explorer-plot");
    const at = scales(plot);
    const each = data.shown.length > 1 ? Number(classes.value) : 1;
    const colour = data.colours[row];
    plot.replaceChildren();
    plot.setAttribute("aria-label", `Exact posterior and output: ${status.textContent}`);
    frame(plot, at, `P(class ${each} | x)`);
    const draw = (values, attributes) => plot.append(element("path", { fill: "none", d: path(at, values), ...attributes }));
    draw(exact(`exact${each}`), { class: "exact-line", stroke: NEUTRAL, "stroke-width": 7, "stroke-linecap": "round" });
    if (found) {
      const [low, high] = [found.get(`low${each}`), found.get(`high${each}`)];
      let back = "";
      for (let place = low.length - 1; place >= 0; place -= 1) {
        back += `L${at.across(data.x[place]).toFixed(1)} ${at.down(low[place] / SCALE).toFixed(1)}`;
      }
      plot.append(element("path", { class: "band", fill: colour, d: `${path(at, high)}${back}Z` }));
      for (const seed of found.seeds(data.shown.indexOf(each))) draw(seed, { class: "seed", stroke: colour, "stroke-width": 0.8 });
      draw(found.get(`mean${each}`), { class: "mean", stroke: colour, "stroke-width": 2.2, "stroke-linejoin": "round" });
    }
    plot.append(element("line", { id: "explorer-cursor", class: "cursor", y1: TOP, y2: at.height - BOTTOM, visibility: "hidden" }));
    get("explorer-swatch").setAttribute("stroke", colour);
    get("explorer-band").setAttribute("fill", colour);
    now = { at, each, found };
  }

  // Two axes: maps in steps of colour, a path a step, as `reports/figures/maps.py` draws them

  function step(kind, value) {
    const bounds = data.steps[kind];
    let place = 0;
    while (place < bounds.length && value >= bounds[place]) place += 1;
    return place;
  }

  function cover(kind, each) {
    if (kind === "probability") return -Math.abs(each - data.steps[kind].length / 2);
    if (kind === "classes") return -(each % 3);
    return kind === "error" ? Math.abs(each - data.steps[kind].length / 2) : each;
  }

  function paths(levels) {
    const found = new Map();
    const add = (each, text) => found.set(each, (found.get(each) || "") + text);
    if (data.kind === "dots") {
      levels.forEach((each, place) => add(each, `M${data.places[0][place]} ${data.places[1][place]}h0`));
      return found;
    }
    const [height, width] = data.shape;
    for (let row = 0; row < height; row += 1) {
      for (let start = 0, end; start < width; start = end) {
        const each = levels[row * width + start];
        for (end = start + 1; end < width && levels[row * width + end] === each; ) end += 1;
        add(each, `M${start} ${height - row - 0.5}h${end - start}`);
      }
    }
    return found;
  }

  function paint(name, kind, levels, title) {
    const figure = box.querySelector(`[data-part="${name}"]`);
    const marks = figure.querySelector(".steps");
    const found = [...paths(levels)].sort(([a], [b]) => cover(kind, a) - cover(kind, b) || a - b);
    marks.setAttribute("class", `steps ${kind} ${data.kind}`);
    marks.replaceChildren(...found.map(([each, text]) => element("path", { class: `l${each}`, d: text })));
    for (const text of figure.querySelectorAll(".class-name")) text.setAttribute("visibility", kind === "classes" ? "visible" : "hidden");
    figure.querySelector("figcaption").textContent = title;
    figure.querySelector(".drawing").setAttribute("aria-label", `${title}: ${status.textContent}`);
    const key = get("explorer-keys").querySelector(`[data-kind="${kind}"]`);
    figure.querySelector(".key-box").replaceChildren(...(key ? [key.firstElementChild.cloneNode(true)] : []));
  }

  const spread = (each) => (data.rows.includes(`sd${each}`) ? `sd${each}` : "spread"); // of many classes the largest
  const blank = () => [];
  const levels = (kind, values) => Array.from(values, (value) => step(kind, value / SCALE));
  const klLevels = (values) => Array.from(values, (value) => step("kl", kl(value)));

  const strong = line ? [] : data.strengths;

  function classLevels(best, share) {
    return Array.from(best, (each, place) => (each % 6) * 3 + (share[place] >= strong[0]) + (share[place] >= strong[1]));
  }

  function drawMaps(found) {
    const every = data.classes > 2 && (!classes || classes.value === "all");
    const each = data.classes === 2 ? 1 : every ? null : Number(classes.value);
    const byKl = errors.value === "kl";
    now = { each, found };
    if (every) {
      paint("exact", "classes", classLevels(exact("best"), exact("share")), "Most probable class, exactly");
      paint("output", "classes", found ? classLevels(found.get("best"), found.get("share")) : blank(), "Most probable class, mean output");
      if (!byKl) paint("error", "spread", found ? levels("spread", found.get("tv")) : blank(), "Total variation from exact");
      paint("spread", "spread", found ? levels("spread", found.get("spread")) : blank(), "Spread over seeds, largest class");
    } else {
      const [true_, mean] = [exact(`exact${each}`), found && found.get(`mean${each}`)];
      paint("exact", "probability", levels("probability", true_), `Exact P(class ${each} | x)`);
      paint("output", "probability", found ? levels("probability", mean) : blank(), `Mean output P(class ${each} | x)`);
      const off = found ? Array.from(mean, (value, place) => step("error", (value - true_[place]) / SCALE)) : blank();
      if (!byKl) paint("error", "error", off, "Mean output minus exact");
      paint("spread", "spread", found ? levels("spread", found.get(spread(each))) : blank(), spread(each) === "spread" ? "Spread over seeds, largest class" : "Spread over seeds");
    }
    if (byKl) paint("error", "kl", found ? klLevels(found.get("kl")) : blank(), "KL(exact ‖ output), nats");
  }

  // What the reader chooses and points at

  function draw() {
    const [row, budget] = [Number(rows.value), Number(slider.value)];
    const found = cell(row, budget);
    const gap = data.gaps[row][budget];
    get("explorer-budget-text").textContent = data.budgets[budget];
    slider.setAttribute("aria-valuetext", data.budgets[budget]);
    status.textContent = `${data.names[row]} ${data.after[budget]}: gap ${gap}${found ? "" : "; no outputs are stored for it"}`;
    readout.textContent = "";
    if (line) drawLines(row, budget, found);
    else drawMaps(found);
  }

  function told(place) {
    const { each, found } = now;
    const p = (values) => short(values[place] / SCALE);
    if (line) {
      const said = found ? `, mean output ${p(found.get(`mean${each}`))} (${p(found.get(`low${each}`))} to ${p(found.get(`high${each}`))})` : "";
      return `x = ${short(data.x[place])}: exact ${p(exact(`exact${each}`))}${said}`;
    }
    const where = data.titles.map((title, axis) => `${title.split(",")[0]} ${short(data.x[axis][place])}`).join(", ");
    const error = found ? `, KL ${short(kl(found.get("kl")[place]))} nats` : "";
    if (each === null) {
      const said = found ? `, mean output class ${found.get("best")[place]} with ${p(found.get("share"))}` : "";
      return `${where}: exact class ${exact("best")[place]} with ${p(exact("share"))}${said}${error}`;
    }
    const said = found ? `, mean output ${p(found.get(`mean${each}`))}, spread ${p(found.get(spread(each)))}` : "";
    return `${where}: exact ${p(exact(`exact${each}`))}${said}${error}`;
  }

  function nearest(event, area) {
    const outline = area.getBoundingClientRect();
    const [across, down] = [(event.clientX - outline.left) / outline.width, (event.clientY - outline.top) / outline.height];
    if (line) {
      const { at } = now;
      const x = at.low + ((across * at.width - LEFT) / (at.width - LEFT - RIGHT)) * (at.high - at.low);
      return Math.min(Math.max(Math.round(((x - at.low) / (at.high - at.low)) * (data.points - 1)), 0), data.points - 1);
    }
    if (data.kind === "grid") {
      const [height, width] = data.shape;
      const clip = (share, count) => Math.min(Math.max(Math.floor(share * count), 0), count - 1);
      return clip(1 - down, height) * width + clip(across, width);
    }
    const [width, height] = data.size;
    let best = 0, least = Infinity;
    for (let place = 0; place < data.points; place += 1) {
      const far = (data.places[0][place] - across * width) ** 2 + (data.places[1][place] - down * height) ** 2;
      if (far < least) [best, least] = [place, far];
    }
    return best;
  }

  function point(event) {
    const area = line ? get("explorer-plot") : event.target.closest(".map-box") && event.target.closest(".map-box").querySelector(".steps");
    if (!area || !now) return;
    const place = nearest(event, line ? area : area.parentElement.querySelector(".ground"));
    readout.textContent = told(place);
    if (!line) return;
    const cursor = get("explorer-cursor");
    const x = now.at.across(data.x[place]);
    for (const name of ["x1", "x2"]) cursor.setAttribute(name, x);
    cursor.setAttribute("visibility", "visible");
  }

  function table() {
    const { each, found } = now;
    const names = line ? [`mean${each}`, `low${each}`, `high${each}`] : each === null ? ["best", "share", "tv", "spread", "kl"] : [`mean${each}`, spread(each), "kl"];
    const known = each === null ? ["best", "share"] : [`exact${each}`];
    const value = (name, code) => (name === "best" ? code : name === "kl" ? kl(code) : code / SCALE);
    // A spreadsheet would run a heading that begins like a formula.
    const heading = (title) => title.split(",")[0].replace(/["\n\r]/g, " ").replace(/^[=+\-@\t]/, "'$&");
    const axes = line ? ["x"] : data.titles.map(heading);
    const headings = [...axes, ...known.map((name) => (each === null ? `exact ${name}` : name)), ...(found ? names : [])];
    const lines = [headings.map((name) => name.replace(/\d+$/, (digits) => (axes.includes(name) ? digits : ` of class ${digits}`))).join(",")];
    for (let place = 0; place < data.points; place += 1) {
      const x = line ? [data.x[place]] : data.x.map((column) => column[place]);
      const values = known.map((name) => value(name, exact(name)[place]));
      if (found) values.push(...names.map((name) => value(name, found.get(name)[place])));
      lines.push([...x, ...values].map((each) => (each === Infinity ? "inf" : each)).join(","));
    }
    return `${lines.join("\n")}\n`;
  }

  function download() {
    if (csv.href.startsWith("blob:")) URL.revokeObjectURL(csv.href);
    csv.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
    csv.download = `${data.names[rows.value]}-${data.after[slider.value]}.csv`.replace(/[^\w.-]+/g, "-");
  }

  function start() {
    index();
    rows.value = String(data.start[0]);
    slider.value = String(data.start[1]);
    box.querySelector(".controls").hidden = false;
    if (line) {
      box.querySelector(".static").hidden = true;
      box.querySelector(".live-plot").hidden = false;
    }
    for (const control of [rows, slider, classes, errors]) if (control) control.addEventListener("input", draw);
    box.addEventListener("pointermove", point);
    box.addEventListener("pointerleave", () => {
      readout.textContent = "";
      const cursor = get("explorer-cursor");
      if (cursor) cursor.setAttribute("visibility", "hidden");
    });
    csv.addEventListener("click", download);
    let width = box.clientWidth;
    if (line) {
      new ResizeObserver(() => {
        if (box.clientWidth !== width) draw();
        width = box.clientWidth;
      }).observe(box);
    }
    draw();
    box.dataset.ready = "true";
  }

  unpacked(data.numbers).then((found) => {
    numbers = found;
    start();
  });
})();
