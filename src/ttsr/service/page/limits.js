// What the service takes of photos, so that too much is told before it is sent.
import { limits as ask } from "./service.js";

export const limits = { references: Infinity, upload_bytes: Infinity };

export async function learnLimits() {
  Object.assign(limits, await ask());
}
