// Static charts become interactive: each figure holds its picture and the specification that drew it.
"use strict";
(() => {
  const options = {
    ast: true, // expressions are interpreted, so that the page needs no permission to evaluate code
    actions: false,
    renderer: "svg",
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true, id: "tooltip" },
  };
  const figures = [...document.querySelectorAll("figure.chart-box")];
  const chosen = new Set();

  function show(figure) {
    if (!figure.view) return;
    const names = [...chosen];
    const codes = names.map((name) => figure.codes[name]).filter((code) => code !== undefined);
    try {
      figure.view.signal("chosen", names.length ? codes : null).runAsync();
    } catch {
      // a chart without rows has no such signal
    }
  }

  function fitted(spec, width) {
    if (!(spec.usermeta && spec.usermeta.fluid)) return spec;
    const autosize = { type: "fit-x", contains: "padding" };
    const room = Math.min(Math.max(width, 300), 820);
    const params = (spec.params || []).map((each) => (each.name === "room" ? { ...each, value: room } : each));
    return { ...spec, width: room, autosize, params };
  }

  function embed(figure) {
    if (figure.loading) return figure.loading;
    const source = figure.querySelector("script.spec");
    if (!source || !window.vegaEmbed) return Promise.resolve();
    const spec = JSON.parse(source.textContent);
    const plot = figure.querySelector(".plot");
    figure.codes = (spec.usermeta && spec.usermeta.codes) || {};
    figure.width = plot.clientWidth;
    const live = document.createElement("div");
    figure.loading = window.vegaEmbed(live, fitted(spec, figure.width), options).then(({ view }) => {
      if (figure.view) figure.view.finalize();
      figure.view = view;
      plot.replaceChildren(live);
      figure.classList.add("live");
      show(figure);
    });
    return figure.loading;
  }

  function choose(name) {
    if (name === undefined) chosen.clear();
    else if (!chosen.delete(name)) chosen.add(name);
    for (const each of document.querySelectorAll(".legend .all")) each.hidden = !chosen.size;
    for (const each of document.querySelectorAll("button.key")) {
      each.setAttribute("aria-pressed", String(chosen.has(each.dataset.name)));
    }
    figures.forEach((figure) => embed(figure).then(() => show(figure)));
  }

  function refit() {
    for (const figure of figures) {
      if (!figure.view || figure.querySelector(".plot").clientWidth === figure.width) continue;
      figure.loading = null;
      embed(figure);
    }
  }

  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(refit, 200);
  });

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      embed(entry.target);
    }
  }, { rootMargin: "200px" });
  figures.forEach((figure) => seen.observe(figure));
  for (const button of document.querySelectorAll("button.key")) {
    button.disabled = false;
    button.addEventListener("click", () => choose(button.dataset.name));
  }
  for (const button of document.querySelectorAll("button.clear")) {
    button.addEventListener("click", () => {
      choose();
      button.closest(".legend").querySelector("button.key").focus();
    });
  }
})();
