// The images of a section have one zoom and one offset of their top left corners, in fractions of an image's side.
// A module of the pages of html_page.py, which hold it within them, and of the page of `ttsr web`, which imports it.
export const STEP = 1.25;
const LARGEST = 32;
const views = new WeakMap();

export function show(section, zoom, x, y) {
  zoom = Math.min(LARGEST, Math.max(1, zoom));
  x = Math.min(0, Math.max(1 - zoom, x));
  y = Math.min(0, Math.max(1 - zoom, y));
  views.set(section, { zoom, x, y });
  section.style.setProperty("--zoom", zoom);
  section.style.setProperty("--x", x);
  section.style.setProperty("--y", y);
  section.classList.toggle("zoomed", zoom > 1);
  const hr = [...section.querySelectorAll(".view")].at(-1).querySelector("img");
  section.classList.toggle("near", zoom * hr.clientWidth >= 2 * hr.naturalWidth);
  section.dispatchEvent(new Event("view"));
}

export const viewOf = (section) => views.get(section) || { zoom: 1, x: 0, y: 0 };

// Brings what is seen at one point of the frame, in fractions, to another, and enlarges it there.
function zoomAndMove(section, factor, from, to) {
  const { zoom, x, y } = viewOf(section);
  const next = Math.min(LARGEST, Math.max(1, zoom * factor));
  show(section, next, to[0] - (from[0] - x) * next / zoom, to[1] - (from[1] - y) * next / zoom);
}

// Keeps the point (px, py) of the frame, in fractions, in place.
export const zoomAt = (section, factor, px, py) => zoomAndMove(section, factor, [px, py], [px, py]);

// What keys and buttons zoom about: the marked place, where it is seen, else the middle.
export function anchor(section) {
  const { zoom, x, y } = viewOf(section), style = section.style;
  const at = [x + style.getPropertyValue("--mark-x") * zoom, y + style.getPropertyValue("--mark-y") * zoom];
  const seen = section.classList.contains("marked") && at.every((part) => part >= 0 && part <= 1);
  return seen ? at : [.5, .5];
}

// Where a pointer is in a frame, in fractions of its sides.
export function place(frame, event) {
  const box = frame.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

const onDivider = (event) => event.target.closest(".divider") !== null;

// Mouse, fingers and keys move the images of a section that has the class `picture`, a `tabindex`, and frames of the class `view`.
// A single pointer on a `divider` in a frame moves nothing else. While two fingers zoom, the section has the class `pinched`.
export function joinZoom(section) {
  // Where each pointer is, in fractions of the frame that the first one came down on: two fingers may lie on two frames.
  const fingers = new Map();
  let held = null;
  for (const frame of section.querySelectorAll(".view")) {
    frame.addEventListener("wheel", (event) => {
      // Unless the row has the focus, the wheel scrolls the page.
      if (!event.ctrlKey && document.activeElement !== section) return;
      event.preventDefault();
      zoomAt(section, Math.exp(-event.deltaY / 400), ...place(frame, event));
    }, { passive: false });
    frame.addEventListener("dblclick", (event) => {
      if (viewOf(section).zoom > 1) show(section, 1, 0, 0);
      else zoomAt(section, 4, ...place(frame, event));
    });
    frame.addEventListener("pointerdown", (event) => {
      section.focus({ preventScroll: true });
      const captures = event.pointerType !== "touch" || viewOf(section).zoom > 1;
      if (captures && !onDivider(event)) frame.setPointerCapture(event.pointerId);
      if (fingers.size === 0) held = frame;
      fingers.set(event.pointerId, place(held, event));
      section.classList.toggle("pinched", fingers.size > 1);
    });
    frame.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const now = place(held, event);
      fingers.set(event.pointerId, now);
      if (fingers.size === 1) {
        if (viewOf(section).zoom > 1 && !onDivider(event)) zoomAndMove(section, 1, before, now);
        return;
      }
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const gap = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
      const middle = (point) => [(point[0] + other[0]) / 2, (point[1] + other[1]) / 2];
      zoomAndMove(section, gap(now) / Math.max(gap(before), .01), middle(before), middle(now));
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"])
      frame.addEventListener(end, (event) => {
        fingers.delete(event.pointerId);
        section.classList.toggle("pinched", fingers.size > 1);
      });
    // Two fingers zoom the row, not the page.
    frame.addEventListener("touchmove", (event) => {
      if (event.touches.length > 1) event.preventDefault();
    }, { passive: false });
  }
  section.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { zoom, x, y } = viewOf(section);
    const move = !event.shiftKey && { ArrowLeft: [.1, 0], ArrowRight: [-.1, 0], ArrowUp: [0, .1], ArrowDown: [0, -.1] }[event.key];
    if (event.key === "+" || event.key === "=") zoomAt(section, STEP, ...anchor(section));
    else if (event.key === "-") zoomAt(section, 1 / STEP, ...anchor(section));
    else if (event.key === "0") show(section, 1, 0, 0);
    else if (move && zoom > 1) show(section, zoom, x + move[0], y + move[1]);
    else return;
    event.preventDefault();
  });
}
