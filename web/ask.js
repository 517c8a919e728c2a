// Asking cloud_alertd. Addresses are relative, so that a proxy may serve the page below any path.

const TIMEOUT_MS = 10000;
const MAX_KNOWN = 64;
const known = new Map(); // Address -> { etag, data } of the last answer.

// There is no session, or it has ended.
export class SignedOut extends Error {}

async function send(address, options = {}) {
  const headers = { "X-Atalaya-Page": "1", ...options.headers };
  const response = await fetch(address, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (response.status === 401) throw new SignedOut("signed out");
  return response;
}

// The data of Prometheus's kind of answer, or the whole one of Alertmanager's; fails with a sentence for people.
async function dataOf(response) {
  const body = await response.text();
  let answer = body;
  try {
    answer = body === "" ? null : JSON.parse(body);
  } catch {
    // Plain text, as of a 404.
  }
  if (!response.ok) throw new Error(answer?.error ?? String(answer ?? response.status));
  return answer?.status === "success" ? answer.data : answer;
}

export async function ask(address) {
  return dataOf(await send(address));
}

// The data of an address that is asked again and again; sent only where it has changed.
export async function poll(address) {
  const last = known.get(address);
  const response = await send(address, { headers: last ? { "If-None-Match": last.etag } : {} });
  if (response.status === 304) return last.data;
  const data = await dataOf(response);
  const etag = response.headers.get("ETag");
  known.delete(address);
  if (etag) known.set(address, { etag, data });
  if (known.size > MAX_KNOWN) known.delete(known.keys().next().value);
  return data;
}

export async function change(method, address, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  return dataOf(await send(address, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }));
}

const SESSION = "api/atalaya/session";

export async function signIn(token) {
  return dataOf(await send(SESSION, { method: "POST", headers: { Authorization: `Bearer ${token}` } }));
}

export async function signOut() {
  return change("DELETE", SESSION);
}
