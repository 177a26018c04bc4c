// What the job will take, told before it is started, and anew whenever photos or options change.
import { bytes, duration } from "./plain_units.js";
import { plan } from "./service.js";

const output = document.getElementById("plan");
const PAUSE_MS = 150;

let asking = null, timer = null;

function say(text, bad = false) {
  output.classList.toggle("bad", bad);
  output.textContent = text;
}

// Says why nothing can be planned.
export function sayInstead(text) {
  clearTimeout(timer);
  asking?.abort();
  say(text);
}

// Plans the job that `body()` describes, and says `note` with it; `refused(error)` is called if it cannot be done, `planned(plan)` otherwise.
export function planSoon(body, { note, planned, refused }) {
  clearTimeout(timer);
  asking?.abort();
  say("Planning …");
  timer = setTimeout(async () => {
    asking = new AbortController();
    try {
      const what = await plan(body(), asking.signal);
      output.classList.remove("bad");
      const line = document.createElement("span"), notes = document.createElement("small");
      const size = `${what.result_width} × ${what.result_height}`;
      line.append("Result ", strong(size), ", ", strong(duration(what.seconds)), ", ", strong(bytes(what.memory_bytes)), " of memory");
      notes.textContent = [...what.notes, note].filter(Boolean).join(" ");
      output.replaceChildren(line, notes);
      planned(what);
    } catch (error) {
      if (error.name === "AbortError") return;
      say(error.message, true);
      refused(error);
    }
  }, PAUSE_MS);
}

function strong(text) {
  return Object.assign(document.createElement("b"), { textContent: text });
}
