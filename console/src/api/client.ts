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

/** Send a file, and return the body of the response. onProgress: how many bytes are sent. Throws Problem. */
export function upload(
  method: "PUT" | "POST",
  path: string,
  file: Blob,
  { onProgress, signal }: { onProgress: (sent: number) => void; signal: AbortSignal },
): Promise<unknown> {
  // fetch() does not say how much it has sent.
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    const fail = () => reject(new TypeError("The network failed while the file was sent."));
    request.open(method, path);
    request.setRequestHeader("X-CSRF-Token", csrfToken);
    request.setRequestHeader("Content-Type", file.type);
    request.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded));
    request.addEventListener("error", fail);
    request.addEventListener("abort", () => reject(new DOMException("It was stopped.", "AbortError")));
    request.addEventListener("load", () => {
      const headers = { "X-Trace-Id": request.getResponseHeader("X-Trace-Id") ?? "" };
      const body = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300) {
        resolve(body);
      } else {
        reject(problemOf(body, new Response(null, { status: request.status, headers })));
      }
    });
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** Return a file that the API makes, however long it takes. Throws Problem. */
export async function download(path: string, body: object, signal: AbortSignal): Promise<Blob> {
  const response = await fetch(path, {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrfToken },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) {
    throw problemOf(parsed(await response.text()), response);
  }
  return await response.blob();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
