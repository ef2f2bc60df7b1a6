import type { ReactNode } from "react";
import { CheckField, SelectField, TextArea, TextField } from "~/kit/Field";
import type { Setting } from "./queries";

interface SettingFieldProps {
  setting: Setting;
  value: string | boolean;
  onChange: (value: string | boolean) => void;
  error: string | undefined;
  /** Of a secret that is stored: its end, such as "…ab12". */
  stored?: string | undefined;
  isRemoved?: boolean;
  onRemove?: (isRemoved: boolean) => void;
}

/** One setting of a provider, as its kind describes it. */
export function SettingField({ setting, value, onChange, error, ...secret }: SettingFieldProps) {
  const common = {
    label: setting.label,
    help: helpOf(setting),
    error,
    isOptional: !setting.required && setting.default === "",
  };
  if (setting.type === "boolean") {
    return (
      <CheckField
        label={setting.label}
        help={common.help}
        checked={value === true}
        onChange={(event) => onChange(event.target.checked)}
      />
    );
  }
  const text = String(value);
  const controlled = {
    name: setting.name,
    value: text,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
    spellCheck: false,
    autoComplete: "off",
    "aria-required": setting.required,
  };
  if (setting.type === "choice") {
    return (
      <SelectField {...common} name={setting.name} value={text} onChange={controlled.onChange}>
        {setting.choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </SelectField>
    );
  }
  if (setting.secret) {
    return <SecretField {...common} {...secret} controlled={controlled} example={setting.example} />;
  }
  if (setting.multiline) {
    return <TextArea {...common} {...controlled} isMono placeholder={setting.example ?? ""} />;
  }
  const isNumber = setting.type === "number";
  return (
    <TextField
      {...common}
      {...controlled}
      placeholder={setting.example ?? ""}
      {...(isNumber && { inputMode: "numeric" as const })}
    />
  );
}

interface SecretFieldProps extends Pick<SettingFieldProps, "stored" | "isRemoved" | "onRemove"> {
  label: string;
  help: ReactNode;
  error: string | undefined;
  isOptional: boolean;
  controlled: object;
  example: string | null;
}

/** A secret is shown by its end only, and replaced only if something is typed. */
function SecretField({
  stored,
  isRemoved = false,
  onRemove,
  controlled,
  example,
  help,
  ...common
}: SecretFieldProps) {
  const kept = stored ? `Stored: ${stored}. Leave it empty to keep it.` : null;
  return (
    <>
      <TextField
        {...common}
        {...controlled}
        help={
          kept ? (
            <>
              {help} {kept}
            </>
          ) : (
            help
          )
        }
        type="password"
        autoComplete="new-password"
        placeholder={stored ?? example ?? ""}
        disabled={isRemoved}
      />
      {stored && common.isOptional && onRemove ? (
        <CheckField
          label={`Remove the stored value of ${common.label}`}
          checked={isRemoved}
          onChange={(event) => onRemove(event.target.checked)}
        />
      ) : null}
    </>
  );
}

function helpOf(setting: Setting): ReactNode {
  const bounds =
    setting.minimum !== null && setting.maximum !== null
      ? ` From ${setting.minimum.toLocaleString()} to ${setting.maximum.toLocaleString()}.`
      : "";
  return `${setting.help}${bounds}`;
}
