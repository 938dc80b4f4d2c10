// Questions to the API this page belongs to.

/** An answer that is an error, or none. `status` is 0 if nothing answered. */
export class ApiError extends Error {
  constructor(status, detail, { fromApi = true, signed = false, retryAfter = null, requestId = null } = {}) {
    super(detail);
    Object.assign(this, { status, fromApi, signed, retryAfter, requestId });
  }
}

let token = "";

/** Send this token with every question from now on; it is kept in this variable and nowhere else. */
export function useToken(text) {
  token = text;
}

export function hasToken() {
  return token !== "";
}

/** The address of a customer's `stats`, `routes` or `statuses`, or of all customers', relative to the page: it may live behind a stage's prefix. */
export function customerPath(customer, what, query) {
  const whose = customer === null ? "" : `customers/${encodeURIComponent(customer)}/`;
  return `${whose}${what}?${new URLSearchParams(query)}`;
}

export function statsPath(customer, query) {
  return customerPath(customer, "stats", query);
}

/** A browser takes these two, in a path, for folders: they cannot be asked for. */
export function isUnaskable(customer) {
  return customer === "." || customer === "..";
}

/** Ask, and return the answer's JSON; raise an ApiError, or the AbortError of the signal. */
export async function askJson(path, signal) {
  return (await ask(path, signal)).json();
}

/** Ask, and return the answer. */
export async function ask(path, signal) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "Nothing answered.");
  }
  if (!response.ok) throw await readError(response);
  return response;
}

async function readError(response) {
  const type = response.headers.get("content-type") ?? "";
  const text = await response.text();
  const body = type.includes("json") ? JSON.parse(text) : {};
  return new ApiError(response.status, detailOf(body) ?? `The answer was ${response.status} ${response.statusText}.`, {
    fromApi: type.includes("problem+json") || response.status === 422,
    signed: (response.headers.get("www-authenticate") ?? "").startsWith("AWS4"),
    retryAfter: Number(response.headers.get("retry-after")) || null,
    requestId: response.headers.get("x-request-id"),
  });
}

/** Problem details (RFC 9457) have a text; FastAPI's validation errors a list; API Gateway's own errors a message. */
function detailOf(body) {
  if (Array.isArray(body.detail)) return body.detail.map((one) => `${one.loc.at(-1)}: ${one.msg}`).join("; ");
  return body.detail ?? body.message ?? null;
}
