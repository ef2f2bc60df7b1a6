const NAMES: Readonly<Record<string, string>> = {
  EMAIL: "E-mail",
  SMS: "SMS",
  PUSH: "Push",
  WEBHOOK: "Webhook",
};

// What sends to endpoints is no provider of a tenant, and has the channel's name.
const OWN_SENDER = "webhook";

/** Return the provider of a delivery; an empty text for none, and where the channel says it already. */
export function providerOf({ provider }: { provider?: string | null }): string {
  return provider === OWN_SENDER ? "" : (provider ?? "");
}

/** Return a channel's name for people; one that is not known by its word, none as an empty text. */
export function channelName(channel: string | null | undefined): string {
  return NAMES[channel ?? ""] ?? channel ?? "";
}
