// An exported model at work: the same steps as examples/onnx_upscale.py, by onnxruntime-web.
import * as ort from "./onnxruntime/ort.wasm.min.mjs";
import { cropped, resized } from "./resize.js";

ort.env.wasm.numThreads = 1; // several need headers that plain static servers do not send
ort.env.wasm.wasmPaths = new URL("onnxruntime/", import.meta.url).href;

const SCALE = 4;
const TEXTURES = ["texture1", "texture2", "texture4"];
// Pixels of the small picture along a side that are matched, and worked on by the synthesis, at a time.
const MATCHED = 32, SYNTHESISED = 160;

export class Model {
  constructor(folder, facts) {
    this.folder = folder;
    this.facts = facts;
    this.sessions = new Map();
  }

  // folder: a URL that ends in a slash.
  static async load(folder) {
    return new Model(folder, await (await fetched(new URL("model.json", folder))).json());
  }

  has(part) {
    return part in this.facts.parts;
  }

  // Compute a part; of the values those that it takes.
  async run(part, values) {
    const { file, inputs, outputs } = this.facts.parts[part];
    if (!this.sessions.has(part)) {
      const bytes = await (await fetched(new URL(file, this.folder))).arrayBuffer();
      this.sessions.set(part, await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] }));
    }
    const given = Object.fromEntries(Object.keys(inputs).map((name) => [name, tensor(values[name])]));
    const found = await this.sessions.get(part).run(given);
    return Object.fromEntries(Object.keys(outputs).map((n) => [n, { data: found[n].data, dims: found[n].dims }]));
  }

  // What is matched and transferred of a reference: keys and luma of its blurred copy, and its own textures.
  async encoded(image) {
    const [width, height] = [image.width, image.height].map((side) => side - (side % SCALE));
    const own = cropped(image, width, height);
    const blurred = resized(resized(own, width / SCALE, height / SCALE), width, height);
    const { features: keys, luma } = await this.run("extractor", { image: input(blurred) });
    const textures = await this.run("extractor", { image: input(own) });
    return { keys, ref_luma: luma, ...Object.fromEntries(TEXTURES.map((name) => [name, textures[name]])) };
  }

  // Of each pixel of the small picture the best match in a reference.
  async matches(enlarged, reference, progress) {
    const [, , height, width] = enlarged.features.dims;
    const best = {};
    for (const { seen, kept, done } of tiles(height, width, MATCHED, this.facts.matching_overlap)) {
      const values = { queries: cut(enlarged.features, seen), ...reference };
      if (enlarged.luma) values.lr_luma = cut(enlarged.luma, seen, SCALE);
      const found = await this.run("matching", values);
      for (const [name, part] of Object.entries(found)) {
        best[name] ??= zeros(part, height, width);
        paste(best[name], cut(part, kept), seen.top + kept.top, seen.left + kept.left);
      }
      progress(done);
    }
    const reference_number = { data: new Int32Array(height * width), dims: [1, height, width] };
    return { ...best, reference: reference_number };
  }

  // Four times larger, with the textures of a reference, which may be null.
  async upscaled(image, reference, progress) {
    const enlarged = resized(image, SCALE * image.width, SCALE * image.height);
    const picture = { lr: input(image) }, lr_up = input(enlarged);
    if (!reference && !this.has("trunk")) reference = image; // the published networks take the picture itself
    let shared = {};
    if (reference) {
      progress("reference", 0);
      const encoded = await this.encoded(reference);
      progress("matching", 0.1);
      const queries = await this.run("extractor", { image: lr_up });
      Object.assign(picture, await this.matches(queries, encoded, (part) => progress("matching", 0.1 + 0.5 * part)));
      const sizes = { data: Int32Array.from(encoded.keys.dims.slice(2)), dims: [1, 2] };
      shared = { ...encoded, sizes };
    }
    const out = { data: new Float32Array(lr_up.data.length), dims: lr_up.dims };
    const part = reference ? "synthesis" : "trunk";
    const before = reference ? 0.6 : 0;
    progress("synthesis", before);
    for (const { seen, kept, done } of tiles(image.height, image.width, SYNTHESISED, this.facts.synthesis_overlap)) {
      const here = Object.fromEntries(Object.entries(picture).map(([name, array]) => [name, cut(array, seen)]));
      const { sr } = await this.run(part, { ...shared, ...here, lr_up: cut(lr_up, seen, SCALE) });
      paste(out, cut(sr, kept, SCALE), SCALE * (seen.top + kept.top), SCALE * (seen.left + kept.left));
      progress("synthesis", before + (1 - before) * done);
    }
    return { result: pixels(out), enlarged };
  }
}

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.pathname}: ${answer.status} ${answer.statusText}`);
  return answer;
}

function tensor({ data, dims }) {
  return new ort.Tensor(data instanceof Int32Array ? "int32" : "float32", data, dims);
}

// A picture as (1, 3, height, width) in [0, 1], and back.
function input({ width, height, data }) {
  const plane = width * height, out = new Float32Array(3 * plane);
  for (let at = 0; at < plane; at++) for (let c = 0; c < 3; c++) out[c * plane + at] = data[3 * at + c] / 255;
  return { data: out, dims: [1, 3, height, width] };
}

function pixels({ data, dims: [, , height, width] }) {
  const plane = width * height, out = new Uint8Array(3 * plane);
  for (let at = 0; at < plane; at++) for (let c = 0; c < 3; c++) out[3 * at + c] = Math.round(255 * data[c * plane + at]);
  return { width, height, data: out };
}

// Of each tile what it sees, what of this is kept, and the fraction that is then done.
function* tiles(height, width, side, overlap) {
  const down = Math.ceil(height / side), across = Math.ceil(width / side);
  for (let number = 0; number < down * across; number++) {
    const top = side * Math.floor(number / across), left = side * (number % across);
    const bottom = Math.min(height, top + side), right = Math.min(width, left + side);
    const seen = {
      top: Math.max(0, top - overlap), bottom: Math.min(height, bottom + overlap),
      left: Math.max(0, left - overlap), right: Math.min(width, right + overlap),
    };
    const kept = {
      top: top - seen.top, bottom: bottom - seen.top, left: left - seen.left, right: right - seen.left,
    };
    yield { seen, kept, done: (number + 1) / (down * across) };
  }
}

// Rows and columns of the last two axes, of a grid so many times finer.
function cut({ data, dims }, box, times = 1) {
  const [height, width] = dims.slice(-2);
  const [top, left] = [times * box.top, times * box.left];
  const [rows, columns] = [times * (box.bottom - box.top), times * (box.right - box.left)];
  const planes = data.length / (height * width), out = new data.constructor(planes * rows * columns);
  for (let plane = 0; plane < planes; plane++) {
    for (let y = 0; y < rows; y++) {
      const start = (plane * height + top + y) * width + left;
      out.set(data.subarray(start, start + columns), (plane * rows + y) * columns);
    }
  }
  return { data: out, dims: [...dims.slice(0, -2), rows, columns] };
}

function zeros({ data, dims }, height, width) {
  const [rows, columns] = dims.slice(-2), planes = data.length / (rows * columns);
  return { data: new data.constructor(planes * height * width), dims: [...dims.slice(0, -2), height, width] };
}

function paste(whole, part, top, left) {
  const [height, width] = whole.dims.slice(-2), [rows, columns] = part.dims.slice(-2);
  for (let plane = 0; plane < part.data.length / (rows * columns); plane++) {
    for (let y = 0; y < rows; y++) {
      const start = (plane * rows + y) * columns;
      whole.data.set(part.data.subarray(start, start + columns), (plane * height + top + y) * width + left);
    }
  }
}
