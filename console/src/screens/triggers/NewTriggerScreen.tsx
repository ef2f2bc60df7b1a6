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
import { workflowQuery } from "~/screens/workflows/data";
import { FindTenant } from "~/shell/FindTenant";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { EventFields } from "./EventFields";
import { type Entered, eventToSend, startOf } from "./eventFields";
import type { NewSearch } from "./routes";

export const lazyRoute = createLazyRoute("/frame/triggers/new")({ component: NewTriggerScreen });

function NewTriggerScreen() {
  const tenantId = useTenantId();
  const named = lazyRoute.useSearch();
  return (
    <Page
      title="Send an event"
      text="It starts the workflows of its type, or one that you choose; now or later. It is sent for real."
      actions={<LinkButton to="/triggers">All triggers</LinkButton>}
    >
      {tenantId ? (
        <SendForm key={JSON.stringify([tenantId, named])} tenantId={tenantId} named={named} />
      ) : (
        <Whose {...named} />
      )}
    </Page>
  );
}

/** Finds the tenant by what the URL names. */
function Whose({ workflow, segment, recipient }: NewSearch) {
  if (workflow) {
    return <FindTenant kind="workflow" id={workflow} what="workflows" />;
  }
  if (segment) {
    return <FindTenant kind="segment" id={segment} what="segments" />;
  }
  return recipient ? (
    <FindTenant kind="recipient" id={recipient} what="recipients" />
  ) : (
    <TenantNeeded what="events" />
  );
}

function SendForm({ tenantId, named }: { tenantId: string; named: NewSearch }) {
  const navigate = useNavigate();
  const maySend = may(useSession(), "developer", useTenant());
  const [entered, setEntered] = useState<Entered>(() => startOf(named));
  const [due, setDue] = useState("");
  // Another form is another event; the same one, sent again because no answer came, is not.
  const [key] = useState(() => crypto.randomUUID());
  const change = (changes: Partial<Entered>) => setEntered((before) => ({ ...before, ...changes }));
  useEventType(tenantId, named.workflow, change);
  const send = useMutation({
    mutationFn: async () => {
      const body = {
        ...eventToSend(entered),
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
      {maySend ? null : <p>Your role may not send events. A developer of this tenant can.</p>}
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

/** Take the event type of the workflow that the URL names. */
function useEventType(
  tenantId: string,
  workflow: string | undefined,
  onFound: (changes: Partial<Entered>) => void,
): void {
  const path = { id: tenantId, workflow_id: workflow ?? "" };
  const found = useQuery({ ...workflowQuery(path), enabled: workflow !== undefined }).data;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the workflow is known
  useEffect(() => {
    if (found) {
      onFound({ eventType: found.event_type });
    }
  }, [found?.id]);
}
