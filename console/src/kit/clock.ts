// A `Date` header has whole seconds, and a clock that is off by less does not show in relative times.
const LEAST_OFFSET_MS = 2_000;

let offsetMs = 0;

/**
 * Learn how far the page's clock is from the server's, whose times are shown.
 *
 * @param date the `Date` header of a response; null: it had none
 * @param askedAt when the page asked, in milliseconds of its own clock
 */
export function learnServerTime(date: string | null, askedAt: number): void {
  const answeredAt = Date.now();
  const server = Date.parse(date ?? "") + 500;
  if (Number.isNaN(server)) {
    return;
  }
  const offset = server - (askedAt + answeredAt) / 2;
  const doubt = LEAST_OFFSET_MS + (answeredAt - askedAt) / 2;
  // The words of times do not jump back and forth with each answer.
  if (Math.abs(offset - offsetMs) > doubt) {
    offsetMs = Math.abs(offset) > doubt ? offset : 0;
  }
}

/** Return the time in milliseconds, by the server's clock as far as it is known. */
export function serverNow(): number {
  return Date.now() + offsetMs;
}
