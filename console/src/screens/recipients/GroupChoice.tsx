import { useQuery } from "@tanstack/react-query";
import { ChoiceField } from "~/kit/Chooser";
import { noChoice, useChoiceSearch } from "~/kit/choosing";
import { groupChoicesQuery } from "./data";

interface GroupChoiceProps {
  tenantId: string;
  label: string;
  /** The group's key; empty: none is chosen yet. */
  value: string;
  onChange: (key: string) => void;
  error?: string | undefined;
}

/** Chooses a group by a part of its key or name. */
export function GroupChoice({ tenantId, label, value, onChange, error }: GroupChoiceProps) {
  const { asked, onSearch } = useChoiceSearch();
  const found = useQuery(groupChoicesQuery(tenantId, asked));
  const nothing = asked ? "No group matches." : "There is no group. Your programs make groups by the API.";
  return (
    <ChoiceField
      label={label}
      choices={(found.data ?? []).map((one) => ({
        value: one.key,
        label: one.key,
        detail: [one.name, one.members === 1 ? "1 person" : `${one.members.toLocaleString()} people`]
          .filter(Boolean)
          .join(", "),
      }))}
      chosen={value ? { value, label: value } : null}
      onChoose={(choice) => onChange(choice.value)}
      onSearch={onSearch}
      find="A part of a key or a name"
      none={noChoice(found, nothing)}
      error={error}
    />
  );
}
