/** Return a command that sends a test push with an API key. `global.*` types have a template in every installation. */
export function triggerCommand(apiKey: string): string {
  return command(`'x-api-key: ${apiKey}'`, {
    eventType: "global.info",
    channels: ["PUSH"],
    payload: { userId: "demo" },
    variables: { title: "It works", message: "Sent with a new API key." },
  });
}

/** Return a command that sends an event of a type. The shell puts the key in its place. */
export function eventCommand(
  eventType: string,
  payload: Readonly<Record<string, string>>,
  variables: Readonly<Record<string, unknown>>,
): string {
  return command('"x-api-key: $CLARION_API_KEY"', { eventType, payload, variables });
}

function command(keyHeader: string, event: object): string {
  const body = JSON.stringify(event).replaceAll("'", "'\\''");
  return [
    `curl -sS ${window.location.origin}/api/v1/events/trigger \\`,
    `  -H ${keyHeader} -H 'content-type: application/json' \\`,
    `  -d '${body}'`,
  ].join("\n");
}
