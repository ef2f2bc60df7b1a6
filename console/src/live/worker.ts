/// <reference lib="webworker" />
import { LiveConnection, type LiveMessage, liveUrl, type Watches } from "./connection";

// One WebSocket for all tabs of the console. Each tab says again and again what it watches; one that has been silent for
// long is closed, because a tab cannot always say so.
const SILENT_MS = 180_000;
const LOOK_MS = 30_000;

interface Tab {
  port: MessagePort;
  watches: Watches;
  heardAt: number;
}

const tabs = new Map<number, Tab>();
let nextTab = 1;

const connection = new LiveConnection(liveUrl(), (watch, message: LiveMessage) => {
  const [tabNumber, name] = (watch ?? "").split("/", 2);
  for (const [number, tab] of tabs) {
    if (watch === undefined || String(number) === tabNumber) {
      tab.port.postMessage({ watch: name, message });
    }
  }
});

function sync(): void {
  const all: Record<string, Watches[string]> = {};
  for (const [number, tab] of tabs) {
    for (const [name, filters] of Object.entries(tab.watches)) {
      all[`${number}/${name}`] = filters;
    }
  }
  connection.set(all);
}

(self as unknown as SharedWorkerGlobalScope).onconnect = (event) => {
  const port = event.ports[0];
  if (port === undefined) {
    return;
  }
  const number = nextTab++;
  port.onmessage = (message: MessageEvent<Watches>) => {
    const known = tabs.get(number);
    const isNew = JSON.stringify(known?.watches) !== JSON.stringify(message.data);
    tabs.set(number, { port, watches: message.data, heardAt: Date.now() });
    if (isNew) {
      sync();
    }
  };
};

setInterval(() => {
  const silent = [...tabs].filter(([, tab]) => Date.now() - tab.heardAt > SILENT_MS);
  for (const [number] of silent) {
    tabs.delete(number);
  }
  if (silent.length > 0) {
    sync();
  }
}, LOOK_MS);
