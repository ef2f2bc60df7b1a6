import { Problem } from "~/api/problem";
import { CheckField, TextArea, TextField } from "~/kit/Field";
import { FieldGroup, FieldRow } from "~/kit/Form";
import { channelName } from "~/shell/channels";

/** The channels that reach people. */
export const CHANNELS = ["EMAIL", "SMS", "PUSH"] as const;
type Channel = (typeof CHANNELS)[number];

/** What a form of a recipient holds. tags: with commas between them. data: JSON. */
export interface Entered {
  name: string;
  email: string;
  phone: string;
  locale: string;
  timezone: string;
  tags: string;
  muted: readonly string[];
  data: string;
}

export const NOBODY: Entered = {
  name: "",
  email: "",
  phone: "",
  locale: "",
  timezone: "",
  tags: "",
  muted: [],
  data: "{}",
};

/** The tenant's own fields are no JSON object. */
class WrongData extends Error {}

/** Return what is wrong with a field, or with one of its values. */
export function faultOf(error: Error | null, field: string): string | undefined {
  if (error instanceof WrongData) {
    return field === "data" ? error.message : undefined;
  }
  const faults = error instanceof Problem ? [...error.fields] : [];
  return faults.find(([name]) => name === field || name.startsWith(`${field}[`))?.[1];
}

/** Return what a form holds as the API has it. Throws an Error if the own fields are no JSON object. */
export function bodyOf({ tags, muted, data, ...rest }: Entered) {
  let own: unknown;
  try {
    own = JSON.parse(data.trim() || "{}");
  } catch (error) {
    throw new WrongData(`The own fields are not JSON: ${error instanceof Error ? error.message : ""}`);
  }
  if (typeof own !== "object" || own === null || Array.isArray(own)) {
    throw new WrongData("The own fields are a JSON object, such as {}.");
  }
  return {
    ...rest,
    tags: tags
      .split(",")
      .map((one) => one.trim())
      .filter(Boolean),
    muted_channels: CHANNELS.filter((one) => muted.includes(one)) as Channel[],
    data: own as Record<string, unknown>,
  };
}

interface FieldsProps {
  entered: Entered;
  set: (change: Partial<Entered>) => void;
  error: (field: string) => string | undefined;
}

/** The fields of a recipient. */
export function RecipientFields({ entered, set, error }: FieldsProps) {
  return (
    <>
      <TextField
        label="Name"
        isOptional
        value={entered.name}
        autoComplete="off"
        onChange={(event) => set({ name: event.target.value })}
        error={error("name")}
      />
      <FieldRow>
        <TextField
          label="E-mail"
          isOptional
          value={entered.email}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => set({ email: event.target.value })}
          error={error("email")}
        />
        <TextField
          label="Phone"
          isOptional
          placeholder="+254712345678"
          value={entered.phone}
          autoComplete="off"
          onChange={(event) => set({ phone: event.target.value })}
          error={error("phone")}
        />
      </FieldRow>
      <FieldRow>
        <TextField
          label="Language"
          isOptional
          placeholder="sw-KE"
          value={entered.locale}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => set({ locale: event.target.value })}
          error={error("locale")}
        />
        <TextField
          label="Time zone"
          isOptional
          placeholder="Africa/Nairobi"
          value={entered.timezone}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => set({ timezone: event.target.value })}
          error={error("timezone")}
        />
      </FieldRow>
      <TextField
        label="Tags"
        isOptional
        help="With commas between them."
        value={entered.tags}
        autoComplete="off"
        onChange={(event) => set({ tags: event.target.value })}
        error={error("tags")}
      />
      <FieldGroup legend="Wants nothing on" error={error("muted_channels")}>
        {CHANNELS.map((channel) => (
          <CheckField
            key={channel}
            label={channelName(channel)}
            checked={entered.muted.includes(channel)}
            onChange={(event) =>
              set({
                muted: event.target.checked
                  ? [...entered.muted, channel]
                  : entered.muted.filter((one) => one !== channel),
              })
            }
          />
        ))}
      </FieldGroup>
      <TextArea
        label="The tenant’s own fields"
        isOptional
        help="A JSON object. Templates have them as contact fields, rules as contact.data."
        isMono
        rows={5}
        spellCheck={false}
        value={entered.data}
        onChange={(event) => set({ data: event.target.value })}
        error={error("data")}
      />
    </>
  );
}
