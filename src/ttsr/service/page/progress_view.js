// How far a job has come.
import { duration } from "./plain_units.js";

const byId = (id) => document.getElementById(id);
const bar = byId("bar"), stage = byId("stage"), title = byId("work-title");
const TELL_EVERY = .05;
const STAGES = {
  fitting: "finding how the references lie", references: "looking at the references", queries: "looking at the photo", matching: "matching",
  refinement: "refining the matches", texture1: "coarse textures", first: "coarse textures", texture2: "finer textures", second: "finer textures",
  texture4: "finest textures", fine: "finest textures", transparency: "transparency", "without references": "without a reference, to compare with",
  writing: "writing",
};

let begun = 0, told = "";

// The time that is left, by the time that it has taken so far, or by the plan while that says little.
function left(fraction, planned) {
  const passed = (performance.now() - begun) / 1000;
  if (fraction > .1) return passed * (1 - fraction) / fraction;
  return planned ? Math.max(0, planned - passed) : null;
}

export function showProgress(job, name) {
  title.textContent = `Upscaling ${name}`;
  if (job.state === "queued") {
    begun = 0;
    bar.removeAttribute("value");
    const ahead = job.position - 1;
    tell("queued", ahead > 0 ? `Waiting: ${ahead === 1 ? "one picture is" : `${ahead} pictures are`} ahead of yours.` : "Waiting for a free worker.");
    return;
  }
  if (!begun) begun = performance.now();
  const fraction = Math.min(1, Math.max(0, job.fraction ?? 0)), remaining = left(fraction, job.plan?.seconds);
  bar.value = fraction;
  const percent = `${Math.floor(100 * fraction)} %`;
  document.title = `${percent} · ttsr`;
  const what = job.stage ? `: ${STAGES[job.stage] ?? job.stage}` : "";
  // A screen reader is told of each stage and each twentieth, not of each step.
  tell(`${what} ${Math.floor(fraction / TELL_EVERY)}`,
    `${percent}${what}${remaining === null ? "" : `, ${duration(remaining)} left`}`);
}

export function beginProgress(name) {
  begun = 0;
  told = "";
  bar.removeAttribute("value");
  title.textContent = `Upscaling ${name}`;
  stage.textContent = "Sending …";
}

export function tellCancelling() {
  told = "";
  stage.textContent = "Cancelling …";
}

function tell(key, text) {
  if (key === told) return;
  told = key;
  stage.textContent = text;
}
