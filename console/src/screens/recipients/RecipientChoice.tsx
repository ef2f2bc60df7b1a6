import { useQuery } from "@tanstack/react-query";
import { type Choice, ChoiceField } from "~/kit/Chooser";
import { noChoice, useChoiceSearch } from "~/kit/choosing";
import { recipientChoicesQuery, recipientQuery } from "./data";

interface RecipientChoiceProps {
  tenantId: string;
  label: string;
  /** The tenant's own id of them; empty: nobody is chosen yet. */
  value: string;
  onChange: (recipientId: string) => void;
  error?: string | undefined;
}

/** Chooses a stored recipient by a part of their id, name, address or number. */
export function RecipientChoice({ tenantId, label, value, onChange, error }: RecipientChoiceProps) {
  const { asked, onSearch } = useChoiceSearch();
  const found = useQuery(recipientChoicesQuery(tenantId, asked));
  const known = useQuery({ ...recipientQuery(tenantId, value), enabled: value !== "" }).data;
  const nothing = asked
    ? "No stored recipient matches."
    : "No recipient is stored. Import people, or store one.";
  return (
    <ChoiceField
      label={label}
      help={known === null ? "Nobody is stored with this id." : undefined}
      choices={(found.data ?? []).map(choiceOf)}
      chosen={value ? (known ? choiceOf(known) : { value, label: value }) : null}
      onChoose={(choice) => onChange(choice.value)}
      onSearch={onSearch}
      find="A part of an id, name, address or number"
      none={noChoice(found, nothing)}
      error={error}
    />
  );
}

interface Person {
  recipient_id: string;
  name: string;
  email: string;
  phone: string;
}

function choiceOf({ recipient_id, name, email, phone }: Person): Choice {
  const others = [recipient_id, email || phone].filter((one) => one && one !== name);
  return {
    value: recipient_id,
    label: name || recipient_id,
    detail: (name ? others : others.slice(1)).join(", "),
  };
}
