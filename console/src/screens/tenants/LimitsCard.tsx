import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Problem } from "~/api/problem";
import { exactBytes } from "~/kit/Bytes";
import { TextField } from "~/kit/Field";
import { FieldRow, Form } from "~/kit/Form";
import { Card } from "~/kit/Page";
import { type Tenant, type TenantChange, useMayChange, useTenantChange } from "./queries";

type LimitName =
  | "rate_limit_per_minute"
  | "daily_cap"
  | "max_unfinished_events"
  | "max_unfinished_bytes"
  | "max_scheduled_events"
  | "max_payload_bytes"
  | "max_sms_segments"
  | "max_parked_per_endpoint";

interface Limit {
  name: LimitName;
  label: string;
  help: string;
  min: number;
  max: number;
  /** Empty: no limit. The others always have a value. */
  isOptional?: boolean;
  /** Entered in this unit; min and max are in bytes. */
  unit?: { name: string; bytes: number };
}

const KIB = { name: "KiB", bytes: 1024 };
const MIB = { name: "MiB", bytes: 1024 * 1024 };

const EVENTS = 2_147_483_647;
// With the bounds of the API.
const LIMITS: readonly Limit[] = [
  {
    name: "rate_limit_per_minute",
    label: "Events per minute",
    help: "Accepted in any minute. Empty: no limit.",
    min: 0,
    max: EVENTS,
    isOptional: true,
  },
  {
    name: "daily_cap",
    label: "Events per day",
    help: "Accepted in a day (UTC). Empty: no limit.",
    min: 0,
    max: EVENTS,
    isOptional: true,
  },
  {
    name: "max_unfinished_events",
    label: "Unfinished events",
    help: "Accepted and not yet delivered to the end.",
    min: 1,
    max: EVENTS,
  },
  {
    name: "max_unfinished_bytes",
    label: "Size of unfinished events",
    help: "All of them together. At least 32 MiB.",
    min: 33_554_432,
    max: 2 ** 50,
    unit: MIB,
  },
  {
    name: "max_scheduled_events",
    label: "Scheduled events",
    help: "Accepted events that wait for their time.",
    min: 1,
    max: EVENTS,
  },
  {
    name: "max_payload_bytes",
    label: "Size of one event",
    help: "Its payload and variables. At most 256 KiB.",
    min: 1024,
    max: 262_144,
    unit: KIB,
  },
  {
    name: "max_sms_segments",
    label: "Segments of a text message",
    help: "A longer one is not sent.",
    min: 1,
    max: 255,
  },
  {
    name: "max_parked_per_endpoint",
    label: "Messages that wait for an endpoint",
    help: "Beyond it, the endpoint gets no new ones.",
    min: 1,
    max: 10_000_000,
  },
];

type Values = Record<LimitName, string>;

function valuesOf(tenant: Tenant): Values {
  const entries = LIMITS.map(({ name, unit }) => {
    const value = tenant[name];
    return [name, value === null ? "" : String(value / (unit?.bytes ?? 1))];
  });
  return Object.fromEntries(entries) as Values;
}

/** Return what was changed. Without it, limits that are set by `rates` would be replaced by others. */
function changes(tenant: Tenant, values: Values): TenantChange {
  const former = valuesOf(tenant);
  const changed = LIMITS.filter(({ name }) => values[name] !== former[name]);
  return Object.fromEntries(
    changed.map(({ name, unit }) => [
      name,
      values[name] === "" ? null : Math.round(Number(values[name]) * (unit?.bytes ?? 1)),
    ]),
  );
}

/** How much a tenant may send. */
export function LimitsCard({ tenant }: { tenant: Tenant }) {
  const [values, setValues] = useState(() => valuesOf(tenant));
  const change = useTenantChange(tenant);
  const mayChange = useMayChange("operator", tenant);
  const problem = change.error instanceof Problem ? change.error : null;
  const body = changes(tenant, values);
  const others = tenant.rates.filter((rate) => rate.scope !== "" || ![60, 86_400].includes(rate.window_s));
  return (
    <Card title="Limits">
      <Form
        action="Save limits"
        onSubmit={() => change.mutate(body)}
        isBusy={change.isPending}
        isDisabled={!mayChange || Object.keys(body).length === 0}
        error={change.error}
      >
        <p>
          An event beyond a limit is refused with 429, and listed under{" "}
          <Link to="/refused" search={{ tenant: tenant.id, status: "429" }}>
            Refused requests
          </Link>
          .
        </p>
        <FieldRow>
          {LIMITS.map(({ name, label, help, min, max, unit, isOptional = false }) => (
            <TextField
              key={name}
              label={unit ? `${label} (${unit.name})` : label}
              help={help}
              type="number"
              min={min / (unit?.bytes ?? 1)}
              max={max / (unit?.bytes ?? 1)}
              step={unit ? "any" : 1}
              title={
                unit && values[name] ? exactBytes(Math.round(Number(values[name]) * unit.bytes)) : undefined
              }
              required={!isOptional}
              value={values[name]}
              error={problem?.fields.get(name)}
              disabled={!mayChange}
              onChange={(event) => setValues({ ...values, [name]: event.target.value })}
            />
          ))}
        </FieldRow>
        {others.length > 0 ? (
          <p>
            Further limits, set by the API:{" "}
            {others
              .map((rate) => `${rate.bound} in ${rate.window_s} s${rate.scope ? ` of “${rate.scope}”` : ""}`)
              .join(", ")}
            .
          </p>
        ) : null}
      </Form>
    </Card>
  );
}
