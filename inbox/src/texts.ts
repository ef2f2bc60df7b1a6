/** Every text that the component shows or that a screen reader says. {placeholders} are replaced. */

/** Forms of a text by the plural rules of the language (Intl.PluralRules). `other` is used where a form is absent. */
export interface Plural {
  zero?: string;
  one?: string;
  two?: string;
  few?: string;
  many?: string;
  other: string;
}

export interface Texts {
  /** The heading of the list, and the name of the bell without unread messages. */
  title: string;
  /** The name of the bell with unread messages. {count} */
  unread: Plural;
  /** Beside the heading. {count} */
  unreadShort: Plural;
  close: string;
  markRead: string;
  /** Of the button for a screen reader. {title} */
  markReadOf: string;
  markAllRead: string;
  /** Of an unread message for a screen reader. */
  isUnread: string;
  empty: string;
  emptyHint: string;
  loading: string;
  connecting: string;
  offline: string;
  failed: string;
  /** Of a button that a person cannot repeat by waiting. */
  markFailed: string;
  retry: string;
  older: string;
  showAll: string;
  /** Said when one message arrives. {title} */
  arrived: string;
  /** Said when several arrive at once. {count} */
  arrivedMany: Plural;
}

export const english: Texts = {
  title: "Notifications",
  unread: { one: "Notifications, {count} unread", other: "Notifications, {count} unread" },
  unreadShort: { one: "{count} unread", other: "{count} unread" },
  close: "Close",
  markRead: "Mark as read",
  markReadOf: "Mark as read: {title}",
  markAllRead: "Mark all as read",
  isUnread: "Unread",
  empty: "No notifications yet",
  emptyHint: "New ones appear here as soon as they are sent.",
  loading: "Loading…",
  connecting: "Reconnecting…",
  offline: "You are offline. New notifications appear when the connection is back.",
  failed: "The notifications could not be loaded.",
  markFailed: "That did not work. Try again.",
  retry: "Try again",
  older: "Show older",
  showAll: "Show all",
  arrived: "New notification: {title}",
  arrivedMany: { one: "{count} new notification", other: "{count} new notifications" },
};

/** Return a text with its {placeholders} replaced. Values are not searched for placeholders themselves. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

/** Return the form of a text for a number, which is written as the language writes it. */
export function counted(forms: Plural, count: number, locale: string): string {
  const form = new Intl.PluralRules(locale).select(count);
  return fill(forms[form] ?? forms.other, { count: new Intl.NumberFormat(locale).format(count) });
}
