// Two images of one size over each other with a divider, or side by side, with zoom and pan in step.
import { STEP, anchor, joinZoom, place, show, viewOf, zoomAt } from "./synchronized_zoom.js";

const KEY_STEP = .02, LARGE_STEP = .1;
const byId = (id) => document.getElementById(id);
export const viewer = byId("viewer");
const divider = byId("divider"), left = byId("left"), right = byId("right"), tags = viewer.querySelectorAll(".tag");

// A zoomed view follows the mouse wheel while it has the focus, so that the page can still be scrolled past it.
joinZoom(viewer);
viewer.addEventListener("view", () => {
  const { zoom } = viewOf(viewer);
  byId("zoom-level").textContent = `${zoom.toFixed(zoom < 10 ? 1 : 0).replace(".0", "")}×`;
  byId("zoom-out").disabled = byId("zoom-fit").disabled = zoom === 1;
});
byId("zoom-in").addEventListener("click", () => zoomAt(viewer, STEP ** 2, ...anchor(viewer)));
byId("zoom-out").addEventListener("click", () => zoomAt(viewer, STEP ** -2, ...anchor(viewer)));
byId("zoom-fit").addEventListener("click", () => show(viewer, 1, 0, 0));

let share = .5;
function divide(next) {
  share = Math.min(1, Math.max(0, next));
  const percent = Math.round(100 * share);
  viewer.style.setProperty("--split", share);
  divider.setAttribute("aria-valuenow", percent);
  divider.setAttribute("aria-valuetext", `${left.alt} up to ${percent} %, then the result`);
}
divider.addEventListener("pointerdown", (event) => {
  event.stopPropagation();
  divider.setPointerCapture(event.pointerId);
});
divider.addEventListener("pointermove", (event) => {
  if (divider.hasPointerCapture(event.pointerId)) divide(place(right.parentNode, event)[0]);
});
divider.addEventListener("keydown", (event) => {
  const to = {
    ArrowLeft: share - KEY_STEP, ArrowDown: share - KEY_STEP, ArrowRight: share + KEY_STEP, ArrowUp: share + KEY_STEP,
    PageDown: share - LARGE_STEP, PageUp: share + LARGE_STEP, Home: 0, End: 1,
  }[event.key];
  if (to === undefined || event.shiftKey) return;
  divide(to);
  event.stopPropagation();
  event.preventDefault();
});
viewer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !",.".includes(event.key)) return;
  divide(share + (event.key === "," ? -KEY_STEP : KEY_STEP));
  event.preventDefault();
});

for (const choice of document.querySelectorAll("[name=layout]"))
  choice.addEventListener("change", () => {
    viewer.classList.toggle("slider", choice.value === "slider");
    divider.hidden = choice.value !== "slider";
  });

// Shows the result of `width` x `height` pixels at the address `path`, whole.
export function open(path, { width, height }) {
  right.src = path;
  right.alt = "result";
  viewer.style.setProperty("--ratio", width / height);
  tags[1].textContent = "result";
  show(viewer, 1, 0, 0);
  divide(.5);
}

// Shows the image at the address `path`, called `name`, beside the result. Until it has come, the one before stays, faint.
export function compareWith(path, name) {
  left.classList.add("loading");
  left.src = path;
  left.alt = name;
  tags[0].textContent = `${name} …`;
  divide(share);
}
left.addEventListener("load", () => {
  left.classList.remove("loading");
  tags[0].textContent = left.alt;
});
left.addEventListener("error", () => { tags[0].textContent = `${left.alt}: could not be loaded`; });
