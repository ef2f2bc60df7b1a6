/** Times as people read them: pure. */

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 7],
];

/** Return how long ago a time was ("3 minutes ago"), or its date if that is a week or more. Both in milliseconds. */
export function relative(at: number, now: number, locale: string): string {
  if (!Number.isFinite(at)) return "";
  let amount = Math.min(0, Math.round((at - now) / 1000)); // a clock that is behind must not show the future
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  for (const [unit, size] of STEPS) {
    if (-amount < size) return format.format(unit === "second" && amount > -10 ? 0 : amount, unit);
    amount = Math.ceil(amount / size);
  }
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  const date: Intl.DateTimeFormatOptions = { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(locale, sameYear ? date : { ...date, year: "numeric" }).format(at);
}

/** Return a time to the second, with its zone. */
export function exact(at: number, locale: string): string {
  if (!Number.isFinite(at)) return "";
  return new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" }).format(at);
}
