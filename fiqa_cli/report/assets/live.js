"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { stops, totals, axis, listed, sampled } = data;
  const by = (id) => document.getElementById(id);
  const words = new Intl.NumberFormat("en");
  const short = (quality) => quality.toFixed(axis.decimals);
  const percent = (part, whole) => `${((100 * part) / (whole || 1)).toFixed(1)}\u202f%`;
  const NEIGHBOURS = 8;
  const LINES = 20;

  // The first place in a rising list whose value is `bound` or more.
  function placeOf(list, bound) {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle] < bound) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  const share = (quality) => Math.min(Math.max((quality - axis.low) / (axis.high - axis.low), 0), 1);
  const slider = by("slider");
  const field = by("value");
  let stop = placeOf(stops.quality, data.cut);
  let line = share(data.cut);
  let waiting = false;

  // Between two qualities the line stays where it is put: what it keeps is the same.
  function moveTo(quality, put) {
    stop = Math.min(placeOf(stops.quality, quality), stops.quality.length - 1);
    line = put ?? share(stops.quality[stop]);
    if (put === undefined) slider.value = Math.round(1000 * line);
    if (!waiting) {
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        show();
      });
    }
  }

  function show() {
    const cut = stops.quality[stop];
    const kept = stops.faces[stop];
    const place = `${100 * line}%`;
    by("kept-clip").setAttribute("x", place);
    by("cut-line").setAttribute("x1", place);
    by("cut-line").setAttribute("x2", place);
    by("kept").textContent = words.format(kept);
    by("kept-share").textContent = percent(kept, totals.faces);
    by("discarded").textContent = words.format(totals.faces - kept);
    by("discarded-share").textContent = percent(totals.faces - kept, totals.faces);
    by("images").textContent = words.format(stops.images[stop]);
    by("folders-left").textContent = words.format(stops.folders[stop]);
    by("command-cut").textContent = String(cut);
    slider.setAttribute(
      "aria-valuetext",
      `${short(cut)}: keeps ${words.format(kept)} of ${words.format(totals.faces)} faces`,
    );
    if (document.activeElement !== field) field.value = String(cut);
    for (const button of presets) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.cut) === cut));
    }
    showFolders(cut);
    if (by("above")) {
      showBorder(cut);
      if (nearList.open) showNear(cut);
    }
  }

  // Folders: which of them keep all, some or none of their faces.
  const table = by("folder-table");
  const folderRows = [...table.tBodies[0].rows];

  function showFolders(cut) {
    table.style.setProperty("--cut", `${120 * share(cut)}px`);
    for (const row of folderRows) {
      const stays =
        Number(row.dataset.best) < cut ? "none" : Number(row.dataset.worst) < cut ? "some" : "all";
      if (row.dataset.stays !== stays) {
        row.dataset.stays = stays;
        row.querySelector(".stays").textContent = stays;
      }
    }
  }

  // Faces on both sides of the cut.
  const template = by("face-template");
  const sampledQuality = sampled.map((face) => listed.quality[face.place]);
  const figures = new Map();

  function figureOf(face) {
    if (!figures.has(face)) {
      const figure = template.content.cloneNode(true).querySelector("li");
      const button = figure.querySelector("button");
      const quality = short(listed.quality[face.place]);
      const path = listed.path[face.place];
      Object.assign(button.dataset, { path, quality, facts: face.facts });
      button.setAttribute("aria-label", `Face of quality ${quality} in ${path}`);
      figure.querySelector(".quality").textContent = quality;
      figure.querySelector(".name").textContent = face.name;
      const none = figure.querySelector(".none");
      if (face.uri) {
        const image = new Image();
        image.alt = "";
        image.src = face.uri;
        none.replaceWith(image);
      } else {
        none.textContent = face.reason;
      }
      figures.set(face, figure);
    }
    return figures.get(face);
  }

  function showBorder(cut) {
    const at = placeOf(sampledQuality, cut);
    const above = sampled.slice(at, at + NEIGHBOURS);
    const below = sampled.slice(Math.max(at - NEIGHBOURS, 0), at).reverse();
    by("above").replaceChildren(...above.map(figureOf));
    by("below").replaceChildren(...below.map(figureOf));
  }

  const nearList = document.querySelector("details");
  function showNear(cut) {
    const at = placeOf(listed.quality, cut);
    const end = Math.min(at + LINES, listed.quality.length);
    const rows = [];
    for (let place = end - 1; place >= Math.max(at - LINES, 0); place--) {
      const row = document.createElement("tr");
      row.className = place >= at ? "is-kept" : "is-discarded";
      const cells = [
        String(listed.quality[place]),
        place >= at ? "kept" : "discarded",
        listed.path[place],
        listed.face[place] ?? "",
      ];
      for (const text of cells) row.insertCell().textContent = text;
      rows.push(row);
    }
    by("near").replaceChildren(...rows);
  }

  // Sorting.
  for (const button of table.querySelectorAll("button.sort")) {
    const head = button.closest("th");
    const column = head.cellIndex;
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.querySelectorAll("th[aria-sort]")) {
        other.removeAttribute("aria-sort");
      }
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const value = (row) => row.cells[column].dataset.value;
      const compare = column
        ? (a, b) => Number(value(a)) - Number(value(b))
        : (a, b) => value(a).localeCompare(value(b), "en", { numeric: true });
      folderRows.sort((a, b) => (falling ? compare(b, a) : compare(a, b)));
      table.tBodies[0].append(...folderRows);
    });
  }

  // A face in full.
  const dialog = by("face-dialog");
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".face button");
    if (button) {
      by("face-title").textContent = `Quality ${button.dataset.quality}`;
      by("face-path").textContent = button.dataset.path;
      dialog.querySelector(".facts").textContent = button.dataset.facts;
      const picture = button.querySelector("img, .none").cloneNode(true);
      dialog.querySelector(".portrait").replaceChildren(picture);
      dialog.showModal();
    } else if (event.target === dialog) {
      dialog.close();
    }
  });

  async function copy(button) {
    const source = by(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      getSelection().selectAllChildren(source);
      document.execCommand("copy");
    }
    const label = button.textContent;
    button.textContent = "Copied";
    button.disabled = true;
    setTimeout(() => {
      button.textContent = label;
      button.disabled = false;
    }, 1200);
  }
  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", () => copy(button));
  }

  const presets = [...document.querySelectorAll(".presets button")];
  for (const button of presets) {
    button.addEventListener("click", () => moveTo(Number(button.dataset.cut)));
  }
  slider.addEventListener("input", () => {
    const put = slider.value / 1000;
    moveTo(axis.low + (axis.high - axis.low) * put, put);
  });
  by("down").addEventListener("click", () => moveTo(stops.quality[Math.max(stop - 1, 0)]));
  by("up").addEventListener("click", () => {
    moveTo(stops.quality[Math.min(stop + 1, stops.quality.length - 1)]);
  });
  field.addEventListener("input", () => {
    const quality = Number(field.value.trim().replace(",", ".") || NaN);
    field.setAttribute("aria-invalid", String(Number.isNaN(quality)));
    if (!Number.isNaN(quality)) moveTo(quality);
  });
  field.addEventListener("change", () => {
    field.removeAttribute("aria-invalid");
    field.value = String(stops.quality[stop]);
  });
  if (nearList) nearList.addEventListener("toggle", show);

  for (const element of document.querySelectorAll(".live")) element.hidden = false;
  show();
})();
