/** What is watched: the tenant in sight and the filters of a list, as `GET /events` has them. */
export interface LiveFilters {
  tenant_id?: string;
  event_type?: string;
  recipient?: string;
  status?: string;
  channel?: string;
  reason?: string;
  provider?: string;
  event_id?: string;
}

/** Watches by the names that their owner gave them. */
export type Watches = Readonly<Record<string, LiveFilters>>;

/** What the gateway says about one watch. `E`: an event as the list shows it. */
export interface LiveChanges<E = unknown> {
  type: "events";
  events: E[];
  /** Ids of changed events that do not, or no longer, belong to the list. */
  others: string[];
  /** How many further events changed. */
  skipped: number;
}

/** "ended": the session has ended, or other tenants may be seen now. */
export type LiveState = "connecting" | "live" | "away" | "ended";

export type LiveMessage =
  | LiveChanges
  | { type: "refused"; detail: string }
  /** Changes may have been missed: read the list again. */
  | { type: "interrupted" }
  | { type: "state"; state: LiveState };

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 20_000;
const LINGER_MS = 5_000;
// Codes of the gateway (docs/admin-api.md).
const RENEW = 4001;
const SESSION_ENDED = 4002;

/** One WebSocket for all watches. It opens with the first one, and closes a little after the last. */
export class LiveConnection {
  private socket: WebSocket | undefined;
  private watches: Record<string, LiveFilters> = {};
  private state: LiveState = "connecting";
  private failures = 0;
  private hasBeenLive = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    private readonly tell: (watch: string | undefined, message: LiveMessage) => void,
  ) {}

  /** Watch exactly this. */
  set(watches: Watches): void {
    const before = this.watches;
    this.watches = { ...watches };
    if (this.socket?.readyState === WebSocket.OPEN) {
      for (const name of Object.keys(before)) {
        if (!(name in watches)) {
          this.send({ type: "unwatch", id: name });
        }
      }
      for (const [name, filters] of Object.entries(watches)) {
        if (JSON.stringify(before[name]) !== JSON.stringify(filters)) {
          this.send({ type: "watch", id: name, ...filters });
        }
      }
    }
    clearTimeout(this.timer);
    if (Object.keys(watches).length === 0) {
      this.timer = setTimeout(() => this.close(), LINGER_MS);
    } else if (this.socket === undefined) {
      this.open();
    }
    for (const name of Object.keys(watches)) {
      this.tell(name, { type: "state", state: this.state });
    }
  }

  private open(): void {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      for (const [name, filters] of Object.entries(this.watches)) {
        this.send({ type: "watch", id: name, ...filters });
      }
    };
    socket.onmessage = (message) => this.read(JSON.parse(String(message.data)));
    socket.onclose = (event) => this.closed(socket, event.code);
  }

  private read(message: { type: string; watch?: string } & Record<string, unknown>): void {
    if (message.type === "watching") {
      this.failures = 0;
      this.become("live");
      if (this.hasBeenLive && message.watch !== undefined) {
        this.tell(message.watch, { type: "interrupted" });
      }
    } else if (message.type === "away") {
      this.become("away");
    } else if (message.type === "interrupted") {
      this.become("live");
      this.tell(undefined, { type: "interrupted" });
    } else {
      this.tell(message.watch, message as unknown as LiveMessage);
    }
  }

  private closed(socket: WebSocket, code: number): void {
    if (this.socket !== socket) {
      return;
    }
    this.socket = undefined;
    this.hasBeenLive = true;
    if (Object.keys(this.watches).length === 0) {
      return;
    }
    if (code === SESSION_ENDED) {
      this.become("ended");
      return;
    }
    const pause = code === RENEW ? 0 : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures);
    if (code !== RENEW) {
      this.failures += 1;
      this.become("away");
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), pause * (0.5 + Math.random() / 2));
  }

  private close(): void {
    const socket = this.socket;
    this.socket = undefined;
    this.hasBeenLive = false;
    this.state = "connecting";
    socket?.close();
  }

  private become(state: LiveState): void {
    if (this.state !== state) {
      this.state = state;
      this.tell(undefined, { type: "state", state });
    }
  }

  private send(command: Record<string, unknown>): void {
    this.socket?.send(JSON.stringify(command));
  }
}

/** Return the address of the live events, for a page or a worker of this host. */
export function liveUrl(): string {
  const { protocol, host } = self.location;
  return `${protocol === "https:" ? "wss:" : "ws:"}//${host}/api/v1/admin/live`;
}
