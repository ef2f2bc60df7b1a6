import { useSyncExternalStore } from "react";
import { serverNow } from "./clock";

const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;
const TICK_MS = 1_000;

/** A time, relative to now and exact on hover. A time more than a week away is a date. */
export function Time({ at }: { at: string | null | undefined }) {
  const words = useSyncExternalStore(subscribe, () => (at ? relative(new Date(at), serverNow()) : ""));
  if (!at) {
    return <>–</>;
  }
  return (
    <time dateTime={at} title={`${EXACT.format(new Date(at))}\n${at}`}>
      {words}
    </time>
  );
}

/** A time to the millisecond, for timelines; with its day if that is another one than today. */
export function ExactTime({ at }: { at: string | null | undefined }) {
  if (!at) {
    return <>–</>;
  }
  const moment = new Date(at);
  const isToday = moment.toDateString() === new Date(serverNow()).toDateString();
  return (
    <time dateTime={at} title={`${EXACT.format(moment)}\n${at}`}>
      {isToday ? "" : `${DAY.format(moment)} `}
      {CLOCK.format(moment)}
    </time>
  );
}

/** A duration in milliseconds in the unit that reads best. */
export function duration(ms: number): string {
  if (ms < 1) {
    return "under 1 ms";
  }
  if (ms < 1000) {
    return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  }
  const seconds = ms / 1000;
  if (seconds < MINUTE_S) {
    return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  }
  if (seconds < HOUR_S) {
    return `${Math.floor(seconds / MINUTE_S)} min ${Math.round(seconds % MINUTE_S)} s`;
  }
  return seconds < 2 * DAY_S
    ? `${Math.floor(seconds / HOUR_S)} h ${Math.round((seconds % HOUR_S) / MINUTE_S)} min`
    : `${Math.floor(seconds / DAY_S)} days`;
}

function relative(moment: Date, now: number): string {
  const seconds = Math.round((moment.getTime() - now) / 1000);
  const away = Math.abs(seconds);
  if (away < 5) {
    return "now";
  }
  if (away < MINUTE_S) {
    return RELATIVE.format(seconds, "second");
  }
  if (away < HOUR_S) {
    return RELATIVE.format(Math.round(seconds / MINUTE_S), "minute");
  }
  if (away < DAY_S) {
    return RELATIVE.format(Math.round(seconds / HOUR_S), "hour");
  }
  return away < 7 * DAY_S ? RELATIVE.format(Math.round(seconds / DAY_S), "day") : DAY.format(moment);
}

// One timer for all times of the page. A time is drawn again only when its words change.
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(tick, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

function tick(): void {
  for (const listener of listeners) {
    listener();
  }
}
