// The slider and all images move in step; a marked place of the result shows its source in the references.
const data = JSON.parse(document.getElementById("data").textContent);
const slider = document.getElementById("slider"), all = document.getElementById("all");
const told = document.getElementById("told"), split = document.getElementById("split");
const references = [...document.querySelectorAll(".reference")];
const FIRST = told.textContent;

function numbers(text, Type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer), wide = Type === Int32Array;
  return Type.from({ length: bytes.length / Type.BYTES_PER_ELEMENT },
    (_, k) => wide ? view.getInt32(4 * k, true) : view.getInt16(2 * k, true));
}
const index = numbers(data.index, data.wide ? Int32Array : Int16Array);
const values = numbers(data.values, Int16Array);

// Each side shows an image of the row below.
function choose(side) {
  const key = document.getElementById(`of-${side}`).value;
  const chosen = all.querySelector(`img[data-key="${key}"]`), image = document.getElementById(side);
  image.src = chosen.src;
  image.alt = chosen.alt;
  slider.querySelectorAll(".tag")[side === "left" ? 0 : 1].textContent = chosen.alt;
}
for (const side of ["left", "right"]) {
  choose(side);
  document.getElementById(`of-${side}`).addEventListener("change", () => choose(side));
}

function divide(share) {
  share = Math.min(1, Math.max(0, share));
  slider.style.setProperty("--split", share);
  split.value = 100 * share;
}
split.addEventListener("input", () => divide(split.value / 100));
const handle = slider.querySelector(".divider");
handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
handle.addEventListener("pointermove", (event) => {
  // It may lie under one of two fingers that zoom.
  if (!handle.hasPointerCapture(event.pointerId) || slider.classList.contains("pinched")) return;
  divide(place(handle.parentNode, event)[0]);
});
for (const kind of ["click", "dblclick"]) handle.addEventListener(kind, (event) => event.stopPropagation());

for (const [one, other] of [[slider, all], [all, slider]])
  one.addEventListener("view", () => {
    const here = viewOf(one), there = viewOf(other);
    if (here.zoom !== there.zoom || here.x !== there.x || here.y !== there.y) show(other, here.zoom, here.x, here.y);
  });

function apply(h, [x, y]) {
  const w = h[6] * x + h[7] * y + h[8];
  return [(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w];
}
const within = (value, size) => Math.min(size - 1, Math.max(0, Math.floor(value)));

// As `Upscaled.provenance`: from the first of the pixels that match to the one that (x, y) lies on.
function origin(x, y) {
  const right = (x + .5) * data.columns / data.size[0], down = (y + .5) * data.rows / data.size[1];
  const column = Math.floor(right), row = Math.floor(down), cell = row * data.columns + column;
  const [number, first, begin] = index.subarray(3 * cell, 3 * cell + 3);
  const [relevance, ...confidence] = [...values.subarray(4 * cell, 4 * cell + 4)].map((value) => value / data.steps);
  const matched = number >= 0 && (data.trusted === null || (confidence[0] + confidence[1] + confidence[2]) / 3 >= data.trusted);
  const reference = data.references[number];
  if (!reference) return { number: -1 };
  const fitted = apply(reference.to_fitted, [begin + .5, first + .5]);
  const there = apply(reference.to_source, [fitted[0] - .5 + 4 * (right - column), fitted[1] - .5 + 4 * (down - row)]);
  return { number, relevance, confidence, matched,
    x: within(there[0], reference.size[0]), y: within(there[1], reference.size[1]) };
}

function light(section, on, x = 0, y = 0) {
  section.classList.toggle("marked", on);
  section.style.setProperty("--mark-x", x);
  section.style.setProperty("--mark-y", y);
}

// `follow` shows the source in the middle, enlarged as the result is.
let marked = null, follow = () => {}, followed = 1;
slider.addEventListener("view", () => {
  if (viewOf(slider).zoom !== followed) follow();
  followed = viewOf(slider).zoom;
});

function mark(x, y) {
  x = within(x, data.size[0]);
  y = within(y, data.size[1]);
  marked = [x, y];
  for (const section of [slider, all]) light(section, true, (x + .5) / data.size[0], (y + .5) / data.size[1]);
  const source = origin(x, y);
  follow = () => {};
  references.forEach((section, number) => light(section, false));
  if (source.number < 0) {
    told.textContent = `(${x}, ${y}): no reference was used.`;
    return;
  }
  const reference = data.references[source.number], section = references[source.number];
  const at = [(source.x + .5) / reference.shown[0], (source.y + .5) / reference.shown[1]];
  light(section, true, ...at);
  follow = () => {
    const { zoom } = viewOf(slider);
    show(section, zoom, .5 - at[0] * zoom, .5 - at[1] * zoom);
  };
  follow();
  const [one, two, four] = source.confidence.map((value) => value.toFixed(2));
  told.textContent = `(${x}, ${y}) came from (${source.x}, ${source.y}) of reference ${source.number + 1}, `
    + `${reference.name}. Relevance ${source.relevance.toFixed(3)}; confidence ${one} at 1x, ${two} at 2x, ${four} at 4x: `
    + (source.matched ? "matched." : "no match, so this is little more than the result without a reference.");
}

function unmark() {
  marked = null;
  follow = () => {};
  for (const section of [slider, all, ...references]) light(section, false);
  for (const section of references) show(section, 1, 0, 0);
  told.textContent = FIRST;
}

for (const section of [slider, all]) {
  let down = null;
  for (const frame of section.querySelectorAll(".view")) {
    frame.addEventListener("pointerdown", (event) => { down = [event.clientX, event.clientY]; });
    frame.addEventListener("click", (event) => {
      // A drag ends in a click too.
      if (down && Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 5) return;
      const [px, py] = place(frame, event), { zoom, x, y } = viewOf(section);
      mark((px - x) / zoom * data.size[0], (py - y) / zoom * data.size[1]);
    });
  }
  section.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey && { ArrowLeft: [-4, 0], ArrowRight: [4, 0], ArrowUp: [0, -4], ArrowDown: [0, 4] }[event.key];
    if (step) {
      // At first the middle of what is seen.
      const { zoom, x, y } = viewOf(section);
      if (marked) mark(marked[0] + step[0], marked[1] + step[1]);
      else mark((.5 - x) / zoom * data.size[0], (.5 - y) / zoom * data.size[1]);
    } else if (event.key === "," || event.key === ".") divide(split.value / 100 + (event.key === "," ? -.02 : .02));
    else if (event.key === "x") {
      const [left, right] = ["left", "right"].map((side) => document.getElementById(`of-${side}`));
      [left.value, right.value] = [right.value, left.value];
      choose("left");
      choose("right");
    } else if (event.key === "Escape") unmark();
    else return;
    event.preventDefault();
  });
}

document.getElementById("coloured").addEventListener("change", (event) => {
  for (const section of references) section.classList.toggle("colours", event.target.checked);
});

// #x,y or #x,y,zoom marks a pixel of the result, and shows it in the middle.
function openLinked() {
  const [x, y, zoom = 1] = location.hash.slice(1).split(",").map(Number);
  if (![x, y, zoom].every(Number.isFinite) || !location.hash.includes(",")) return;
  show(slider, zoom, .5 - x / data.size[0] * zoom, .5 - y / data.size[1] * zoom);
  mark(x, y);
}
addEventListener("hashchange", openLinked);
openLinked();
