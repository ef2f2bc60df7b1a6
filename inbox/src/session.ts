/** The session that getToken gives: asked for once at a time, and kept until it is refused. */

import { type GetToken, InboxError, type Session } from "./types.js";

/** How long getToken may take, in milliseconds. */
const DEADLINE = 20_000;

export class SessionSource {
  #current: Session | undefined;
  #asking: Promise<Session> | undefined;
  // One per component that shares the session: the first is asked, another when that one has gone.
  readonly #callbacks = new Map<object, GetToken>();
  #owner: string | undefined;
  /** Called when getToken gave the session of another person. */
  replaced: () => void = () => undefined;
  /** Called with each new session. */
  renewed: (session: Session) => void = () => undefined;

  /** component: whatever stands for it. */
  add(component: object, getToken: GetToken): void {
    this.#callbacks.set(component, getToken);
  }

  delete(component: object): void {
    this.#callbacks.delete(component);
  }

  /** Return the session, and ask for one if there is none. Raises InboxError. */
  async get(): Promise<Session> {
    return this.#current ?? this.renew();
  }

  /** Forget a token that was refused, unless it was replaced already. */
  refuse(token: string): void {
    if (this.#current?.token === token) this.#current = undefined;
  }

  /** Forget the session, whatever its token is. */
  forget(): void {
    this.#current = undefined;
  }

  /** Ask for a new session. Raises InboxError. */
  async renew(): Promise<Session> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<Session> {
    const [getToken] = this.#callbacks.values();
    if (!getToken) throw new InboxError("token", "getToken is not set.");
    let given: unknown;
    try {
      given = await within(DEADLINE, getToken());
    } catch (error) {
      throw new InboxError("token", error instanceof Error ? error.message : String(error));
    }
    const session = checked(given);
    this.#current = session;
    const owner = JSON.stringify([session.tenant, session.user]);
    const isAnother = this.#owner !== undefined && this.#owner !== owner;
    this.#owner = owner;
    if (isAnother) this.replaced();
    else this.renewed(session);
    return session;
  }
}

function checked(given: unknown): Session {
  const session = given as Partial<Session> | null | undefined;
  const isOne =
    typeof session?.token === "string" &&
    session.token !== "" &&
    Array.isArray(session.channels) &&
    session.channels.every((channel) => typeof channel === "string");
  if (!isOne) throw new InboxError("token", "getToken must return {token, channels}.");
  return session as Session;
}

async function within<T>(deadline: number, work: Promise<T> | T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("getToken did not answer in time.")), deadline);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
