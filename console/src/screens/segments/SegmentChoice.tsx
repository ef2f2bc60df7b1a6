import { useQuery } from "@tanstack/react-query";
import { type Choice, ChoiceField } from "~/kit/Chooser";
import { noChoice } from "~/kit/choosing";
import { segmentsQuery } from "./data";

interface SegmentChoiceProps {
  tenantId: string;
  label: string;
  /** The segment's id; empty: none is chosen. */
  value: string;
  onChange: (segmentId: string) => void;
  /** What it is called that none is chosen; absent: one has to be. */
  nobody?: string;
  error?: string | undefined;
}

/** Chooses a segment by a part of its name. */
export function SegmentChoice({ tenantId, label, value, onChange, nobody, error }: SegmentChoiceProps) {
  const segments = useQuery(segmentsQuery(tenantId));
  const found = (segments.data ?? []).map(
    (one): Choice => ({ value: one.id, label: one.name, detail: one.key }),
  );
  const choices = nobody === undefined ? found : [{ value: "", label: nobody }, ...found];
  const isFound = choices.some((one) => one.value === value);
  return (
    <ChoiceField
      label={label}
      isOptional={nobody !== undefined}
      choices={choices}
      chosen={choices.find((one) => one.value === value) ?? (value ? { value, label: value } : null)}
      onChoose={(choice) => onChange(choice.value)}
      help={value && segments.data && !isFound ? "There is no segment with this id any more." : undefined}
      find="Find a segment"
      none={noChoice(
        segments,
        found.length > 0 ? "No segment has this name." : "There is no segment yet. Make one under Segments.",
      )}
      error={error}
    />
  );
}
