import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { Problem } from "~/api/problem";
import { SelectField, TextField } from "~/kit/Field";
import { FieldGroup, FieldRow, Form } from "~/kit/Form";
import { EventFields } from "../triggers/EventFields";
import { type Entered, type EventToSend, enteredOf, eventToSend, NOTHING } from "../triggers/eventFields";
import { type Schedule, timesQuery } from "./queries";
import { ZonedTime } from "./words";

// Until somebody has stopped typing.
const PAUSE_MS = 300;
const ZONES = Intl.supportedValuesOf("timeZone");
const USUAL: readonly (readonly [cron: string, name: string])[] = [
  ["0 9 * * *", "Every day"],
  ["0 9 * * MON-FRI", "Every workday"],
  ["0 9 * * MON", "Every Monday"],
  ["0 9 1 * *", "The first of each month"],
  ["0 * * * *", "Every hour"],
];

/** What the form sends. */
export interface Wanted {
  name: string;
  cron: string;
  timezone: string;
  event: EventToSend;
}

interface Props {
  tenantId: string;
  schedule?: Schedule;
  action: string;
  onSubmit: (wanted: Wanted) => void;
  isBusy: boolean;
  isDisabled?: boolean;
  error: Error | null;
}

/** The settings of a schedule, with its next times as they are typed. */
export function ScheduleForm({ tenantId, schedule, action, onSubmit, isBusy, isDisabled, error }: Props) {
  const [name, setName] = useState(schedule?.name ?? "");
  const [cron, setCron] = useState(schedule?.cron ?? "0 9 * * MON");
  const [timezone, setTimezone] = useState(
    schedule?.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
  );
  const [entered, setEntered] = useState<Entered>(() => (schedule ? enteredOf(schedule.event) : NOTHING));
  const [unread, setUnread] = useState<Error | null>(null);
  const zones = useId();
  const times = useTimes(tenantId, cron, timezone);
  // On the page of a schedule its own times stand above.
  const isOther = cron !== schedule?.cron || timezone !== schedule.timezone;
  const shown = unread ?? error;
  const fault = (field: string) => (shown instanceof Problem ? shown.fields.get(field) : undefined);
  const typed = times.error instanceof Problem ? times.error.fields : undefined;
  const submit = () => {
    try {
      onSubmit({ name, cron, timezone: timezone.trim(), event: eventToSend(entered) });
      setUnread(null);
    } catch (problem) {
      setUnread(problem as Error);
    }
  };
  return (
    <Form action={action} onSubmit={submit} isBusy={isBusy} isDisabled={isDisabled ?? false} error={shown}>
      <TextField
        label="Name"
        required
        maxLength={100}
        value={name}
        error={fault("name")}
        onChange={(event) => setName(event.target.value)}
      />
      <FieldGroup legend="When">
        <FieldRow>
          <SelectField
            label="How often"
            value={USUAL.some(([one]) => one === cron) ? cron : ""}
            onChange={(event) => event.target.value && setCron(event.target.value)}
          >
            <option value="">As the expression says</option>
            {USUAL.map(([one, text]) => (
              <option key={one} value={one}>
                {text}
              </option>
            ))}
          </SelectField>
          <TextField
            label="Cron expression"
            help="Minute, hour, day of the month, month, day of the week"
            isMono
            required
            maxLength={255}
            value={cron}
            error={fault("cron") ?? typed?.get("cron")}
            onChange={(event) => setCron(event.target.value)}
            autoComplete="off"
            spellCheck={false}
          />
          <TextField
            label="Time zone"
            help="Empty: UTC"
            list={zones}
            value={timezone}
            error={fault("timezone") ?? typed?.get("timezone")}
            onChange={(event) => setTimezone(event.target.value)}
            autoComplete="off"
            spellCheck={false}
          />
          <datalist id={zones}>
            {ZONES.map((one) => (
              <option key={one} value={one} />
            ))}
          </datalist>
        </FieldRow>
        <section aria-label="Next times" aria-live="polite">
          {times.data && isOther ? (
            <>
              <p>{times.data.in_words}</p>
              <ul>
                {times.data.next_times.map((at) => (
                  <li key={at}>
                    <ZonedTime at={at} timezone={timezone.trim()} />
                  </li>
                ))}
              </ul>
            </>
          ) : null}
        </section>
      </FieldGroup>
      <EventFields
        tenantId={tenantId}
        entered={entered}
        onChange={(changes) => setEntered((before) => ({ ...before, ...changes }))}
        error={shown}
        prefix="event."
      />
    </Form>
  );
}

/** Ask for the next times once somebody has stopped typing. */
function useTimes(tenantId: string, cron: string, timezone: string) {
  const [settled, setSettled] = useState({ cron, timezone });
  useEffect(() => {
    const timer = setTimeout(() => setSettled({ cron, timezone }), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [cron, timezone]);
  return useQuery(timesQuery(tenantId, settled.cron, settled.timezone.trim()));
}
