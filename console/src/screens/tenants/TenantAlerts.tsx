import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { Button } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { CheckField, TextArea } from "~/kit/Field";
import { FieldGroup, Form } from "~/kit/Form";
import { Loading } from "~/kit/Loading";
import { Card } from "~/kit/Page";
import { notify, notifyError } from "~/kit/Toast";

type Settings = Schemas["TenantAlerts"];
type Kind = Settings["kinds"][number];

const ALL: readonly Kind[] = ["provider", "endpoint"];

/** Where the alerts of one tenant go, about its own providers and endpoints. */
export function TenantAlertsCard({ tenantId }: { tenantId: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["tenants", tenantId, "alerts"],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/tenants/{id}/alerts", { params: { path: { id: tenantId } }, signal })),
  });
  return (
    <Card title="Alerts">
      <p className="soft">
        Who learns that a provider or an endpoint of this tenant fails, and that it works again. The alerts
        are messages of this tenant, so its own providers send them.
      </p>
      {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : null}
      {data ? <AlertsForm tenantId={tenantId} settings={data} /> : error ? null : <Loading />}
    </Card>
  );
}

function AlertsForm({ tenantId, settings }: { tenantId: string; settings: Settings }) {
  const queries = useQueryClient();
  const params = { path: { id: tenantId } };
  const [people, setPeople] = useState(settings.recipients.join("\n"));
  const [kinds, setKinds] = useState<readonly Kind[]>(settings.kinds.length > 0 ? settings.kinds : ALL);
  const [endpoints, setEndpoints] = useState(settings.endpoints);
  const save = useMutation({
    mutationFn: () =>
      answer(
        api.PUT("/api/v1/admin/tenants/{id}/alerts", {
          params,
          body: {
            recipients: people
              .split("\n")
              .map((one) => one.trim())
              .filter(Boolean),
            kinds: kinds.length === ALL.length ? [] : [...kinds],
            endpoints,
          },
        }),
      ),
    onSuccess: (saved) => {
      queries.setQueryData(["tenants", tenantId, "alerts"], saved);
      notify("The alerts of this tenant are saved.");
    },
  });
  const test = useMutation({
    mutationFn: () => answer(api.POST("/api/v1/admin/tenants/{id}/alerts/test", { params })),
    onSuccess: () => notify("A test alert was sent. Its trace is among the messages of this tenant."),
    onError: notifyError,
  });
  const isOn = (kind: Kind) => kinds.includes(kind);
  const turn = (kind: Kind, on: boolean) =>
    setKinds(ALL.filter((one) => (one === kind ? on : kinds.includes(one))));
  return (
    <>
      <Form
        action="Save the alerts"
        onSubmit={save.mutate}
        isBusy={save.isPending}
        isDisabled={kinds.length === 0}
        error={save.error}
      >
        <TextArea
          label="Recipients of alerts"
          isOptional
          help="One on each line, at most 20: e-mail addresses, or ids of recipients that the tenant stores."
          error={recipientError(save.error)}
          rows={3}
          spellCheck={false}
          value={people}
          onChange={(event) => setPeople(event.target.value)}
        />
        <FieldGroup legend="Send alerts about">
          <CheckField
            label="Providers"
            help="One fails, or refuses the credentials; and when it accepts messages again."
            checked={isOn("provider")}
            onChange={(event) => turn("provider", event.target.checked)}
          />
          <CheckField
            label="Endpoints"
            help="One is down or was disabled; and when it answers again."
            checked={isOn("endpoint")}
            onChange={(event) => turn("endpoint", event.target.checked)}
          />
        </FieldGroup>
        <CheckField
          label="Also send them to endpoints of this tenant"
          help="To those that subscribe to clarion.provider_down, clarion.endpoint_down and so on."
          checked={endpoints}
          onChange={(event) => setEndpoints(event.target.checked)}
        />
      </Form>
      {settings.recipients.length > 0 || settings.endpoints ? (
        <div>
          <Button onClick={() => test.mutate()} isBusy={test.isPending}>
            Send a test alert
          </Button>
        </div>
      ) : null}
    </>
  );
}

function recipientError(error: unknown): string | undefined {
  const fields = error instanceof Problem ? [...error.fields] : [];
  const found = fields.find(([field]) => field.startsWith("recipients"));
  return found ? `Line ${Number(/\d+/.exec(found[0])?.[0] ?? 0) + 1} ${found[1]}` : undefined;
}
