import { useMutation, useQuery } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { may, useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { TextField } from "~/kit/Field";
import { Form } from "~/kit/Form";
import { Card, Page } from "~/kit/Page";
import { notify } from "~/kit/Toast";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { EventFields } from "./EventFields";
import { type Entered, eventOf, NOTHING } from "./eventFields";

export const lazyRoute = createLazyRoute("/frame/triggers/new")({ component: NewTriggerScreen });

function NewTriggerScreen() {
  const tenantId = useTenantId();
  return (
    <Page
      title="Send an event"
      text="It starts the workflows of its type, or one that you choose; now or later. It is sent for real."
      actions={<LinkButton to="/triggers">All triggers</LinkButton>}
    >
      {tenantId ? <SendForm key={tenantId} tenantId={tenantId} /> : <TenantNeeded what="an event" />}
    </Page>
  );
}

function SendForm({ tenantId }: { tenantId: string }) {
  const { workflow } = lazyRoute.useSearch();
  const navigate = useNavigate();
  const maySend = may(useSession(), "developer", useTenant());
  const [entered, setEntered] = useState<Entered>(NOTHING);
  const [due, setDue] = useState("");
  // Another form is another event; the same one, sent again because no answer came, is not.
  const [key] = useState(() => crypto.randomUUID());
  const change = (changes: Partial<Entered>) => setEntered((before) => ({ ...before, ...changes }));
  useChosen(tenantId, workflow, change);
  const send = useMutation({
    mutationFn: async () => {
      const body = {
        ...eventOf(entered),
        due_at: due ? new Date(due).toISOString() : null,
        idempotency_key: `console-${key}`,
      };
      return answer(
        api.POST("/api/v1/admin/tenants/{id}/events", { params: { path: { id: tenantId } }, body }),
      );
    },
    onSuccess: (accepted) => {
      notify(due ? "The event waits for its time." : "The event was accepted.");
      void navigate({ to: "/triggers/$eventId", params: { eventId: accepted.event_id } });
    },
  });
  return (
    <Card title="The event">
      <Form
        action="Send the event"
        onSubmit={() => send.mutate()}
        isBusy={send.isPending}
        isDisabled={!maySend}
        error={send.error}
      >
        <EventFields tenantId={tenantId} entered={entered} onChange={change} error={send.error} />
        <TextField
          label="When"
          isOptional
          help="In your time zone; empty: now"
          type="datetime-local"
          value={due}
          error={send.error instanceof Problem ? send.error.fields.get("due_at") : undefined}
          onChange={(event) => setDue(event.target.value)}
        />
      </Form>
    </Card>
  );
}

/** Choose the workflow that the URL names, with its event type. */
function useChosen(
  tenantId: string,
  workflow: string | undefined,
  onFound: (changes: Partial<Entered>) => void,
): void {
  const found = useQuery({
    queryKey: ["workflows", tenantId, workflow],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/workflows/{workflow_id}", {
          params: { path: { id: tenantId, workflow_id: workflow ?? "" } },
          signal,
        }),
      ),
    enabled: workflow !== undefined,
  }).data;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the workflow is known
  useEffect(() => {
    if (found) {
      onFound({ workflowId: found.id, eventType: found.event_type });
    }
  }, [found?.id]);
}
