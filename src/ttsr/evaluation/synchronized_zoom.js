"use strict";
// The images of a section have one zoom and one offset of their top left corners, in fractions of an image's side.
const LARGEST = 32, STEP = 1.25;
const views = new Map();

function show(section, zoom, x, y) {
  zoom = Math.min(LARGEST, Math.max(1, zoom));
  x = Math.min(0, Math.max(1 - zoom, x));
  y = Math.min(0, Math.max(1 - zoom, y));
  views.set(section, { zoom, x, y });
  section.style.setProperty("--zoom", zoom);
  section.style.setProperty("--x", x);
  section.style.setProperty("--y", y);
  section.classList.toggle("zoomed", zoom > 1);
  const hr = section.querySelector("figure:last-child img");
  section.classList.toggle("near", zoom * hr.clientWidth >= 2 * hr.naturalWidth);
  section.dispatchEvent(new Event("view"));
}

const viewOf = (section) => views.get(section) || { zoom: 1, x: 0, y: 0 };

// Keeps the point (px, py) of the frame, in fractions, in place.
function zoomAt(section, factor, px, py) {
  const { zoom, x, y } = viewOf(section);
  const next = Math.min(LARGEST, Math.max(1, zoom * factor));
  show(section, next, px - (px - x) * next / zoom, py - (py - y) * next / zoom);
}

function place(frame, event) {
  const box = frame.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

for (const section of document.querySelectorAll(".picture")) {
  const fingers = new Map();
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
      if (event.pointerType !== "touch" || viewOf(section).zoom > 1) frame.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, place(frame, event));
    });
    frame.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const now = place(frame, event);
      fingers.set(event.pointerId, now);
      const { zoom, x, y } = viewOf(section);
      if (fingers.size === 1) {
        if (zoom > 1) show(section, zoom, x + now[0] - before[0], y + now[1] - before[1]);
        return;
      }
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const gap = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
      zoomAt(section, gap(now) / Math.max(gap(before), .01), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"])
      frame.addEventListener(end, (event) => fingers.delete(event.pointerId));
    // Two fingers zoom the row, not the page.
    frame.addEventListener("touchmove", (event) => {
      if (event.touches.length > 1) event.preventDefault();
    }, { passive: false });
  }
  section.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { zoom, x, y } = viewOf(section);
    const move = !event.shiftKey && { ArrowLeft: [.1, 0], ArrowRight: [-.1, 0], ArrowUp: [0, .1], ArrowDown: [0, -.1] }[event.key];
    if (event.key === "+" || event.key === "=") zoomAt(section, STEP, .5, .5);
    else if (event.key === "-") zoomAt(section, 1 / STEP, .5, .5);
    else if (event.key === "0") show(section, 1, 0, 0);
    else if (move && zoom > 1) show(section, zoom, x + move[0], y + move[1]);
    else return;
    event.preventDefault();
  });
}
