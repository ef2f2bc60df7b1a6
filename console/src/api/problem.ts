import type { components } from "./schema";

export type ProblemDocument = components["schemas"]["Problem"];

/** An error of the admin API (RFC 9457). `traceId` finds it in the logs. */
export class Problem extends Error {
  readonly status: number;
  readonly type: string;
  readonly title: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly retryAfterS: number | undefined;
  readonly traceId: string;
  /** The version that somebody has saved meanwhile. */
  readonly newer: components["schemas"]["NewerVersion"] | undefined;

  constructor(document: ProblemDocument, traceId: string) {
    super(document.detail);
    this.name = "Problem";
    this.status = document.status;
    this.type = document.type;
    this.title = document.title;
    this.fields = new Map((document.errors ?? []).map((one) => [one.field, one.detail]));
    this.retryAfterS = document.retry_after;
    this.traceId = traceId;
    this.newer = document.newer;
  }
}

/** Return whether an error says that there is no such thing; an id that cannot be one names none. */
export function isNotFound(error: Error | null): boolean {
  return error instanceof Problem && (error.status === 404 || error.status === 422);
}

/** Return the problem in a response of any kind: a proxy before the gateway may answer HTML or nothing. */
export function problemOf(body: unknown, response: Response): Problem {
  const traceId = response.headers.get("X-Trace-Id") ?? "";
  if (isDocument(body)) {
    return new Problem(body, traceId);
  }
  const detail = `The server answered ${response.status}. Try again; if it stays so, look at the gateway's log.`;
  return new Problem(
    { type: "urn:clarion:problem:unknown", title: "Error", status: response.status, detail },
    traceId,
  );
}

function isDocument(body: unknown): body is ProblemDocument {
  return typeof body === "object" && body !== null && "detail" in body && "status" in body && "type" in body;
}
