import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { Button } from "~/kit/Button";
import { CheckField, SelectField, TextArea } from "~/kit/Field";
import { FieldGroup, Form } from "~/kit/Form";
import { notify, notifyError } from "~/kit/Toast";
import { tenantsQuery } from "~/shell/tenants";

type Settings = Schemas["AlertSettings"];
type Kind = Settings["kinds"][number];

const KINDS: readonly (readonly [kind: Kind, label: string, help: string])[] = [
  [
    "provider",
    "Providers",
    "One fails, or refuses the tenant’s credentials; and when it accepts messages again.",
  ],
  ["endpoint", "Endpoints", "One is down or was disabled; and when it answers again."],
  ["dead_letters", "Dead letters", "100 deliveries of a tenant died within an hour."],
  ["quota", "Quotas", "A tenant has nine tenths of the unfinished events that it may have, and all of them."],
];
const ALL = KINDS.map(([kind]) => kind);

/** The form for where alerts go, and a button that tries it. */
export function AlertSettings({ settings }: { settings: Settings }) {
  const queries = useQueryClient();
  const tenants = useQuery(tenantsQuery).data ?? [];
  const [tenantId, setTenantId] = useState(settings.tenant_id ?? "");
  const [people, setPeople] = useState(settings.recipients.join("\n"));
  const [kinds, setKinds] = useState<readonly Kind[]>(settings.kinds.length > 0 ? settings.kinds : ALL);
  const save = useMutation({
    mutationFn: () =>
      answer(
        api.PUT("/api/v1/admin/alerts", {
          body: {
            tenant_id: tenantId || null,
            recipients: lines(people),
            kinds: kinds.length === ALL.length ? [] : [...kinds],
          },
        }),
      ),
    onSuccess: (saved) => {
      queries.setQueryData(["alerts"], saved);
      notify("Saved.");
    },
  });
  const test = useMutation({
    mutationFn: () => answer(api.POST("/api/v1/admin/alerts/test")),
    onSuccess: () => notify("A test alert was sent. Its trace is among the alert tenant’s messages."),
    onError: notifyError,
  });
  const problem = save.error instanceof Problem ? save.error : null;
  return (
    <>
      <Form
        action="Save"
        onSubmit={save.mutate}
        isBusy={save.isPending}
        isDisabled={kinds.length === 0}
        error={save.error}
      >
        <SelectField
          label="Alert tenant"
          help="Alerts are its events: they are sent by its providers, to its endpoints and inboxes. Best a tenant of your own, with a provider of its own."
          error={problem?.fields.get("tenant_id")}
          value={tenantId}
          onChange={(event) => setTenantId(event.target.value)}
        >
          <option value="">No alerts</option>
          {tenants.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </SelectField>
        <TextArea
          label="Recipients"
          isOptional
          help="One on each line, at most 20: e-mail addresses, or ids of recipients that the alert tenant stores. They get the platform’s templates global.alert and global.success."
          error={recipientError(problem)}
          rows={4}
          spellCheck={false}
          value={people}
          onChange={(event) => setPeople(event.target.value)}
        />
        <FieldGroup legend="Send alerts about">
          {KINDS.map(([kind, label, help]) => (
            <CheckField
              key={kind}
              label={label}
              help={help}
              checked={kinds.includes(kind)}
              onChange={(event) =>
                setKinds(ALL.filter((one) => (one === kind ? event.target.checked : kinds.includes(one))))
              }
            />
          ))}
        </FieldGroup>
      </Form>
      {settings.tenant_id ? (
        <div>
          <Button onClick={() => test.mutate()} isBusy={test.isPending}>
            Send a test alert
          </Button>{" "}
          <Link to="/messages" search={{ tenant: settings.tenant_id }}>
            Messages of the alert tenant
          </Link>
        </div>
      ) : null}
      <p className="soft">
        Endpoints of the alert tenant get alerts, too, if they subscribe to <code>clarion.provider_down</code>
        , <code>clarion.provider_recovered</code>, <code>clarion.endpoint_down</code>,{" "}
        <code>clarion.endpoint_recovered</code> and so on.
      </p>
    </>
  );
}

function lines(text: string): string[] {
  return text
    .split("\n")
    .map((one) => one.trim())
    .filter(Boolean);
}

function recipientError(problem: Problem | null): string | undefined {
  const found = [...(problem?.fields ?? [])].find(([field]) => field.startsWith("recipients"));
  return found ? `Line ${Number(/\d+/.exec(found[0])?.[0] ?? 0) + 1} ${found[1]}` : undefined;
}
