import { Plus, X } from "lucide-react";
import type { Schemas } from "~/api/client";
import { Button, IconButton } from "~/kit/Button";
import { SelectField, TextField } from "~/kit/Field";
import { FieldGroup } from "~/kit/Form";
import styles from "./recipients.module.css";

/** A device as a form holds it. isStored: its token is as the API shows it, and is sent back so. */
export type Device = Schemas["DeviceToken"] & { isStored: boolean };

const KINDS: Readonly<Record<string, string>> = {
  fcm: "Firebase (FCM)",
  apns: "Apple (APNs)",
  expo: "Expo",
};

/** Return what a kind of device token is called. */
export function kindName(kind: string): string {
  return KINDS[kind] ?? kind;
}

interface DeviceFieldsProps {
  devices: readonly Device[];
  onChange: (devices: readonly Device[]) => void;
  /** What is wrong with a field, by the API's name of it. */
  error: (field: string) => string | undefined;
}

/** The tokens of somebody's devices. Those that are stored can be removed, and others added. */
export function DeviceFields({ devices, onChange, error }: DeviceFieldsProps) {
  const change = (index: number, changed: Partial<Device>) =>
    onChange(devices.map((one, place) => (place === index ? { ...one, ...changed } : one)));
  return (
    <FieldGroup
      legend="Tokens of devices"
      help="The tokens by which push services know the devices. They are shown without their middle."
      error={error("device_tokens")}
    >
      {devices.map(({ kind, token, isStored }, index) => {
        const at = `device_tokens[${index}]`;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a device is known by its place
          <div key={index} className={styles.line}>
            <SelectField
              label={`Service ${index + 1}`}
              value={kind}
              disabled={isStored}
              error={error(`${at}.kind`)}
              onChange={(event) => change(index, { kind: event.target.value as Device["kind"] })}
            >
              {Object.entries(KINDS).map(([one, name]) => (
                <option key={one} value={one}>
                  {name}
                </option>
              ))}
            </SelectField>
            <TextField
              label={`Token ${index + 1}`}
              isMono
              value={token}
              readOnly={isStored}
              autoComplete="off"
              spellCheck={false}
              error={error(`${at}.token`)}
              onChange={(event) => change(index, { token: event.target.value })}
            />
            <IconButton
              label={`Remove token ${index + 1}`}
              onClick={() => onChange(devices.toSpliced(index, 1))}
            >
              <X aria-hidden />
            </IconButton>
          </div>
        );
      })}
      <div>
        <Button
          size="small"
          onClick={() => onChange([...devices, { kind: "fcm", token: "", isStored: false }])}
        >
          <Plus aria-hidden /> Add a token
        </Button>
      </div>
    </FieldGroup>
  );
}
