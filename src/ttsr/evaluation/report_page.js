// Largest first; infinities are equal to themselves, and NaN comes last.
function descending(key) {
  const value = (section) => {
    const number = Number(section.dataset[key]);
    return Number.isNaN(number) ? -Infinity : number;
  };
  return (a, b) => value(a) === value(b) ? 0 : value(b) - value(a);
}

document.getElementById("order").addEventListener("change", (event) => {
  const sections = [...document.querySelectorAll(".picture")], key = event.target.value;
  if (key === "name") sections.sort((a, b) => a.dataset.name.localeCompare(b.dataset.name, "en", { numeric: true }));
  else sections.sort(descending(key));
  for (const section of sections) section.parentNode.append(section);
});

// A % that begins no escape sequence stands for itself.
function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

// #NAME or #NAME@zoom,x,y opens a picture, centred on its point (x, y), in fractions.
function openLinked() {
  const [name, at] = decoded(location.hash.slice(1)).split(/@(?=[\d.,]+$)/);
  const section = [...document.querySelectorAll(".picture")].find((candidate) => candidate.dataset.name === name);
  if (!section) return;
  if (at) {
    const [zoom, x = .5, y = .5] = at.split(",").map(Number);
    show(section, zoom, .5 - x * zoom, .5 - y * zoom);
  }
  section.scrollIntoView();
  section.focus({ preventScroll: true });
}
addEventListener("hashchange", openLinked);
openLinked();
