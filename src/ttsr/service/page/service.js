// Requests to the service that this page belongs to. Addresses are relative, so that a proxy may add a prefix.

import { accessHeaders } from "./access_token.js";

// The service answered that it will not do this, and why.
export class Refused extends Error {
  constructor(detail, status) {
    super(detail);
    this.status = status;
  }
}

// There was no answer.
export class Unreachable extends Error {
  constructor() {
    super("The server does not answer. Check that ttsr web still runs, then try again.");
  }
}

// FastAPI gives a list for fields that are not what they should be.
async function detailOf(answer) {
  const body = await answer.json().catch(() => null);
  const detail = body?.detail;
  if (typeof detail === "string") return detail;
  if (Array.isArray(detail)) return detail.map(({ loc, msg }) => `${loc?.at(-1) ?? ""}: ${msg}`).join("; ");
  return `The server answered ${answer.status} ${answer.statusText}.`;
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: accessHeaders() });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
  if (!answer.ok) throw new Refused(await detailOf(answer), answer.status);
  return answer.status === 204 ? null : answer.json();
}

const jobPath = (id) => `v1/jobs/${encodeURIComponent(id)}`;

export const models = async () => (await ask("v1/models")).models;

export const limits = () => ask("page/limits.json");

export function upload(file, signal) {
  const body = new FormData();
  body.append("file", file, file.name);
  return ask("v1/images", { method: "POST", body, signal });
}

export const plan = (body, signal) => ask("v1/plan", { method: "POST", body, signal });
export const start = (body) => ask("v1/jobs", { method: "POST", body });
export const job = (id) => ask(jobPath(id));
export const cancel = (id) => ask(`${jobPath(id)}/cancel`, { method: "POST" });
export const remove = (id) => ask(jobPath(id), { method: "DELETE" });
export const source = (id, x, y, signal) => ask(`${jobPath(id)}/source?x=${x}&y=${y}`, { signal });

export const eventsPath = (id) => `${jobPath(id)}/events`;
export const resultPath = (id, format) => `${jobPath(id)}/result?format=${format}`;
export const picturePath = (id, name) => `${jobPath(id)}/pictures/${name}`;
export const coloursPath = (id, number) => `${jobPath(id)}/references/${number}/colours`;
export const referencePath = (id, number) => `${jobPath(id)}/references/${number}`;
