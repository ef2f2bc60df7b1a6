import { Link } from "@tanstack/react-router";
import { Card, Facts } from "~/kit/Page";
import { duration } from "~/kit/Time";
import type { MessagesSearch } from "~/screens/messages/routes";
import { OUTCOMES, type Overview, totalOf } from "./figures";

const NUMBER = new Intl.NumberFormat();

interface Shown {
  overview: Overview;
  channel: MessagesSearch["channel"];
  last: MessagesSearch["last"];
}

/** The whole time in numbers. */
export function Totals({ overview, channel, last }: Shown) {
  const events = overview.steps.reduce((sum, step) => sum + step.events, 0);
  const time = overview.durations.find((one) => one.channel === (channel ?? null));
  return (
    <Card title="In numbers">
      <Facts
        facts={[
          [
            "Events",
            <Link
              key="events"
              to="/messages"
              search={{ last, channel }}
              aria-label={`${NUMBER.format(events)} ${events === 1 ? "event" : "events"}`}
            >
              {NUMBER.format(events)}
            </Link>,
          ],
          ...OUTCOMES.map((one) => [one.label, NUMBER.format(totalOf(overview, one, channel))] as const),
          ["Half were sent within", time?.p50_ms ? duration(time.p50_ms) : "–"],
          ["95 of 100 were sent within", time?.p95_ms ? duration(time.p95_ms) : "–"],
        ]}
      />
    </Card>
  );
}
