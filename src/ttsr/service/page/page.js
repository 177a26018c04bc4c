// The page: photos and options are chosen, a job is planned, started, watched and shown.
import { filesOf } from "./dropped_files.js";
import { watch } from "./job_watching.js";
import { photoList } from "./photo_list.js";
import { offerModels } from "./models.js";
import { planSoon, sayInstead } from "./plan_view.js";
import { beginProgress, showProgress, tellCancelling } from "./progress_view.js";
import { showResult } from "./result_view.js";
import { forget, remember, remembered } from "./running_job.js";
import { Refused, Unreachable, cancel, remove, start } from "./service.js";

const byId = (id) => document.getElementById(id);
const form = byId("inputs"), work = byId("work"), result = byId("result"), trouble = byId("trouble"), connection = byId("connection");
const fields = [...form.querySelectorAll("fieldset")], submit = form.querySelector("[type=submit]");
const small = photoList(byId("small"), { many: false, changed });
const sharp = photoList(byId("sharp"), { many: true, changed });

const ALONE = "Without a sharp photo no texture is transferred: the result is what the model makes of the photo alone.";
const TITLE = document.title;
let mode = "choose";  // or "working", or "shown": what the form is for
let running = null;  // { id, stop } of the job that is waited for
let shown = null;  // { id, given } of the job whose result is shown; `given` is what a job was started with
let wanted = true;  // whether the job that is being sent was not cancelled meanwhile

function say(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

const lost = (is) => say(connection, is ? "The server does not answer. Trying again …" : "");

// What a job is asked for by.
function body() {
  const data = new FormData(form);
  if (sharp.photos.length) data.append("without", "true");  // to compare with
  data.append("lr_digest", small.photos[0].digest);
  for (const photo of sharp.photos) data.append("reference_digest", photo.digest);
  return data;
}

function turn(to) {
  form.dataset.mode = mode = to;
  for (const field of fields) field.disabled = to === "working";
}

// Photos or options are others now. The button waits until all are there and the plan says that it can be done.
function changed() {
  if (mode === "working") return;
  turn("choose");
  submit.disabled = true;
  const all = [...small.photos, ...sharp.photos];
  byId("example").hidden = all.length > 0;
  if (!small.photos.length) sayInstead("Choose a small photo to begin.");
  else if (all.some((photo) => photo.problem)) sayInstead("Remove what could not be read to go on.");
  else if (all.some((photo) => !photo.digest)) sayInstead("Uploading …");
  else planSoon(body, { note: sharp.photos.length ? "" : ALONE, planned() { submit.disabled = false; lost(false); }, refused });
}

// What was uploaded is kept by the server for a while only; then it says that it does not know the digest.
let sentAgain = false;
function refused(error) {
  const forgotten = [...small.photos, ...sharp.photos].some(({ digest }) => digest && error.message.includes(digest.slice(0, 12)));
  if (error instanceof Refused && forgotten && !sentAgain) {
    sentAgain = true;
    small.sendAgain();
    sharp.sendAgain();
  } else if (error instanceof Unreachable) {
    lost(true);
    setTimeout(changed, 2000);
  }
}

function endWork() {
  running?.stop();
  running = null;
  work.hidden = true;
  document.title = TITLE;
  turn("shown");
}

// There is no result; one of before is shown again.
function endWithout(text, bad = true) {
  endWork();
  if (shown) remember(shown);
  else forget();
  result.hidden = !shown;
  changed();
  say(trouble, text);
  trouble.classList.toggle("bad", bad);
  trouble.focus();
}

function follow(id, given) {
  running = { id, stop: watch(id, { heard, lost, refused: (error) => endWithout(error.message) }) };
  function heard(job) {
    lost(false);
    if (job.state === "done") {
      endWork();
      discard();
      shown = { id, given };
      result.hidden = false;
      showResult(job, given);
      result.focus({ preventScroll: true });
      result.scrollIntoView({ block: "start" });
      document.title = `Done · ${TITLE}`;
    } else if (job.state === "failed") endWithout(job.error || "It failed.");
    else if (job.state === "cancelled") endWithout("Cancelled.", false);
    else showProgress(job, given.lr.name);
  }
}

function beginWork(name) {
  say(trouble, "");
  result.hidden = true;
  wanted = true;
  turn("working");
  work.hidden = false;
  beginProgress(name);
}

// A result that is shown no more is not kept for anyone.
function discard() {
  if (shown) remove(shown.id).catch(() => {});
  shown = null;
}

const facts = ({ name, digest, width, height }) => ({ name, digest, width, height });

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (submit.disabled || running) return;
  const asked = body();
  const options = Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === "string"));
  const given = { lr: facts(small.photos[0]), references: sharp.photos.map(facts), options };
  beginWork(given.lr.name);
  work.focus({ preventScroll: true });
  work.scrollIntoView({ block: "nearest" });
  try {
    const { id } = await start(asked);
    remember({ id, given });
    follow(id, given);
    if (!wanted) await cancelRunning();
  } catch (error) {
    endWithout(error.message);
    refused(error);
  }
});

// The events tell the end. Where the server does not answer, the next try is the user's.
async function cancelRunning() {
  await cancel(running.id).catch((error) => { if (error instanceof Unreachable) lost(true); });
}
byId("cancel").addEventListener("click", () => {
  tellCancelling();
  wanted = false;
  if (running) cancelRunning();
});

byId("change").addEventListener("click", () => {
  changed();
  byId("small").querySelector("input").focus();
});

// With the same references.
byId("another").addEventListener("click", () => {
  discard();
  forget();
  document.title = TITLE;
  result.hidden = true;
  small.clear();
  changed();
  byId("small").querySelector("input").focus();
});

byId("example").addEventListener("click", async () => {
  const names = ["example_small.png", "example_sharp.jpg"];
  const files = await Promise.all(names.map(async (name) => {
    const blob = await (await fetch(`page/${name}`)).blob();
    return new File([blob], name, { type: blob.type });
  })).catch(() => lost(true));
  if (files) give(files);
});

for (const kind of ["change", "input"])
  byId("options").addEventListener(kind, (event) => { if (event.type === "change") changed(); });

// Beside the fields: the first photo is the small one.
function give(files) {
  if (running || !files.length) return;
  const first = small.photos.length ? [] : files.slice(0, 1);
  small.add(first);
  sharp.add(files.slice(first.length));
}
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", async (event) => {
  if (event.defaultPrevented) return;
  event.preventDefault();
  give(await filesOf(event.dataTransfer));
});
addEventListener("paste", async (event) => {
  if (![...event.clipboardData.items].some((item) => item.kind === "file")) return;
  event.preventDefault();
  const field = document.activeElement?.closest(".drop"), files = await filesOf(event.clipboardData);
  if (field && !running) (field.id === "small" ? small : sharp).add(files);
  else give(files);
});

await offerModels(form.elements.model, lost);
const before = remembered();
if (before) {
  small.restore([before.given.lr]);
  sharp.restore(before.given.references);
  for (const [name, value] of Object.entries(before.given.options)) {
    const element = form.elements[name];
    if (element?.type === "checkbox") element.checked = true;
    else if (element) element.value = value;
  }
  const more = form.querySelector("details");
  more.open = [...more.querySelectorAll("select, input")].some(({ checked, value }) => checked || !["auto", "true"].includes(value));
  form.elements.model.dispatchEvent(new Event("change"));
  beginWork(before.given.lr.name);
  follow(before.id, before.given);
}
