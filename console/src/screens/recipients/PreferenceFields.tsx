import { Plus, X } from "lucide-react";
import type { Schemas } from "~/api/client";
import { Button, IconButton } from "~/kit/Button";
import { SelectField, TextField } from "~/kit/Field";
import { FieldGroup } from "~/kit/Form";
import { channelName } from "~/shell/channels";
import { CHANNELS } from "./fields";
import styles from "./recipients.module.css";

type Preference = Schemas["CategoryPreference"];

interface PreferenceFieldsProps {
  preferences: readonly Preference[];
  onChange: (preferences: readonly Preference[]) => void;
  /** What is wrong with a field, by the API's name of it. */
  error: (field: string) => string | undefined;
}

/** What somebody wants of single categories of messages, on each channel. */
export function PreferenceFields({ preferences, onChange, error }: PreferenceFieldsProps) {
  const change = (index: number, changed: Partial<Preference>) =>
    onChange(preferences.map((one, place) => (place === index ? { ...one, ...changed } : one)));
  return (
    <FieldGroup
      legend="Single categories"
      help="A category is what workflows and direct messages name as theirs, such as news."
      error={error("category_preferences")}
    >
      {preferences.map(({ channel, category, wanted }, index) => {
        const at = `category_preferences[${index}]`;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a preference is known by its place
          <div key={index} className={styles.line}>
            <SelectField
              label={`Channel ${index + 1}`}
              value={channel}
              error={error(`${at}.channel`)}
              onChange={(event) => change(index, { channel: event.target.value as Preference["channel"] })}
            >
              {CHANNELS.map((one) => (
                <option key={one} value={one}>
                  {channelName(one)}
                </option>
              ))}
            </SelectField>
            <TextField
              label={`Category ${index + 1}`}
              value={category}
              autoComplete="off"
              spellCheck={false}
              error={error(`${at}.category`)}
              onChange={(event) => change(index, { category: event.target.value })}
            />
            <SelectField
              label={`Wanted ${index + 1}`}
              value={wanted ? "yes" : "no"}
              onChange={(event) => change(index, { wanted: event.target.value === "yes" })}
            >
              <option value="no">Does not want it</option>
              <option value="yes">Wants it</option>
            </SelectField>
            <IconButton
              label={`Remove preference ${index + 1}`}
              onClick={() => onChange(preferences.toSpliced(index, 1))}
            >
              <X aria-hidden />
            </IconButton>
          </div>
        );
      })}
      <div>
        <Button
          size="small"
          onClick={() => onChange([...preferences, { channel: "EMAIL", category: "", wanted: false }])}
        >
          <Plus aria-hidden /> Add a category
        </Button>
      </div>
    </FieldGroup>
  );
}
