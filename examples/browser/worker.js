// Works beside the page, so that this answers while it does.
import { Model } from "./model.js";
import { resized } from "./resize.js";

let model;

self.onmessage = async ({ data: { lr, ref, longest } }) => {
  const progress = (stage, fraction) => self.postMessage({ type: "progress", stage, fraction });
  try {
    const picture = await read(lr, "small picture");
    const reference = ref ? limited(await read(ref, "sharp picture"), longest) : null;
    if (reference && Math.min(reference.width, reference.height) < 4) {
      throw new Error("The sharp picture has less than 4 pixels a side.");
    }
    progress("model", 0);
    model ??= await Model.load(new URL("model/", self.location));
    self.postMessage({ type: "done", ...(await model.upscaled(picture, reference, progress)) });
  } catch (error) {
    self.postMessage({ type: "failed", message: error.message || String(error) });
  }
};

// The upright pixels as they are stored, on white where they are transparent.
async function read(file, what) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch {
    throw new Error(`The ${what} is no picture that this browser can read.`);
  }
  const { width, height } = bitmap, canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height), rgb = new Uint8Array(3 * width * height);
  for (let at = 0; at < width * height; at++) {
    for (let c = 0; c < 3; c++) rgb[3 * at + c] = data[4 * at + c];
  }
  return { width, height, data: rgb };
}

// At most so many pixels wide and high; 0 for any number.
function limited(image, longest) {
  const factor = longest / Math.max(image.width, image.height);
  if (!longest || factor >= 1) return image;
  return resized(image, Math.max(4, Math.round(factor * image.width)), Math.max(4, Math.round(factor * image.height)));
}
