import { useQuery } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Problem } from "~/api/problem";
import { Button, IconButton } from "~/kit/Button";
import { CodeBlock } from "~/kit/Copy";
import { ErrorNote } from "~/kit/ErrorNote";
import { SelectField, TextField } from "~/kit/Field";
import { useFirstFault } from "~/kit/useFirstFault";
import styles from "./Endpoints.module.css";
import { type Entered, type HeaderRow, initial } from "./endpointForm";
import { applicationsQuery, type Endpoint, environmentsQuery } from "./queries";
import { MODES } from "./words";

const MOST_HEADERS = 20;
const LABELS: Readonly<Record<string, string>> = {
  mode: "Mode",
  url: "URL",
  description: "Description",
  rate_per_s: "Messages a second",
  auth_username: "User name",
  auth_password: "Password",
};
// The error of a refused address names this setting.
const ALLOW = "CLARION_EGRESS_WEBHOOK_ALLOW";

interface EndpointFormProps {
  tenantId: string;
  endpoint?: Endpoint;
  action: string;
  onSubmit: (entered: Entered) => void;
  isBusy: boolean;
  error: Error | null;
  isReadOnly?: boolean;
}

/** Where an endpoint's messages go and how. Kind, environment and application are chosen once. */
export function EndpointForm(props: EndpointFormProps) {
  const { tenantId, endpoint, action, onSubmit, isBusy, error, isReadOnly = false } = props;
  const [entered, setEntered] = useState(() => initial(endpoint));
  const set = (change: Partial<Entered>) => setEntered({ ...entered, ...change });
  const fields = error instanceof Problem ? error.fields : new Map<string, string>();
  const form = useFirstFault(error, isBusy);
  const wrong = [...fields.keys()].map((field) => LABELS[field]);
  const isAtFields = wrong.length > 0 && wrong.every((label) => label !== undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy) {
      onSubmit(entered);
    }
  };
  return (
    <form
      ref={form}
      className={styles.form}
      onSubmit={submit}
      aria-label="Settings of the endpoint"
      noValidate
    >
      <fieldset className={`${styles.set} ${styles.stack}`} disabled={isReadOnly}>
        {endpoint ? null : <Kind value={entered.kind} onChange={(kind) => set({ kind })} />}
        <SelectField
          label="Mode"
          help={
            entered.mode === "polled"
              ? "For a receiver without a public address: it reads its messages itself, with a key."
              : entered.mode === "ordered"
                ? "A message that fails holds up those behind it."
                : "A message that fails is tried again, and holds up no other."
          }
          value={entered.mode}
          onChange={(event) => set({ mode: event.target.value as Entered["mode"] })}
          error={fields.get("mode")}
        >
          {Object.entries(MODES).map(([mode, words]) => (
            <option key={mode} value={mode}>
              {words}
            </option>
          ))}
        </SelectField>
        {entered.mode === "polled" ? null : (
          <TextField
            label="URL"
            help="It gets each message as a POST, and answers with any status from 200 to 299. Its address must be public: an operator has to allow one on this machine or in a private network, with CLARION_EGRESS_WEBHOOK_ALLOW."
            type="url"
            inputMode="url"
            value={entered.url}
            placeholder="https://shop.example.com/webhooks"
            onChange={(event) => set({ url: event.target.value })}
            error={fields.has("url") ? `The URL ${fields.get("url")}` : undefined}
            autoComplete="off"
            spellCheck={false}
          />
        )}
        <TextField
          label="Description"
          help="How you call it."
          isOptional
          value={entered.description}
          onChange={(event) => set({ description: event.target.value })}
          error={fields.get("description")}
          autoComplete="off"
        />
        {endpoint ? null : <Place tenantId={tenantId} entered={entered} set={set} fields={fields} />}
        <TextField
          label="Messages a second"
          help="The most that it gets. Empty: no limit."
          isOptional
          inputMode="numeric"
          value={entered.rate}
          onChange={(event) => set({ rate: event.target.value })}
          error={fields.get("rate_per_s")}
          autoComplete="off"
        />
        {entered.mode === "polled" ? null : (
          <>
            <Headers
              rows={entered.headers}
              onChange={(headers) => set({ headers })}
              error={fields.get("headers")}
            />
            <TextField
              label="User name"
              help="For HTTP basic authentication."
              isOptional
              value={entered.username}
              onChange={(event) => set({ username: event.target.value })}
              error={fields.get("auth_username")}
              autoComplete="off"
            />
            <TextField
              label="Password"
              help={
                endpoint?.auth_username
                  ? "Stored. Leave it empty to keep it."
                  : "For HTTP basic authentication."
              }
              isOptional
              type="password"
              value={entered.password}
              onChange={(event) => set({ password: event.target.value })}
              error={fields.get("auth_password")}
              autoComplete="new-password"
            />
          </>
        )}
      </fieldset>
      {error && isAtFields ? (
        <p role="alert" className={styles.wrong}>
          Not saved: something is wrong at {wrong.join(", ")}. The reason stands below the field.
        </p>
      ) : error ? (
        <ErrorNote error={error} />
      ) : null}
      {fields.get("url")?.includes(ALLOW) ? <AllowHint /> : null}
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

/** How an operator allows a receiver on the own machine or network. */
function AllowHint() {
  return (
    <div className={styles.stack}>
      <p>
        Endpoints must have a public address, so that nobody reaches your own network with them. For
        development you can allow receivers on the machine that runs Clarion. Stop Clarion, and start it with
      </p>
      <CodeBlock text={`${ALLOW}='127.0.0.1:*' make run`} what="command" />
      <p className={styles.soft}>
        Elsewhere, set {ALLOW} for the router and the senders, such as 10.1.0.0/16:8443, and start them again.
        docs/egress.md has the details.
      </p>
    </div>
  );
}

function Kind({ value, onChange }: { value: Endpoint["kind"]; onChange: (kind: Endpoint["kind"]) => void }) {
  return (
    <SelectField
      label="Kind"
      help={
        value === "slack"
          ? "An incoming webhook of Slack: it gets a message for a Slack channel, not signed."
          : "A signed webhook, as Standard Webhooks describes it."
      }
      value={value}
      onChange={(event) => onChange(event.target.value as Endpoint["kind"])}
    >
      <option value="webhook">Webhook</option>
      <option value="slack">Slack</option>
    </SelectField>
  );
}

interface PlaceProps {
  tenantId: string;
  entered: Entered;
  set: (change: Partial<Entered>) => void;
  fields: ReadonlyMap<string, string>;
}

function Place({ tenantId, entered, set, fields }: PlaceProps) {
  const environments = useQuery(environmentsQuery(tenantId)).data ?? [];
  const applications = useQuery(applicationsQuery(tenantId)).data ?? [];
  return (
    <>
      {environments.length > 1 ? (
        <SelectField
          label="Environment"
          value={entered.environment}
          onChange={(event) => set({ environment: event.target.value })}
          error={fields.get("environment_id")}
        >
          <option value="">The default one</option>
          {environments.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </SelectField>
      ) : null}
      {applications.length > 0 ? (
        <SelectField
          label="Application"
          help="A customer of the tenant, who sees it in the portal."
          isOptional
          value={entered.application}
          onChange={(event) => set({ application: event.target.value })}
          error={fields.get("application_id")}
        >
          <option value="">None</option>
          {applications.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </SelectField>
      ) : null}
    </>
  );
}

interface HeadersProps {
  rows: readonly HeaderRow[];
  onChange: (rows: readonly HeaderRow[]) => void;
  error: string | undefined;
}

function Headers({ rows, onChange, error }: HeadersProps) {
  const edit = (key: number, change: Partial<HeaderRow>) =>
    onChange(rows.map((row) => (row.key === key ? { ...row, ...change } : row)));
  const next = Math.max(-1, ...rows.map((row) => row.key)) + 1;
  return (
    <fieldset className={styles.set}>
      <legend>Headers</legend>
      <p className={styles.soft}>Sent with each message. Values are stored encrypted and not shown again.</p>
      <div className={styles.stack}>
        {rows.map((row, place) => (
          <div key={row.key} className={styles.pair}>
            <TextField
              label={`Name of header ${place + 1}`}
              value={row.name}
              onChange={(event) => edit(row.key, { name: event.target.value })}
              autoComplete="off"
              spellCheck={false}
            />
            <TextField
              label={`Value of header ${place + 1}`}
              value={row.value}
              onChange={(event) => edit(row.key, { value: event.target.value })}
              autoComplete="off"
              spellCheck={false}
            />
            <IconButton
              label={`Remove header ${place + 1}`}
              onClick={() => onChange(rows.filter((one) => one.key !== row.key))}
            >
              <X aria-hidden />
            </IconButton>
          </div>
        ))}
        {error ? <p role="alert">{error}</p> : null}
        <div>
          <Button
            size="small"
            disabled={rows.length >= MOST_HEADERS}
            onClick={() => onChange([...rows, { key: next, name: "", value: "" }])}
          >
            <Plus aria-hidden /> Add a header
          </Button>
        </div>
      </div>
    </fieldset>
  );
}
