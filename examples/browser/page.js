const $ = (id) => document.getElementById(id);
let worker = null;

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  worker ??= started();
  const [lr] = $("lr").files, [ref] = $("ref").files;
  working(true);
  say("Loading the model");
  worker.postMessage({ lr, ref, longest: Number($("longest").value) });
});

$("cancel").addEventListener("click", () => {
  worker.terminate();
  worker = null;
  working(false);
  say("Cancelled.");
});

$("bicubic").addEventListener("change", () => {
  $("enlarged").hidden = !$("bicubic").checked;
  $("result").hidden = $("bicubic").checked;
});

function started() {
  const made = new Worker("worker.js", { type: "module" });
  made.onmessage = ({ data }) => {
    if (data.type === "progress") {
      $("progress").value = data.fraction;
      say({ model: "Loading the model", reference: "Looking at the sharp picture", matching: "Matching",
        synthesis: "Computing the result" }[data.stage]);
    } else if (data.type === "failed") {
      working(false);
      say(data.message, true);
    } else {
      show(data);
    }
  };
  made.onerror = (event) => {
    working(false);
    say(event.message || "The page is incomplete: see examples/browser/README.md.", true);
  };
  return made;
}

async function show({ result, enlarged }) {
  draw($("result"), result);
  draw($("enlarged"), enlarged);
  const file = await new Promise((resolve) => $("result").toBlob(resolve, "image/png"));
  URL.revokeObjectURL($("download").href);
  $("download").href = URL.createObjectURL(file);
  $("download").download = $("lr").files[0].name.replace(/\.[^.]*$/, "") + "_x4.png";
  $("results").hidden = false;
  working(false);
  say(`Done: ${result.width} x ${result.height} pixels.`);
}

function draw(canvas, { width, height, data }) {
  const image = new ImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    image.data.set(data.subarray(3 * at, 3 * at + 3), 4 * at);
    image.data[4 * at + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function working(on) {
  $("start").disabled = on;
  $("cancel").disabled = !on;
  $("progress").hidden = !on;
  $("progress").value = 0;
}

function say(text, error = false) {
  if ($("status").textContent !== text) $("status").textContent = text;
  $("status").className = error ? "error" : "";
}
