import type { Problem } from "~/api/problem";
import { CheckField, TextField } from "~/kit/Field";
import { FieldGroup, FieldRow } from "~/kit/Form";
import type { Tenant } from "./queries";

export type Channel = Tenant["delivery_channels"][number];

const CHANNELS: readonly { channel: Channel; label: string }[] = [
  { channel: "EMAIL", label: "E-mail" },
  { channel: "SMS", label: "SMS" },
  { channel: "PUSH", label: "Push" },
  { channel: "WEBHOOK", label: "Webhooks to endpoints" },
];

/** What a person enters about a tenant. */
export interface Identity {
  name: string;
  sender_name: string;
  sender_email: string;
  reply_to: string;
  delivery_channels: Channel[];
}

export const NOTHING: Identity = {
  name: "",
  sender_name: "",
  sender_email: "",
  reply_to: "",
  delivery_channels: [],
};

interface FieldsProps {
  value: Identity;
  onChange: (value: Identity) => void;
  problem: Problem | null;
  isDisabled?: boolean;
}

/** Name, sender and channels of a tenant. */
export function IdentityFields({ value, onChange, problem, isDisabled = false }: FieldsProps) {
  const field = (name: "name" | "sender_name" | "sender_email" | "reply_to") => ({
    value: value[name],
    error: problem?.fields.get(name),
    disabled: isDisabled,
    onChange: (event: { target: { value: string } }) => onChange({ ...value, [name]: event.target.value }),
  });
  return (
    <>
      <TextField label="Name" required maxLength={200} autoComplete="off" {...field("name")} />
      <FieldRow>
        <TextField
          label="Sender name"
          isOptional
          maxLength={256}
          help="Shown as the sender of e-mails."
          {...field("sender_name")}
        />
        <TextField
          label="Sender address"
          isOptional
          type="email"
          help="E-mails come from it. Empty: from the address of the provider."
          {...field("sender_email")}
        />
        <TextField
          label="Reply to"
          isOptional
          type="email"
          help="Where replies to e-mails go."
          {...field("reply_to")}
        />
      </FieldRow>
      <ChannelFields value={value} onChange={onChange} problem={problem} isDisabled={isDisabled} />
    </>
  );
}

function ChannelFields({ value, onChange, isDisabled }: FieldsProps) {
  const chosen = value.delivery_channels;
  const set = (channel: Channel, isOn: boolean) =>
    onChange({
      ...value,
      delivery_channels: CHANNELS.map((one) => one.channel).filter((one) =>
        one === channel ? isOn : chosen.includes(one),
      ),
    });
  return (
    <FieldGroup
      legend="Channels"
      help={
        chosen.length === 0
          ? "All channels deliver. Tick some to allow only these."
          : "Only the ticked channels deliver messages of this tenant."
      }
    >
      {CHANNELS.map(({ channel, label }) => (
        <CheckField
          key={channel}
          label={label}
          checked={chosen.includes(channel)}
          disabled={isDisabled ?? false}
          onChange={(event) => set(channel, event.target.checked)}
        />
      ))}
    </FieldGroup>
  );
}
