import { type FormEvent, useState } from "react";
import { Problem } from "~/api/problem";
import { Button } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { TextField } from "~/kit/Field";
import { useFirstFault } from "~/kit/useFirstFault";
import { initial, type Values } from "./form";
import styles from "./Providers.module.css";
import type { Provider, ProviderKind } from "./queries";
import { SettingField } from "./SettingField";

export interface Entered {
  name: string;
  values: Values;
  removed: ReadonlySet<string>;
}

interface ProviderFormProps {
  kind: ProviderKind;
  /** Absent: a new one. */
  provider?: Provider;
  action: string;
  onSubmit: (entered: Entered) => void;
  isBusy: boolean;
  error: Error | null;
  isReadOnly?: boolean;
}

/** The form of a kind of provider, made from what the API says about it. */
export function ProviderForm({
  kind,
  provider,
  action,
  onSubmit,
  isBusy,
  error,
  isReadOnly = false,
}: ProviderFormProps) {
  const [name, setName] = useState(provider?.name ?? "");
  const [values, setValues] = useState(() => initial(kind.settings, provider?.settings));
  const [removed, setRemoved] = useState<ReadonlySet<string>>(new Set());
  const form = useFirstFault(error, isBusy);
  const fields = error instanceof Problem ? error.fields : new Map<string, string>();
  const labels = new Map([
    ["name", "Name"],
    ...kind.settings.map((one) => [`settings.${one.name}`, one.label] as const),
  ]);
  const isAtFields = fields.size > 0 && [...fields.keys()].every((field) => labels.has(field));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy) {
      onSubmit({ name, values, removed });
    }
  };
  return (
    <form
      ref={form}
      className={styles.form}
      onSubmit={submit}
      aria-label={`Settings of ${kind.title}`}
      noValidate
    >
      <fieldset className={styles.fields} disabled={isReadOnly}>
        <TextField
          label="Name"
          help="How you call it, for example what it is used for."
          isOptional
          name="name"
          value={name}
          placeholder={kind.kind}
          onChange={(event) => setName(event.target.value)}
          error={fields.get("name")}
          autoComplete="off"
        />
        {kind.settings.map((setting) => (
          <SettingField
            key={setting.name}
            setting={setting}
            value={values[setting.name] ?? ""}
            onChange={(value) => setValues({ ...values, [setting.name]: value })}
            error={fields.get(`settings.${setting.name}`)}
            stored={storedSecret(provider, setting.name, setting.secret)}
            isRemoved={removed.has(setting.name)}
            onRemove={(isRemoved) => setRemoved(withName(removed, setting.name, isRemoved))}
          />
        ))}
      </fieldset>
      {error ? (
        isAtFields ? (
          <p role="alert" className={styles.wrong}>
            {fields.size === 1 ? "A setting is wrong" : `${fields.size} settings are wrong`}:{" "}
            {[...fields.keys()].map((field) => labels.get(field)).join(", ")}. The reason stands below{" "}
            {fields.size === 1 ? "it" : "each"}.
          </p>
        ) : (
          <ErrorNote error={error} />
        )
      ) : null}
      {isReadOnly ? null : (
        <div>
          <Button type="submit" look="primary" isBusy={isBusy}>
            {action}
          </Button>
        </div>
      )}
    </form>
  );
}

function storedSecret(provider: Provider | undefined, name: string, isSecret: boolean): string | undefined {
  const stored = isSecret ? (provider?.settings as Record<string, unknown> | undefined)?.[name] : undefined;
  return typeof stored === "string" ? stored : undefined;
}

function withName(names: ReadonlySet<string>, name: string, isIn: boolean): ReadonlySet<string> {
  const next = new Set(names);
  if (isIn) {
    next.add(name);
  } else {
    next.delete(name);
  }
  return next;
}
