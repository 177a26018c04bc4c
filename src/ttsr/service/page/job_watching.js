// A job's state as it changes: by server-sent events, or by asking each second where those do not come through.
import { Refused, Unreachable, eventsPath, job } from "./service.js";

const ENDED = new Set(["done", "failed", "cancelled"]);
// The state comes at once, and then with each change: a long silence may be a connection that has ended without a word.
const ASK_EVERY_MS = 1000, FIRST_WITHIN_MS = 5000, NEXT_WITHIN_MS = 30000;

// Calls `heard(job)` with each state, the last of which is an end; `lost(true)` when the server does not answer and
// `lost(false)` when it does again; and `refused(error)` when the job is gone. Returns a function that ends the watching.
export function watch(id, { heard, lost, refused }) {
  let stopped = false, events = new EventSource(eventsPath(id)), timer = setTimeout(askInstead, FIRST_WITHIN_MS);

  function stop() {
    stopped = true;
    events?.close();
    clearTimeout(timer);
  }

  function hear(state) {
    if (stopped) return;
    if (ENDED.has(state.state)) stop();
    heard(state);
  }

  async function askAgain() {
    try {
      const state = await job(id);
      lost(false);
      hear(state);
    } catch (error) {
      if (stopped) return;
      if (error instanceof Refused && error.status === 404) {
        stop();
        refused(error);
        return;
      }
      lost(error instanceof Unreachable);
    }
    if (!stopped) timer = setTimeout(askAgain, ASK_EVERY_MS);
  }

  function askInstead() {
    clearTimeout(timer);
    events?.close();
    events = null;
    if (!stopped) askAgain();
  }

  events.onmessage = (event) => {
    clearTimeout(timer);
    timer = setTimeout(askInstead, NEXT_WITHIN_MS);
    hear(JSON.parse(event.data));
  };
  events.onerror = askInstead;
  return stop;
}
