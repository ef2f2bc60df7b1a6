import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { may, useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { Card, Page } from "~/kit/Page";
import { notify } from "~/kit/Toast";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { ScheduleForm, type Wanted } from "./ScheduleForm";

export const lazyRoute = createLazyRoute("/frame/schedules/new")({ component: NewScheduleScreen });

function NewScheduleScreen() {
  const tenantId = useTenantId();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const mayCreate = may(useSession(), "developer", useTenant());
  const create = useMutation({
    mutationFn: (body: Wanted) =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/schedules", {
          params: { path: { id: tenantId ?? "" } },
          body,
        }),
      ),
    onSuccess: (made) => {
      notify("The schedule was created.");
      void queries.invalidateQueries({ queryKey: ["schedules"] });
      void navigate({ to: "/schedules/$scheduleId", params: { scheduleId: made.id } });
    },
  });
  return (
    <Page
      title="Create a schedule"
      text="It starts at once; the times below show when its event is sent first."
      actions={<LinkButton to="/schedules">All schedules</LinkButton>}
    >
      {tenantId ? (
        <Card title="Settings">
          {mayCreate ? null : <p>Your role may not create schedules. A developer of this tenant can.</p>}
          <ScheduleForm
            tenantId={tenantId}
            action="Create schedule"
            onSubmit={(wanted) => create.mutate(wanted)}
            isBusy={create.isPending}
            isDisabled={!mayCreate}
            error={create.error}
          />
        </Card>
      ) : (
        <TenantNeeded what="schedules" />
      )}
    </Page>
  );
}
