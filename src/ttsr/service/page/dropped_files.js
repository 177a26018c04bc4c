// The files of a drop or a paste, with those in folders and their sub-folders.

const PICTURES = /\.(avif|bmp|gif|j2k|jp2|jpe?g|jpf|jpx|mpo|pgm|png|pnm|ppm|tiff?|webp)$/i;
const isPicture = (file) => !file.name.startsWith(".") && (file.type.startsWith("image/") || PICTURES.test(file.name));

// Of a folder only the pictures, in the order of their names; what else lies there was not meant.
export const picturesOf = (files) => [...files].filter(isPicture)
  .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));

const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

// A reader gives the entries of a folder in parts, and at the end an empty one.
async function filesOfFolder(folder) {
  const reader = folder.createReader(), files = [];
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return files;
    for (const entry of entries)
      if (entry.isDirectory) files.push(...await filesOfFolder(entry));
      else files.push(await fileOf(entry));
  }
}

// Entries have to be taken from the transfer at once: it is emptied when the event is over.
export async function filesOf(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const taken = items.map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]);
  const files = [];
  for (const [entry, file] of taken)
    if (entry?.isDirectory) files.push(...picturesOf(await filesOfFolder(entry)));
    else if (file) files.push(file);
  return files;
}
