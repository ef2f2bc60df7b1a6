import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { ErrorNote } from "~/kit/ErrorNote";
import { CheckField, TextField } from "~/kit/Field";
import { FieldRow, Form } from "~/kit/Form";
import { Loading } from "~/kit/Loading";
import { Card } from "~/kit/Page";
import { notify } from "~/kit/Toast";
import { type Tenant, useMayChange, useOpenTenant } from "./queries";

export const lazyRoute = createLazyRoute("/frame/tenants/$tenantId/retention")({
  component: TenantRetention,
});

type Policy = Schemas["RetentionPolicy"];
type Name = keyof Policy["defaults"];

const PARTS: readonly { name: Name; label: string; help: string }[] = [
  {
    name: "events_days",
    label: "Events",
    help: "The timeline of each event, with its deliveries, attempts and dead letters.",
  },
  {
    name: "payload_days",
    label: "Content",
    help: "Variables and payload, what was sent, and what endpoints answered.",
  },
  { name: "inbox_days", label: "Inboxes", help: "What the tenant’s users find in their inbox." },
  { name: "outbox_days", label: "Outbox", help: "What sandbox providers received." },
];

function TenantRetention() {
  const tenant = useOpenTenant();
  const { data, error, refetch } = useQuery({
    queryKey: ["tenants", tenant.id, "retention"],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/retention", { params: { path: { id: tenant.id } }, signal }),
      ),
  });
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  return data ? <RetentionCard key={tenant.id} tenant={tenant} policy={data} /> : <Loading />;
}

function defaultOf(days: number | null): string {
  const amount = days?.toLocaleString(undefined, { maximumFractionDigits: 1 });
  return amount === undefined ? "default" : `default: ${amount} ${days === 1 ? "day" : "days"}`;
}

function RetentionCard({ tenant, policy }: { tenant: Tenant; policy: Policy }) {
  const queries = useQueryClient();
  const mayChange = useMayChange("operator", tenant);
  const [days, setDays] = useState<Record<Name, string>>({
    events_days: String(policy.events_days ?? ""),
    payload_days: String(policy.payload_days ?? ""),
    inbox_days: String(policy.inbox_days ?? ""),
    outbox_days: String(policy.outbox_days ?? ""),
  });
  const [keepsContent, setKeepsContent] = useState(policy.keep_content);
  const change = useMutation({
    mutationFn: () => {
      const body = Object.fromEntries(
        PARTS.map(({ name }) => [name, days[name] ? Number(days[name]) : null]),
      );
      return answer(
        api.PUT("/api/v1/admin/tenants/{id}/retention", {
          params: { path: { id: tenant.id } },
          body: { ...body, keep_content: keepsContent },
        }),
      );
    },
    onSuccess: (changed) => {
      queries.setQueryData(["tenants", tenant.id, "retention"], changed);
      notify("Saved. Older data is deleted within minutes.");
    },
  });
  const problem = change.error instanceof Problem ? change.error : null;
  return (
    <Card title="How long data is kept">
      <Form
        action="Save"
        onSubmit={change.mutate}
        isBusy={change.isPending}
        isDisabled={!mayChange}
        error={change.error}
      >
        <p>
          In days, 1 to 3650. Empty: as long as this installation keeps it, which the field shows. What is
          older is deleted and cannot be brought back.
        </p>
        <FieldRow>
          {PARTS.map(({ name, label, help }) => (
            <TextField
              key={name}
              label={label}
              help={help}
              isOptional
              type="number"
              min={1}
              max={3650}
              step={1}
              placeholder={defaultOf(policy.defaults[name])}
              value={days[name]}
              error={problem?.fields.get(name)}
              disabled={!mayChange}
              onChange={(event) => setDays({ ...days, [name]: event.target.value })}
            />
          ))}
        </FieldRow>
        <CheckField
          label="Keep what is sent"
          help="With each attempt, for as long as content is kept, so that people can see it on the message’s page."
          checked={keepsContent}
          disabled={!mayChange}
          onChange={(event) => setKeepsContent(event.target.checked)}
        />
      </Form>
    </Card>
  );
}
