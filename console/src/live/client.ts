import { LiveConnection, type LiveFilters, type LiveMessage, liveUrl, type Watches } from "./connection";
import { workerScript } from "./script";

// How often this tab tells the worker that it is still there.
const REPEAT_MS = 25_000;

type Listener = (message: LiveMessage) => void;

const watches = new Map<string, { filters: LiveFilters; listener: Listener }>();
let next = 1;
let post: ((all: Watches) => void) | undefined;

function hear(watch: string | undefined, message: LiveMessage): void {
  if (watch !== undefined) {
    watches.get(watch)?.listener(message);
    return;
  }
  for (const one of watches.values()) {
    one.listener(message);
  }
}

/** One connection for all tabs where the browser has shared workers, else one for this tab. */
function start(): (all: Watches) => void {
  if (typeof SharedWorker === "undefined") {
    const connection = new LiveConnection(liveUrl(), hear);
    return (all) => connection.set(all);
  }
  const worker = new SharedWorker(workerScript(), { type: "module", name: "live" });
  worker.port.onmessage = (event: MessageEvent<{ watch?: string; message: LiveMessage }>) =>
    hear(event.data.watch, event.data.message);
  setInterval(() => watches.size > 0 && worker.port.postMessage(current()), REPEAT_MS);
  addEventListener("pagehide", () => worker.port.postMessage({}));
  addEventListener("pageshow", () => worker.port.postMessage(current()));
  return (all) => worker.port.postMessage(all);
}

function current(): Watches {
  return Object.fromEntries([...watches].map(([name, one]) => [name, one.filters]));
}

/** Tell the listener of changes from now on; call what is returned to end it. */
export function watchLive(filters: LiveFilters, listener: Listener): () => void {
  const name = String(next++);
  watches.set(name, { filters, listener });
  post ??= start();
  post(current());
  return () => {
    watches.delete(name);
    post?.(current());
  };
}
