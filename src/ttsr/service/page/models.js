// The models that the service offers.
import { useToken } from "./access_token.js";
import { learnLimits } from "./limits.js";
import { Refused, Unreachable, models } from "./service.js";

const ABOUT = {
  "ttsr-lite": "Closest to the truth.",
  "ttsr-lite-gan": "Sharper to the eye, and less exact.",
};
const TRY_AGAIN_MS = 2000;
const byId = (id) => document.getElementById(id);

// The token that the service asks for: whoever started it knows it.
function askForToken() {
  const form = byId("token");
  form.hidden = false;
  form.elements.token.focus();
  return new Promise((resolve) => form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.hidden = true;
    useToken(form.elements.token.value);
    resolve();
  }, { once: true }));
}

// Fills a select with the models; `lost(is)` tells whether the server does not answer.
export async function offerModels(select, lost) {
  for (;;)
    try {
      const [known] = await Promise.all([models(), learnLimits()]);
      select.replaceChildren(...known.map(({ name, default: chosen }) => new Option(name, name, chosen, chosen)));
      break;
    } catch (error) {
      lost(error instanceof Unreachable);
      if (error instanceof Refused && error.status === 401) await askForToken();
      else await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    }
  lost(false);
  const describe = () => { byId("about-model").textContent = ABOUT[select.value] ?? ""; };
  select.addEventListener("change", describe);
  describe();
}
