import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { reasonsQuery } from "~/api/reasons";
import { Button } from "~/kit/Button";
import { SelectField, TextField } from "~/kit/Field";
import { countSet, Filters } from "~/kit/Page";
import { channelName } from "~/shell/channels";
import { word } from "~/shell/search";
import { CHANNELS, type MessagesSearch, PERIODS, STATUSES } from "./routes";

const PERIOD_NAMES = {
  "1h": "Last hour",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
};
const BETWEEN = "between";

interface Props {
  search: MessagesSearch;
  onChange: (changes: Partial<MessagesSearch>) => void;
}

/** The filters of the list. Texts are applied with Enter, or when the field is left. */
export function MessageFilters({ search, onChange }: Props) {
  const isBetween = search.since !== undefined || search.until !== undefined;
  const [asksTime, setAsksTime] = useState(isBetween);
  const choosePeriod = (value: string) => {
    setAsksTime(value === BETWEEN);
    if (value !== BETWEEN) {
      onChange({ last: word(value, PERIODS), since: undefined, until: undefined });
    }
  };
  return (
    <Filters
      active={countSet(
        search.event_type,
        search.recipient,
        search.channel,
        search.status,
        search.reason,
        search.provider,
        search.event_id,
        search.last ?? search.since ?? search.until,
      )}
    >
      <TextFilter name="event_type" label="Event type" search={search} onChange={onChange} />
      <TextFilter
        name="recipient"
        label="Recipient"
        search={search}
        onChange={onChange}
        hint="Id or address"
      />
      <SelectField
        label="Channel"
        value={search.channel ?? ""}
        onChange={(event) => onChange({ channel: word(event.target.value, CHANNELS) })}
      >
        <option value="">Any</option>
        {CHANNELS.map((one) => (
          <option key={one} value={one}>
            {channelName(one)}
          </option>
        ))}
      </SelectField>
      <SelectField
        label="Status"
        value={search.status ?? ""}
        onChange={(event) => onChange({ status: word(event.target.value, STATUSES) })}
      >
        <option value="">Any</option>
        {STATUSES.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </SelectField>
      <ReasonFilter search={search} onChange={onChange} />
      <TextFilter name="provider" label="Provider" search={search} onChange={onChange} hint="Such as smtp" />
      <TextFilter name="event_id" label="Id" search={search} onChange={onChange} hint="Ours or yours" />
      <SelectField
        label="Accepted"
        value={asksTime ? BETWEEN : (search.last ?? "")}
        onChange={(event) => choosePeriod(event.target.value)}
      >
        <option value="">At any time</option>
        {PERIODS.map((one) => (
          <option key={one} value={one}>
            {PERIOD_NAMES[one]}
          </option>
        ))}
        <option value={BETWEEN}>Between …</option>
      </SelectField>
      {asksTime ? <Between search={search} onChange={onChange} /> : null}
    </Filters>
  );
}

function TextFilter({
  name,
  label,
  hint,
  search,
  onChange,
}: Props & { name: "event_type" | "recipient" | "provider" | "event_id"; label: string; hint?: string }) {
  const value = search[name] ?? "";
  const [typed, setTyped] = useState(value);
  const apply = () => typed.trim() !== value && onChange({ [name]: typed.trim() || undefined });
  return (
    <form
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        apply();
      }}
    >
      <TextField
        label={label}
        type="search"
        value={typed}
        {...(hint && { placeholder: hint })}
        maxLength={255}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={apply}
        autoComplete="off"
        spellCheck={false}
      />
    </form>
  );
}

/** Reasons in plain words; their word stands in the URL. */
function ReasonFilter({ search, onChange }: Props) {
  const known = [...(useQuery(reasonsQuery).data?.values() ?? [])];
  const isUnknown = search.reason !== undefined && !known.some((one) => one.reason === search.reason);
  return (
    <SelectField
      label="Reason"
      value={search.reason ?? ""}
      onChange={(event) => onChange({ reason: event.target.value || undefined })}
    >
      <option value="">Any</option>
      {isUnknown ? <option value={search.reason}>{search.reason}</option> : null}
      {known.map((one) => (
        <option key={one.reason} value={one.reason}>
          {one.text}
        </option>
      ))}
    </SelectField>
  );
}

function Between({ search, onChange }: Props) {
  const [since, setSince] = useState(local(search.since));
  const [until, setUntil] = useState(local(search.until));
  const apply = (event: FormEvent) => {
    event.preventDefault();
    onChange({ last: undefined, since: instant(since), until: instant(until) });
  };
  return (
    <form onSubmit={apply}>
      <TextField
        label="From"
        type="datetime-local"
        value={since}
        max={until || undefined}
        onChange={(event) => setSince(event.target.value)}
      />
      <TextField
        label="To"
        type="datetime-local"
        value={until}
        min={since || undefined}
        onChange={(event) => setUntil(event.target.value)}
      />
      <Button type="submit">Apply</Button>
    </form>
  );
}

/** Return a time of the URL as the field has it: in the person's time zone, to the minute. */
function local(at: string | undefined): string {
  const moment = at ? new Date(at) : undefined;
  if (moment === undefined || Number.isNaN(moment.getTime())) {
    return "";
  }
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function instant(typed: string): string | undefined {
  return typed ? new Date(typed).toISOString() : undefined;
}
