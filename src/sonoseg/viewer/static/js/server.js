// Cases, corrections, decisions and exports, as /api/openapi.json describes them.

/** A refusal of the service, or no answer at all: a sentence and a hint. */
export class Refused extends Error {
  constructor(message, hint = "", status = 0) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

const AGAIN = 40; // times that a full line is asked again

let token = sessionStorage.getItem("token") || "";
let askForToken = async () => null;

/** asking: async (wrong) => token or null, called where the service wants one; wrong: whether it refused another. */
export function onTokenWanted(asking) {
  askForToken = asking;
}

/** Send a request; waits where the line is full. Errors: Refused. */
export async function ask(method, path, body = undefined, options = {}) {
  for (let times = 0; ; times++) {
    const used = token, answer = await sent(method, path, body, options);
    if (answer.ok) return answer;
    if (answer.status === 503 && answer.headers.has("retry-after") && times < AGAIN) {
      await new Promise((done) => setTimeout(done, 300 + 700 * Math.random()));
      continue;
    }
    if (answer.status === 401) {
      if (used !== token) continue; // another request asked for it meanwhile
      const given = await askForToken(Boolean(token));
      if (!given) throw new Refused("A token is needed.", "Reload the page to be asked again.", 401);
      token = given;
      sessionStorage.setItem("token", token);
      continue;
    }
    throw await refusal(answer);
  }
}

async function sent(method, path, body, options) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  try {
    return await fetch(path, { method, headers, body, credentials: "omit", ...options });
  } catch {
    throw new Refused("The service does not answer.", "Is sonoseg serve still running?");
  }
}

async function refusal(answer) {
  const said = await answer.json().catch(() => ({}));
  const sentence = said.error || `The service answered ${answer.status}.`;
  return new Refused(sentence[0].toUpperCase() + sentence.slice(1), said.hint || "", answer.status);
}

const json = async (...request) => (await ask(...request)).json();
const frame = (place) => `/api/cases/${place.case}/frames/${place.frame}`;
const seen = (model) => `?model=${encodeURIComponent(model)}`; // what the reader looks at, and speaks of

export const models = () => json("GET", "/api/models");
export const health = async () => (await sent("GET", "/api/health", undefined, {})).json();
export const details = (id) => json("GET", `/api/cases/${id}`);
export const forget = (id) => ask("DELETE", `/api/cases/${id}`);

export async function* cases() {
  for (let after = 0; ; ) {
    const page = await json("GET", `/api/cases?after=${after}&limit=1000`);
    yield* page;
    if (page.length < 1000) return;
    after = page[page.length - 1].id;
  }
}

export function open(file) {
  const form = new FormData();
  form.append("file", file, file.name);
  return json("POST", "/api/cases", form);
}

/** {blob, windows}: the parts that show tissue, [top, left, height, width] each, none for all of it. */
export async function picture(place) {
  const answer = await ask("GET", `${frame(place)}/image`);
  return { blob: await answer.blob(), windows: JSON.parse(answer.headers.get("Sonoseg-Windows")) };
}

export const thumbnail = async (id) => (await ask("GET", `/api/cases/${id}/thumbnail`)).blob();
export const mask = (place, model) => json("GET", `${frame(place)}/mask${seen(model)}`);
export const saveMask = (place, form, leaving = false) => json("PUT", `${frame(place)}/mask`, form, { keepalive: leaving });
export const decide = (place, model, form, leaving = false) => json("POST", `${frame(place)}/decisions${seen(model)}`, form, { keepalive: leaving });

export function setSpacing(id, spacing) {
  const path = `/api/cases/${id}/spacing`;
  return spacing ? ask("PUT", path, { row: spacing[0], column: spacing[1] }) : ask("DELETE", path);
}

/** Give {name, blob} of an export; cases: their numbers, or none for all. */
export async function exported(cases, kinds, model) {
  const query = new URLSearchParams([["model", model], ...kinds.map((kind) => ["kinds", kind])]);
  const path = cases.length === 1 ? `/api/cases/${cases[0]}/export` : "/api/export";
  if (cases.length > 1) for (const id of cases) query.append("cases", id);
  const answer = await ask("GET", `${path}?${query}`);
  const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") || "");
  return { name: name ? name[1] : "sonoseg.zip", blob: await answer.blob() };
}
