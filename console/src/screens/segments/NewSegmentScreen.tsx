import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { may, useSession } from "~/api/session";
import { Page } from "~/kit/Page";
import { notify } from "~/kit/Toast";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { newTest, toFilter } from "./filter";
import { type Entered, SegmentForm } from "./SegmentForm";

export const lazyRoute = createLazyRoute("/frame/segments/new")({ component: NewSegmentScreen });

const START: Entered = { key: "", name: "", filter: toFilter({ kind: "all", parts: [newTest("tags")] }) };

function NewSegmentScreen() {
  const tenantId = useTenantId();
  return (
    <Page title="New segment" text="Say who is in it. The count beside it is that of now.">
      {tenantId ? <NewSegment key={tenantId} tenantId={tenantId} /> : <TenantNeeded what="segments" />}
    </Page>
  );
}

function NewSegment({ tenantId }: { tenantId: string }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const session = useSession();
  const tenant = useTenant();
  const create = useMutation({
    mutationFn: (body: Entered) =>
      answer(api.POST("/api/v1/admin/tenants/{id}/segments", { params: { path: { id: tenantId } }, body })),
    onSuccess: (made) => {
      notify(`${made.name} is stored.`);
      void queries.invalidateQueries({ queryKey: ["segments", tenantId] });
      void navigate({ to: "/segments/$segmentId", params: { segmentId: made.id } });
    },
  });
  return (
    <SegmentForm
      tenantId={tenantId}
      start={START}
      isStored={false}
      action="Create segment"
      mayChange={may(session, "operator", tenant)}
      mayCount={may(session, "developer", tenant)}
      isBusy={create.isPending}
      error={create.error}
      onSubmit={create.mutate}
    />
  );
}
