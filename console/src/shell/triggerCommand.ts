/** An event as the API for triggers takes it. */
export interface TriggerEvent {
  eventType: string;
  channels?: readonly string[];
  payload: Readonly<Record<string, string>>;
  variables: Readonly<Record<string, unknown>>;
}

// `global.*` types have a template in every installation.
const FIRST: TriggerEvent = {
  eventType: "global.info",
  channels: ["PUSH"],
  payload: { userId: "demo" },
  variables: { title: "It works", message: "Sent with a new API key." },
};

/** Return a command for a shell that sends an event with an API key, in one line per part; by default a test push. */
export function triggerCommand(apiKey: string, event: TriggerEvent = FIRST): string {
  return [
    `curl -sS ${window.location.origin}/api/v1/events/trigger \\`,
    `  -H ${quoted(`x-api-key: ${apiKey}`)} -H 'content-type: application/json' \\`,
    `  -d ${quoted(JSON.stringify(event))}`,
  ].join("\n");
}

/** Return a text as one word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
