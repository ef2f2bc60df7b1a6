import { TextField } from "~/kit/Field";

interface SegmentFieldProps {
  tenantId: string;
  value: string;
  onChange: (segment: string) => void;
  error?: string | undefined;
}

/** Chooses a segment; empty: everybody. */
export function SegmentField({ value, onChange, error }: SegmentFieldProps) {
  return (
    <TextField
      label="Only people in this segment"
      isOptional
      help="The id of a segment."
      value={value}
      onChange={(event) => onChange(event.target.value)}
      error={error}
    />
  );
}
