// The photos of one of the two fields: chosen, dropped or pasted, uploaded at once, and shown with what became of them.
import { filesOf, picturesOf } from "./dropped_files.js";
import { limits } from "./limits.js";
import { bytes } from "./plain_units.js";
import { upload } from "./service.js";

const AT_ONCE = 3;

// Uploads share a few connections, first come first served.
const waiting = [];
let running = 0;
function inTurn(work) {
  waiting.push(work);
  next();
}
function next() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    waiting.shift()().finally(() => { running -= 1; next(); });
  }
}

// Of files that the browser cannot show, such as TIFF, their kind.
function thumbnail(photo) {
  const box = document.createElement("span");
  box.className = "thumb";
  box.textContent = photo.name.includes(".") ? photo.name.split(".").pop().slice(0, 4) : "?";
  if (photo.file) {
    const image = new Image();
    image.alt = "";
    image.src = URL.createObjectURL(photo.file);
    image.addEventListener("load", () => box.replaceChildren(image));
    for (const end of ["load", "error"]) image.addEventListener(end, () => URL.revokeObjectURL(image.src));
  }
  return box;
}

// `changed()` is called whenever a photo comes, goes, or has been uploaded. Of a list that is not `many`, a new photo replaces the old.
export function photoList(field, { many, changed }) {
  const list = field.querySelector(".photos"), leftOut = field.querySelector(".left-out");
  let photos = [];

  function card(photo) {
    const item = document.createElement("li"), what = document.createElement("span"), name = document.createElement("b");
    const state = document.createElement("small"), remove = document.createElement("button");
    what.className = "what";
    name.textContent = name.title = photo.name;
    what.append(name, state);
    remove.type = "button";
    remove.textContent = "×";
    remove.setAttribute("aria-label", `Remove ${photo.name}`);
    remove.addEventListener("click", () => {
      const beside = item.nextElementSibling ?? item.previousElementSibling;
      drop(photo);
      (beside?.querySelector("button") ?? field.querySelector("input")).focus();
    });
    item.append(thumbnail(photo), what, remove);
    return Object.assign(photo, { item, state });
  }

  function tell(photo) {
    photo.item.classList.toggle("bad", Boolean(photo.problem));
    photo.item.classList.toggle("busy", !photo.problem && !photo.digest);
    if (photo.problem) photo.state.setAttribute("role", "alert");
    photo.state.textContent = photo.problem ?? (photo.digest ? `${photo.width} × ${photo.height}` : "uploading …");
  }

  function drop(photo) {
    photo.gone?.abort();
    if (leftOut) leftOut.textContent = "";
    photo.item.remove();
    photos = photos.filter((other) => other !== photo);
    changed();
  }

  function send(photo) {
    photo.gone = new AbortController();
    photo.digest = photo.problem = undefined;
    tell(photo);
    inTurn(async () => {
      if (photo.gone.signal.aborted) return;
      try {
        Object.assign(photo, await upload(photo.file, photo.gone.signal), { name: photo.name });
      } catch (error) {
        if (error.name === "AbortError") return;
        photo.problem = error.message;
      }
      tell(photo);
      changed();
    });
  }

  function add(files) {
    if (!files.length) return;
    if (!many) for (const photo of photos) drop(photo);
    const room = many ? Math.max(0, limits.references - photos.length) : 1;
    const over = files.length - room;
    if (leftOut) leftOut.textContent = over > 0 ? `At most ${limits.references} photos are taken: ${over} ${over === 1 ? "was" : "were"} left out.` : "";
    for (const file of files.slice(0, room)) {
      const photo = card({ name: file.name, file });
      photos.push(photo);
      list.append(photo.item);
      if (file.size <= limits.upload_bytes) send(photo);
      else {
        photo.problem = `has more than ${bytes(limits.upload_bytes)}: choose a smaller copy`;
        tell(photo);
      }
    }
    changed();
  }

  for (const input of field.querySelectorAll("input[type=file]"))
    input.addEventListener("change", () => {
      add(input.webkitdirectory ? picturesOf(input.files) : [...input.files]);
      input.value = "";  // so that the same file may be chosen again
    });
  field.addEventListener("dragover", (event) => {
    if (!field.disabled && event.dataTransfer.types.includes("Files")) event.preventDefault();
  });
  // Children fire too: the field is left when as many have been left as entered.
  let depth = 0;
  const over = (by) => field.classList.toggle("over", (depth = by ? depth + by : 0) > 0);
  field.addEventListener("dragenter", () => over(1));
  field.addEventListener("dragleave", () => over(-1));
  field.addEventListener("drop", async (event) => {
    over(0);
    event.preventDefault();
    if (!field.disabled) add(await filesOf(event.dataTransfer));
  });

  return {
    add,
    get photos() { return photos; },
    // Photos of before a reload: the server still has them, this page has not.
    restore(known) {
      for (const photo of known) {
        photos.push(card({ ...photo }));
        list.append(photos.at(-1).item);
        tell(photos.at(-1));
      }
    },
    clear() { for (const photo of photos) drop(photo); },
    // The server may have forgotten what was uploaded. Photos of before a reload have to be chosen again.
    sendAgain() {
      for (const photo of photos)
        if (photo.file) send(photo);
        else { photo.digest = undefined; photo.problem = "is no longer on the server: choose it again"; tell(photo); }
      changed();
    },
  };
}
