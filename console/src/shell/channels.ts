const NAMES: Readonly<Record<string, string>> = {
  EMAIL: "E-mail",
  SMS: "SMS",
  PUSH: "Push",
  WEBHOOK: "Webhook",
};

/** Return a channel's name for people; one that is not known by its word, none as an empty text. */
export function channelName(channel: string | null | undefined): string {
  return NAMES[channel ?? ""] ?? channel ?? "";
}
