import { DurationField } from "~/kit/DurationField";
import { CheckField, SelectField, TextField } from "~/kit/Field";
import { FieldGroup, FieldRow } from "~/kit/Form";
import type { DelayStep } from "../document";
import { DAYS, dayName, RECIPIENT } from "../words";
import { PathField } from "./RuleFields";
import type { FieldsProps } from "./StepFields";
import styles from "./StepList.module.css";

const WAITS = {
  for_s: "For a time",
  until: "Until a time of day",
  within: "Until certain hours",
  from: "Until a time that the event or the person has",
} as const;
type WaitKind = keyof typeof WAITS;

const STARTS: Readonly<Record<WaitKind, Partial<DelayStep>>> = {
  for_s: { for_s: 86_400 },
  until: { until: { time: "09:00", timezone: RECIPIENT } },
  within: {
    within: { from: "09:00", to: "17:00", timezone: RECIPIENT, days: ["mon", "tue", "wed", "thu", "fri"] },
  },
  from: { from: { path: "event.data.", offset_s: 0 } },
};
const NONE = { for_s: undefined, until: undefined, within: undefined, from: undefined };
const ZONES: readonly string[] = [
  "UTC",
  ...Intl.supportedValuesOf("timeZone").filter((one) => one !== "UTC"),
];
// Midnight at the end of a day, which a field for times cannot hold.
const DAY_END = "24:00";

/** How long a step waits. */
export function DelayFields({ step, error, set }: FieldsProps<DelayStep>) {
  const kind = (Object.keys(WAITS) as WaitKind[]).find((one) => step[one] !== undefined) ?? "for_s";
  const wrong = error(kind);
  return (
    <>
      <SelectField
        label="How long"
        value={kind}
        onChange={(event) => set({ ...NONE, ...STARTS[event.target.value as WaitKind] }, "")}
      >
        {Object.entries(WAITS).map(([one, words]) => (
          <option key={one} value={one}>
            {words}
          </option>
        ))}
      </SelectField>
      {wrong && kind !== "for_s" ? <p className={styles.bad}>{wrong}</p> : null}
      {kind === "for_s" ? (
        <DurationField
          label="Time to wait"
          seconds={step.for_s ?? 0}
          onChange={(for_s) => set({ for_s }, "for_s")}
          error={wrong}
        />
      ) : null}
      {step.until ? <UntilFields until={step.until} error={error} set={set} /> : null}
      {step.within ? <WithinFields within={step.within} error={error} set={set} /> : null}
      {step.from ? <FromFields step={step} from={step.from} error={error} set={set} /> : null}
    </>
  );
}

type Rest = Pick<FieldsProps<DelayStep>, "error" | "set">;

function UntilFields({ until, error, set }: Rest & { until: NonNullable<DelayStep["until"]> }) {
  const change = (change: Partial<typeof until>, about: string) =>
    set({ until: { ...until, ...change } }, about);
  return (
    <>
      <FieldRow>
        <TextField
          label="Time"
          help="The next time a clock there shows it."
          type="time"
          value={until.time}
          onChange={(event) => change({ time: event.target.value }, "time")}
          error={error("until.time")}
        />
        <ZoneField
          value={until.timezone}
          onChange={(timezone) => change({ timezone }, "timezone")}
          error={error("until.timezone")}
        />
      </FieldRow>
      <DaysField value={until.days} onChange={(days) => change({ days }, "")} error={error("until.days")} />
    </>
  );
}

function WithinFields({ within, error, set }: Rest & { within: NonNullable<DelayStep["within"]> }) {
  const change = (change: Partial<typeof within>, about: string) =>
    set({ within: { ...within, ...change } }, about);
  return (
    <>
      <FieldRow>
        <TextField
          label="From"
          type="time"
          value={within.from}
          onChange={(event) => change({ from: event.target.value }, "from")}
          error={error("within.from")}
        />
        <TextField
          label="To"
          help="00:00 is the end of the day."
          type="time"
          value={within.to === DAY_END ? "00:00" : within.to}
          onChange={(event) =>
            change({ to: event.target.value === "00:00" ? DAY_END : event.target.value }, "to")
          }
          error={error("within.to")}
        />
        <ZoneField
          value={within.timezone}
          onChange={(timezone) => change({ timezone }, "timezone")}
          error={error("within.timezone")}
        />
      </FieldRow>
      <DaysField value={within.days} onChange={(days) => change({ days }, "")} error={error("within.days")} />
    </>
  );
}

function FromFields({
  step,
  from,
  error,
  set,
}: Rest & { step: DelayStep; from: NonNullable<DelayStep["from"]> }) {
  const offset = from.offset_s ?? 0;
  const isBefore = offset < 0;
  return (
    <>
      <PathField
        label="Where the time is"
        help="A field with a time such as 2026-04-22T12:00:00Z, for example event.data.starts_at."
        value={from.path}
        stepId={step.id}
        onChange={(path) => set({ from: { ...from, path } }, "path")}
        error={error("from.path")}
      />
      <FieldRow>
        <DurationField
          label="Shifted by"
          seconds={Math.abs(offset)}
          onChange={(seconds) =>
            set({ from: { ...from, offset_s: isBefore ? -seconds : seconds } }, "offset_s")
          }
          error={error("from.offset_s")}
        />
        <SelectField
          label="Direction"
          value={isBefore ? "before" : "after"}
          onChange={(event) => {
            // Nothing is neither before nor after: a minute is the least that shows the direction.
            const seconds = Math.abs(offset) || 60;
            set({ from: { ...from, offset_s: event.target.value === "before" ? -seconds : seconds } }, "");
          }}
        >
          <option value="after">After that time</option>
          <option value="before">Before that time</option>
        </SelectField>
      </FieldRow>
    </>
  );
}

interface ChoiceProps<T> {
  value: T | undefined;
  onChange: (value: T) => void;
  error?: string | undefined;
}

function ZoneField({ value, onChange, error }: ChoiceProps<string>) {
  const zone = value || RECIPIENT;
  return (
    <SelectField
      label="Time zone"
      value={zone}
      onChange={(event) => onChange(event.target.value)}
      error={error}
    >
      <option value={RECIPIENT}>The person’s own</option>
      {zone === RECIPIENT || ZONES.includes(zone) ? null : <option value={zone}>{zone}</option>}
      {ZONES.map((one) => (
        <option key={one} value={one}>
          {one}
        </option>
      ))}
    </SelectField>
  );
}

function DaysField({ value, onChange, error }: ChoiceProps<string[] | undefined>) {
  const chosen: readonly string[] = value ?? DAYS;
  const toggle = (day: string, isOn: boolean) => {
    const days = DAYS.filter((one) => (one === day ? isOn : chosen.includes(one)));
    onChange(days.length === DAYS.length ? undefined : days);
  };
  return (
    <FieldGroup legend="On these days" error={error}>
      <div className={styles.days}>
        {DAYS.map((day) => (
          <CheckField
            key={day}
            label={dayName(day)}
            checked={chosen.includes(day)}
            onChange={(event) => toggle(day, event.target.checked)}
          />
        ))}
      </div>
    </FieldGroup>
  );
}
