/** The inbox API of Clarion, as a page with a realtime token may call it. */

import type { SessionSource } from "./session.js";
import { InboxError, type Item, type Session } from "./types.js";

/** How long a call may take, in milliseconds. */
const DEADLINE = 15_000;
/** The longest pause that a server may ask for, in milliseconds. */
const LONGEST_PAUSE = 300_000;

export interface Page {
  items: Item[];
  unread: number;
  next: string | null;
}

export class InboxApi {
  readonly #base: string;
  readonly #sessions: SessionSource;
  readonly #tenant: string;
  readonly #user: string;

  /** base: the gateway's address without a slash at its end. tenant, user: empty if the session names them. */
  constructor(base: string, sessions: SessionSource, tenant: string, user: string) {
    this.#base = base;
    this.#sessions = sessions;
    this.#tenant = tenant;
    this.#user = user;
  }

  /** Return a page, newest first. cursor: of the page before, null for the first. Raises InboxError. */
  async read(cursor: string | null, limit: number): Promise<Page> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (cursor !== null) query.set("cursor", cursor);
    const page = (await this.#call("GET", `?${query}`)) as {
      data: { id: string; event_type: string; title: string; body: string; read: boolean; created_at: string }[];
      unread: number;
      next_cursor: string | null;
    };
    if (!Array.isArray(page?.data)) throw new InboxError("inbox", "The inbox's answer has no list.");
    const items = page.data.map((one) => ({
      id: one.id,
      eventType: one.event_type,
      title: one.title,
      body: one.body,
      read: one.read,
      createdAt: one.created_at,
    }));
    return { items, unread: page.unread, next: page.next_cursor };
  }

  /** Mark one as read. Raises InboxError. */
  async markRead(id: string): Promise<void> {
    await this.#call("PUT", `/${encodeURIComponent(id)}/read`);
  }

  /** Mark all as read, those that are newer than `until` excepted. Raises InboxError. */
  async markAllRead(until: string): Promise<void> {
    await this.#call("PUT", "/read", { until });
  }

  /** Call the API. A token that is refused is replaced once. */
  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    let session = await this.#sessions.get();
    let response = await this.#send(session, method, path, body);
    if (response.status === 401) {
      this.#sessions.refuse(session.token);
      session = await this.#sessions.get();
      response = await this.#send(session, method, path, body);
    }
    if (!response.ok) throw await refusal(response);
    try {
      return await response.json();
    } catch {
      throw new InboxError("inbox", "The inbox's answer is not JSON.", response.status);
    }
  }

  async #send(session: Session, method: string, path: string, body: unknown): Promise<Response> {
    const tenant = this.#tenant || session.tenant;
    const user = this.#user || session.user;
    if (!tenant || !user) throw new InboxError("token", "Neither the element nor getToken names tenant and user.");
    const headers: Record<string, string> = { Authorization: `Bearer ${session.token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    try {
      return await fetch(`${this.#base}/api/v1/inbox/${segment(tenant)}/${segment(user)}${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        credentials: "omit",
        cache: "no-store",
        signal: AbortSignal.timeout(DEADLINE),
      });
    } catch (error) {
      throw new InboxError("inbox", error instanceof Error ? error.message : String(error));
    }
  }
}

/** Encode an id for a path. Browsers walk away from segments of dots alone, so the dots are encoded, too. */
export function segment(id: string): string {
  return encodeURIComponent(id).replaceAll(".", "%2E");
}

async function refusal(response: Response): Promise<InboxError> {
  let detail = `The inbox answered ${response.status}.`;
  try {
    const problem = (await response.json()) as { detail?: unknown };
    if (typeof problem.detail === "string") detail = problem.detail;
  } catch {
    // A proxy's answer: its status has to do.
  }
  const seconds = Number(response.headers.get("Retry-After")) || 0;
  return new InboxError("inbox", detail, response.status, Math.min(seconds * 1000, LONGEST_PAUSE));
}
