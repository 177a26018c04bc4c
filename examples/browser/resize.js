// Pillow's bicubic resizing of 8-bit RGB, to the bit: what the networks were trained with.
// A picture is {width, height, data}, data a Uint8Array of RGB, row by row.

const BITS = 22; // of the weights, which are integers

// Of each pixel of the result the first source pixel, and the weights of this and the following ones.
function weights(size, wanted) {
  const scale = size / wanted, stretch = Math.max(scale, 1), support = 2 * stretch;
  return Array.from({ length: wanted }, (_, at) => {
    const centre = (at + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(size, Math.trunc(centre + support + 0.5));
    const found = [];
    for (let x = first; x < end; x++) found.push(cubic((x - centre + 0.5) / stretch));
    const sum = found.reduce((a, b) => a + b, 0);
    const whole = found.map((w) => {
      const scaled = (w / sum) * 2 ** BITS;
      return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    });
    return { first, whole };
  });
}

function cubic(x) {
  const a = -0.5, d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
  return 0;
}

// Along the rows, or along the columns.
function along(image, wanted, rows) {
  const { width, height, data } = image;
  const out = rows ? { width: wanted, height } : { width, height: wanted };
  out.data = new Uint8Array(3 * out.width * out.height);
  const step = rows ? 3 : 3 * width;
  const found = weights(rows ? width : height, wanted);
  for (let y = 0; y < out.height; y++) {
    for (let x = 0; x < out.width; x++) {
      const { first, whole } = found[rows ? x : y];
      const start = 3 * (rows ? y * width + first : first * width + x);
      const target = 3 * (y * out.width + x);
      for (let c = 0; c < 3; c++) {
        let sum = 2 ** (BITS - 1);
        for (let k = 0; k < whole.length; k++) sum += whole[k] * data[start + c + k * step];
        out.data[target + c] = Math.min(255, Math.max(0, Math.floor(sum / 2 ** BITS)));
      }
    }
  }
  return out;
}

export function resized(image, width, height) {
  const wide = width === image.width ? image : along(image, width, true);
  return height === image.height ? wide : along(wide, height, false);
}

export function cropped(image, width, height) {
  if (width === image.width && height === image.height) return image;
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    data.set(image.data.subarray(3 * y * image.width, 3 * (y * image.width + width)), 3 * y * width);
  }
  return { width, height, data };
}
