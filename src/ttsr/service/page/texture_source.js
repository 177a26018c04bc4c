// A place of the result is marked, and where its texture came from lights up in the reference.
import { joinZoom, place, show, viewOf } from "./synchronized_zoom.js";
import { coloursPath, referencePath, source } from "./service.js";
import { viewer } from "./viewer.js";

const told = document.getElementById("told"), list = document.getElementById("references");
const CELL = 4;  // pixels of the result to one of the small photo, and what keys move the mark by
const A_DRAG = 5;
const FIRST = "Click a place of the result to see where its texture came from.";
const NONE = "No reference was used, so no texture came from elsewhere.";

let job = null, size = [1, 1], references = [], marked = null, asking = null;
// Shows the source in the middle, enlarged as the result is.
let follow = () => {}, followed = 1;
viewer.addEventListener("view", () => {
  if (viewOf(viewer).zoom !== followed) follow();
  followed = viewOf(viewer).zoom;
});

function light(section, on, x = 0, y = 0) {
  section.classList.toggle("marked", on);
  section.style.setProperty("--mark-x", x);
  section.style.setProperty("--mark-y", y);
}

function figureOf({ name, width, height, note }, number) {
  const section = document.createElement("section"), figure = document.createElement("figure");
  const view = document.createElement("div"), image = new Image(), mark = document.createElement("i");
  const caption = document.createElement("figcaption"), title = document.createElement("b");
  section.className = "picture reference";
  section.tabIndex = 0;
  section.setAttribute("aria-label", `reference ${number + 1}: ${name}`);
  view.className = "view";
  mark.className = "mark";
  image.alt = name;
  image.draggable = false;
  image.src = referencePath(job, number);
  section.style.setProperty("--ratio", width / height);
  title.textContent = name;
  caption.append(title, ` ${width} × ${height}${note ? `. ${note}` : ""}`);
  view.append(image, mark);
  figure.append(view, caption);
  section.append(figure);
  joinZoom(section);
  return section;
}

// The references in the colours of the provenance map, which they are the key to, or as they are.
export function showColours(on) {
  for (const [number, section] of [...list.children].entries()) {
    const path = (on && !references[number].left_out ? coloursPath : referencePath)(job, number), image = section.querySelector("img");
    if (image.getAttribute("src") !== path) image.src = path;
  }
}

function unmark() {
  asking?.abort();
  marked = null;
  follow = () => {};
  for (const section of [viewer, ...list.children]) light(section, false);
  for (const section of list.children) show(section, 1, 0, 0);
  told.textContent = references.length ? FIRST : NONE;
}

const within = (value, bound) => Math.min(bound - 1, Math.max(0, Math.floor(value)));

async function mark(x, y) {
  marked = [x, y] = [within(x, size[0]), within(y, size[1])];
  light(viewer, true, (x + .5) / size[0], (y + .5) / size[1]);
  asking?.abort();
  asking = new AbortController();
  try {
    tell(x, y, await source(job, x, y, asking.signal));
  } catch (error) {
    if (error.name !== "AbortError") told.textContent = error.message;
  }
}

function fact(name, value, meaning = "") {
  const row = document.createElement("div"), term = document.createElement("dt"), detail = document.createElement("dd");
  term.textContent = name;
  detail.textContent = value;
  if (meaning) detail.append(Object.assign(document.createElement("small"), { textContent: ` ${meaning}` }));
  row.append(term, detail);
  return row;
}

function tell(x, y, origin) {
  follow = () => {};
  for (const section of list.children) light(section, false);
  const section = origin && list.children[origin.reference];
  if (!section) {
    told.textContent = references.length ? `(${x}, ${y}): no reference was used here.` : NONE;
    return;
  }
  const reference = references[origin.reference];
  const at = [(origin.x + .5) / reference.width, (origin.y + .5) / reference.height];
  light(section, true, ...at);
  follow = () => {
    const { zoom } = viewOf(viewer);
    show(section, zoom, .5 - at[0] * zoom, .5 - at[1] * zoom);
  };
  follow();
  const confidence = [origin.confidence].flat(), facts = document.createElement("dl"), line = document.createElement("p");
  const mean = confidence.reduce((sum, value) => sum + value, 0) / confidence.length;
  line.textContent = `(${x}, ${y}) came from (${origin.x}, ${origin.y}) of ${reference.name}`;
  facts.append(
    fact("Relevance", origin.relevance.toFixed(3), "how alike the two places are; at most 1"),
    fact("Confidence", mean.toFixed(2), confidence.length > 1
      ? `how far it was let in: ${confidence.map((value, level) => `${value.toFixed(2)} at ${2 ** level}×`).join(", ")}`
      : "how far it was let in"),
    fact("Match", origin.matched ? "yes" : "no", origin.matched ? "" : "so this is little more than without a reference"),
  );
  facts.classList.toggle("unmatched", !origin.matched);
  told.replaceChildren(line, facts);
}

// Shows the references of a job, whose result has `width` x `height` pixels: `[{ name, width, height, note }]`.
export function openSources(id, { width, height }, of) {
  [job, size, references] = [id, [width, height], of];
  list.replaceChildren(...references.map(figureOf));
  unmark();
}

// At first the middle of what is seen.
function middle() {
  const { zoom, x, y } = viewOf(viewer);
  return [(.5 - x) / zoom * size[0], (.5 - y) / zoom * size[1]];
}

let down = null;
for (const frame of viewer.querySelectorAll(".view")) {
  frame.addEventListener("pointerdown", (event) => { down = [event.clientX, event.clientY]; });
  frame.addEventListener("click", (event) => {
    // A drag ends in a click too.
    if (down && Math.hypot(event.clientX - down[0], event.clientY - down[1]) > A_DRAG) return;
    const [px, py] = place(frame, event), { zoom, x, y } = viewOf(viewer);
    mark((px - x) / zoom * size[0], (py - y) / zoom * size[1]);
  });
}
viewer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const [right, below] = (event.shiftKey && { ArrowLeft: [-CELL, 0], ArrowRight: [CELL, 0], ArrowUp: [0, -CELL], ArrowDown: [0, CELL] }[event.key]) || [];
  if (right !== undefined) mark(...(marked ? [marked[0] + right, marked[1] + below] : middle()));
  else if (event.key === "Enter") mark(...middle());
  else if (event.key === "Escape") unmark();
  else return;
  event.preventDefault();
});
