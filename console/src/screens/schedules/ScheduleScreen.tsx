import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { isNotFound } from "~/api/problem";
import { may, useSession } from "~/api/session";
import { Button, LinkButton } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, Facts, Page } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { notify, notifyError } from "~/kit/Toast";
import { FindTenant } from "~/shell/FindTenant";
import { NotOfTenant } from "~/shell/NotOfTenant";
import { useTenant, useTenantId } from "~/shell/tenants";
import { type ScheduleWithTimes, scheduleQuery } from "./queries";
import { ScheduleForm } from "./ScheduleForm";
import { errorName, ScheduleBadge, ZonedTime, zoneName } from "./words";

export const lazyRoute = createLazyRoute("/frame/schedules/$scheduleId")({ component: ScheduleScreen });

function ScheduleScreen() {
  const { scheduleId } = useParams({ from: "/frame/schedules/$scheduleId" });
  const tenantId = useTenantId();
  if (tenantId === undefined) {
    return (
      <Page title="Schedule">
        <FindTenant key={scheduleId} kind="schedule" id={scheduleId} what="schedules" />
      </Page>
    );
  }
  return <OfTenant key={`${tenantId} ${scheduleId}`} tenantId={tenantId} scheduleId={scheduleId} />;
}

function OfTenant({ tenantId, scheduleId }: { tenantId: string; scheduleId: string }) {
  const { data, error, refetch } = useQuery(scheduleQuery(tenantId, scheduleId));
  if (data) {
    return <One schedule={data} />;
  }
  if (isNotFound(error)) {
    return <NotOfTenant what="schedule" list={<LinkButton to="/schedules">All schedules</LinkButton>} />;
  }
  return (
    <Page title="Schedule">
      {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Loading />}
    </Page>
  );
}

function One({ schedule }: { schedule: ScheduleWithTimes }) {
  const mayChange = may(useSession(), "developer", useTenant());
  const change = useChange(schedule);
  return (
    <Page
      title={schedule.name}
      heading={<bdi>{schedule.name}</bdi>}
      actions={
        <>
          {mayChange ? <Actions schedule={schedule} /> : null}
          <LinkButton to="/schedules">All schedules</LinkButton>
        </>
      }
    >
      <Card title="Times">
        <Facts
          facts={[
            ["State", <ScheduleBadge key="state" schedule={schedule} />],
            ["Meaning", `${schedule.in_words || schedule.cron}, ${zoneName(schedule.timezone)}`],
            ["Last", <Last key="last" schedule={schedule} />],
            [
              "Last time",
              schedule.last_error
                ? `No event: ${errorName(schedule.last_error)}. ${schedule.last_error_detail ?? ""}`
                : null,
            ],
            [
              "Next",
              schedule.next_times.length > 0 ? (
                <ul key="next">
                  {schedule.next_times.map((at) => (
                    <li key={at}>
                      <ZonedTime at={at} timezone={schedule.timezone} />
                    </li>
                  ))}
                </ul>
              ) : (
                "none"
              ),
            ],
          ]}
        />
      </Card>
      <Card title="Settings">
        {mayChange ? null : <p>Your role may not change schedules. A developer of this tenant can.</p>}
        <ScheduleForm
          key={schedule.updated_at}
          tenantId={schedule.tenant_id}
          schedule={schedule}
          action="Save"
          onSubmit={(wanted) => change.mutate(wanted, { onSuccess: () => notify("Saved.") })}
          isBusy={change.isPending}
          isDisabled={!mayChange}
          error={change.error}
        />
      </Card>
    </Page>
  );
}

function Last({ schedule }: { schedule: ScheduleWithTimes }) {
  if (!schedule.last_at) {
    return "not yet";
  }
  return schedule.last_event_id ? (
    <Link to="/messages/$eventId" params={{ eventId: schedule.last_event_id }}>
      <Time at={schedule.last_at} />
    </Link>
  ) : (
    <Time at={schedule.last_at} />
  );
}

function useChange(schedule: ScheduleWithTimes) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas["ScheduleChange"]) =>
      answer(
        api.PATCH("/api/v1/admin/tenants/{id}/schedules/{schedule_id}", {
          params: { path: { id: schedule.tenant_id, schedule_id: schedule.id } },
          body,
        }),
      ),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["schedules"] }),
  });
}

function Actions({ schedule }: { schedule: ScheduleWithTimes }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const change = useChange(schedule);
  const [asks, setAsks] = useState(false);
  const remove = useMutation({
    mutationFn: () =>
      answer(
        api.DELETE("/api/v1/admin/tenants/{id}/schedules/{schedule_id}", {
          params: { path: { id: schedule.tenant_id, schedule_id: schedule.id } },
        }),
      ),
    onSuccess: async () => {
      notify("The schedule was deleted.");
      await navigate({ to: "/schedules" });
      void queries.invalidateQueries({ queryKey: ["schedules"] });
    },
  });
  return (
    <>
      <Button
        isBusy={change.isPending}
        onClick={() => change.mutate({ active: !schedule.active }, { onError: notifyError })}
      >
        {schedule.active ? "Pause" : "Resume"}
      </Button>
      <Button look="danger" onClick={() => setAsks(true)}>
        Delete
      </Button>
      <Confirm
        isOpen={asks}
        onClose={() => setAsks(false)}
        title="Delete this schedule?"
        text="Its event is not sent any more. What it has sent stays among the messages."
        action="Delete the schedule"
        onSubmit={() => remove.mutate()}
        isBusy={remove.isPending}
        error={remove.error}
      />
    </>
  );
}
