import createClient, { type Middleware } from "openapi-fetch";
import { learnServerTime } from "~/kit/clock";
import { isUnattended } from "./attendance";
import { problemOf } from "./problem";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

/** What a call of `api` resolves to. */
interface Reply<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

// A call that takes longer has failed: the gateway's own deadlines are shorter.
const DEADLINE_MS = 30_000;
const SAFE = new Set(["GET", "HEAD"]);

let csrfToken = "";
const askedAt = new Map<string, number>();

/** Set what each changing call carries; the session has it. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Return what calls beside `api` carry as `X-CSRF-Token`. */
export function csrfHeader(): string {
  return csrfToken;
}

const guarding: Middleware = {
  onRequest({ request, id }) {
    askedAt.set(id, Date.now());
    if (csrfToken && !SAFE.has(request.method)) {
      request.headers.set("X-CSRF-Token", csrfToken);
    }
    if (isUnattended()) {
      request.headers.set("X-Clarion-Unattended", "true");
    }
    return new Request(request, {
      signal: AbortSignal.any([request.signal, AbortSignal.timeout(DEADLINE_MS)]),
    });
  },
  onResponse({ response, id }) {
    learnServerTime(response.headers.get("Date"), askedAt.get(id) ?? Date.now());
    askedAt.delete(id);
  },
  onError({ id }) {
    askedAt.delete(id);
  },
};

/** The admin API, typed by our OpenAPI document: `api.GET("/api/v1/admin/tenants", …)`. Wrap calls in `answer()`. */
export const api = createClient<paths>({ credentials: "same-origin" });
api.use(guarding);

/** Return the body of a successful response. Throws Problem. */
export async function answer<T>(call: Promise<Reply<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (error !== undefined || !response.ok) {
    throw problemOf(error, response);
  }
  return data as T;
}
