// A service that others than its own machine may reach wants a token. It comes with the address, as #token=..., which browsers
// send nowhere, or is asked for.
const KEY = "ttsr.token";

let token = null;
try { token = sessionStorage.getItem(KEY); } catch { /* storage is forbidden: then the token lasts until a reload */ }

export const accessHeaders = () => token ? { Authorization: `Bearer ${token}` } : {};

export function useToken(given) {
  token = given.trim();
  try { sessionStorage.setItem(KEY, token); } catch { /* as above */ }
}

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  useToken(given);
  history.replaceState(null, "", location.pathname + location.search);
}
