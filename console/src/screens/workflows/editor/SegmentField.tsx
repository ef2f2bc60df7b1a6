import { useQuery } from "@tanstack/react-query";
import { SelectField } from "~/kit/Field";
import { segmentsQuery } from "~/screens/segments/data";

interface SegmentFieldProps {
  tenantId: string;
  value: string;
  onChange: (segment: string) => void;
  error?: string | undefined;
}

/** Chooses a segment; empty: everybody. */
export function SegmentField({ tenantId, value, onChange, error }: SegmentFieldProps) {
  const segments = useQuery(segmentsQuery(tenantId)).data ?? [];
  const isKnown = segments.some((one) => one.id === value);
  return (
    <SelectField
      label="Only people in this segment"
      isOptional
      value={value}
      onChange={(event) => onChange(event.target.value)}
      error={error}
    >
      <option value="">Everybody</option>
      {value && !isKnown ? <option value={value}>{value}</option> : null}
      {segments.map((one) => (
        <option key={one.id} value={one.id}>
          {one.name}
        </option>
      ))}
    </SelectField>
  );
}
