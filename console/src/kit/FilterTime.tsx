import { TextField } from "./Field";

/** A filter of a list that is a time of this person's clock. Its value is in UTC, as in a URL. */
export function FilterTime({
  label,
  value,
  onFilter,
}: {
  label: string;
  value: string | undefined;
  onFilter: (value: string | undefined) => void;
}) {
  return (
    <TextField
      label={label}
      type="datetime-local"
      step={60}
      value={local(value)}
      onChange={(event) => onFilter(utc(event.target.value))}
    />
  );
}

function utc(text: string): string | undefined {
  const moment = new Date(text);
  return text && !Number.isNaN(moment.getTime()) ? moment.toISOString() : undefined;
}

function local(value: string | undefined): string {
  const moment = new Date(value ?? "");
  if (Number.isNaN(moment.getTime())) {
    return "";
  }
  const shifted = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
