/** Return a command that sends a test push with an API key. `global.*` types have a template in every installation. */
export function triggerCommand(apiKey: string): string {
  const event = {
    eventType: "global.info",
    channels: ["PUSH"],
    payload: { userId: "demo" },
    variables: { title: "It works", message: "Sent with a new API key." },
  };
  return [
    `curl -sS ${window.location.origin}/api/v1/events/trigger \\`,
    `  -H 'x-api-key: ${apiKey}' -H 'content-type: application/json' \\`,
    `  -d '${JSON.stringify(event)}'`,
  ].join("\n");
}
