// The job of this tab, with what was given to it, so that a reload finds it again. Whoever knows its id can see its pictures:
// it is kept by the browser for this tab alone, and never stands in the address.
const KEY = "ttsr.job";

export function remember(job) {
  try { sessionStorage.setItem(KEY, JSON.stringify(job)); } catch { /* storage is full or forbidden: then a reload begins anew */ }
}

export function forget() {
  try { sessionStorage.removeItem(KEY); } catch { /* as above */ }
}

export function remembered() {
  try { return JSON.parse(sessionStorage.getItem(KEY)); } catch { return null; }
}
