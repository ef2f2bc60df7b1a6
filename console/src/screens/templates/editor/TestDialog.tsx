import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { FormDialog } from "~/kit/Dialog";
import { SelectField, TextField } from "~/kit/Field";
import { tenantsQuery, useTenantId } from "~/shell/tenants";
import { FollowEvent } from "../../test-send/FollowEvent";
import { ADDRESSES, lastRecipient, rememberRecipient, sendTest } from "../../test-send/send";
import type { Template } from "../data";
import type { SampleState } from "../samples/useSample";
import type { Place } from "./draft";

interface TestDialogProps {
  isOpen: boolean;
  onClose: () => void;
  place: Place;
  newest: Template | null;
  isChanged: boolean;
  sample: SampleState;
  /** Save what is written; null: it was not saved. */
  save: () => Promise<Template | null>;
}

/** Sends what is in the editor to one address. What is not saved is saved first, as a version that is not active. */
export function TestDialog({ isOpen, onClose, place, newest, isChanged, sample, save }: TestDialogProps) {
  const address = ADDRESSES[place.channel];
  const inSight = useTenantId() ?? "";
  const tenants = useQuery(tenantsQuery).data ?? [];
  const [recipient, setRecipient] = useState(lastRecipient);
  const [chosen, setChosen] = useState("");
  const [eventId, setEventId] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const [isBusy, setBusy] = useState(false);
  const tenantId = place.tenant_id ?? (chosen || inSight);
  const savesFirst = isChanged || newest === null;
  const send = async () => {
    setBusy(true);
    setError(null);
    setEventId("");
    try {
      const version = savesFirst ? await save() : newest;
      if (version === null) {
        onClose(); // the editor says why it was not saved
        return;
      }
      rememberRecipient(recipient);
      setEventId(await sendTest(version.id, tenantId, recipient, sample.variables));
    } catch (problem) {
      setError(problem instanceof Error ? problem : new Error(String(problem)));
    } finally {
      setBusy(false);
    }
  };
  return (
    <FormDialog
      isOpen={isOpen}
      onClose={onClose}
      title="Send a test"
      text={
        savesFirst
          ? "Your changes are saved as a version first. It is not activated: only the test uses it."
          : `Version ${newest.version} is sent with the sample, through the tenant's provider.`
      }
      action={savesFirst ? "Save and send" : "Send"}
      onSubmit={() => void send()}
      isBusy={isBusy}
      error={error}
      isDisabled={recipient[address.field].trim() === "" || tenantId === ""}
      isDone={eventId !== ""}
    >
      {place.tenant_id === null ? (
        <SelectField
          label="Through which tenant"
          value={tenantId}
          onChange={(event) => setChosen(event.target.value)}
        >
          <option value="">Choose a tenant</option>
          {tenants.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </SelectField>
      ) : null}
      <TextField
        label={address.label}
        help={address.help}
        type={address.type}
        value={recipient[address.field]}
        onChange={(event) => setRecipient({ ...recipient, [address.field]: event.target.value })}
      />
      {eventId ? <FollowEvent key={eventId} eventId={eventId} /> : null}
    </FormDialog>
  );
}
