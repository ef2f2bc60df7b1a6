import type { Schemas } from "~/api/client";
import { SelectField } from "~/kit/Field";

interface ReasonFilterProps {
  /** The word in the URL; undefined: any. */
  reason: string | undefined;
  /** The reasons that there are, the most frequent first. */
  counts: readonly Schemas["ReasonCount"][];
  onFilter: (reason: string | undefined) => void;
}

/** Choose one of the reasons that there are, each with how often it is one. */
export function ReasonFilter({ reason, counts, onFilter }: ReasonFilterProps) {
  const isGone = reason !== undefined && !counts.some((one) => one.reason === reason);
  return (
    <SelectField
      label="Reason"
      value={reason ?? ""}
      onChange={(event) => onFilter(event.target.value || undefined)}
    >
      <option value="">Any</option>
      {isGone ? <option value={reason}>{reason} (0)</option> : null}
      {counts.map((one) => (
        <option key={one.reason} value={one.reason}>
          {one.text} ({one.count.toLocaleString()})
        </option>
      ))}
    </SelectField>
  );
}
