// The result of a job: the images to compare it with, facts, and the download.
import { picturePath, resultPath } from "./service.js";
import { openSources, showColours } from "./texture_source.js";
import { compareWith, open } from "./viewer.js";

const byId = (id) => document.getElementById(id);
const choices = [...document.querySelectorAll("[name=compared]")], format = byId("format");
const IMAGES = {
  bicubic: ["bicubic", "Bicubic: enlarged without a network, as picture viewers do."],
  without: ["no reference", "The same model without any reference."],
  relevance: ["relevance", "Relevance: how alike each place and its match are. High on anything smooth: look at the confidence first.", "scaled"],
  confidence: ["confidence", "Confidence: how far the textures of the references were let in.", "scaled"],
  provenance: ["provenance", "Provenance: each place has the colour of its source, as the references show them. Gray: no match."],
};

let id = "";

function compare() {
  const { value } = choices.find((choice) => choice.checked), [name, meaning, scaled] = IMAGES[value];
  compareWith(picturePath(id, value), name);
  byId("meaning").textContent = meaning;
  byId("scale").hidden = !scaled;
  showColours(value === "provenance");
}
for (const choice of choices) choice.addEventListener("change", compare);

function useOf({ left_out, share, scale, rotation }) {
  if (left_out) return "Left out: nothing in it matches the photo.";
  const percent = `${Math.round(100 * share)} % of the result came from it`;
  return scale ? `${percent}, fitted at ${scale.toFixed(2)}× and ${Math.round(rotation)}°.` : `${percent}.`;
}

function offer() {
  const link = byId("download");
  link.href = resultPath(id, format.value);
  link.textContent = `Download ${format.selectedOptions[0].textContent}`;
}
format.addEventListener("change", offer);

// `given` is what the job was started with: `{ lr, references, options }`.
export function showResult(job, given) {
  const { width, height } = job.result, { lr } = given;
  id = job.id;
  choices[0].checked = true;
  for (const choice of choices) choice.parentNode.hidden = !job.result.pictures.includes(choice.value);
  open(picturePath(id, "result"), { width, height });
  offer();
  openSources(id, { width, height }, job.result.references.map((reference) => ({ ...reference, note: useOf(reference) })));
  compare();
  byId("result-title").textContent = `${lr.name}, enlarged`;
  byId("facts").textContent = [
    `${lr.width} × ${lr.height} became ${width} × ${height}`,
    job.result.seconds && `${job.result.seconds.toFixed(1)} s`,
    given.options.model,
  ].filter(Boolean).join(" · ");
  byId("notes").replaceChildren(...(job.notes ?? []).map((note) => Object.assign(document.createElement("li"), { textContent: note })));
}
