import { LiveConnection, type LiveFilters, type LiveMessage, liveUrl, type Watches } from "./connection";

type Listener = (message: LiveMessage) => void;

const watches = new Map<string, { filters: LiveFilters; listener: Listener }>();
let next = 1;
let connection: LiveConnection | undefined;

function hear(watch: string | undefined, message: LiveMessage): void {
  if (watch !== undefined) {
    watches.get(watch)?.listener(message);
    return;
  }
  for (const one of watches.values()) {
    one.listener(message);
  }
}

function current(): Watches {
  return Object.fromEntries([...watches].map(([name, one]) => [name, one.filters]));
}

/**
 * Tell the listener of changes from now on; call what is returned to end it. All lists of a tab share one WebSocket,
 * which does not count among the six connections that browsers have to a host.
 */
export function watchLive(filters: LiveFilters, listener: Listener): () => void {
  const name = String(next++);
  watches.set(name, { filters, listener });
  connection ??= new LiveConnection(liveUrl(), hear);
  connection.set(current());
  return () => {
    watches.delete(name);
    connection?.set(current());
  };
}
