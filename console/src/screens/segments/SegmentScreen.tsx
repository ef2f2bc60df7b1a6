import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { isNotFound } from "~/api/problem";
import { may, useSession } from "~/api/session";
import { Button, LinkButton } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, EmptyState, Page } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import { ExportButton } from "~/screens/recipients/ExportButton";
import { FindTenant } from "~/shell/FindTenant";
import { NotOfTenant } from "~/shell/NotOfTenant";
import { useTenant, useTenantId } from "~/shell/tenants";
import { type Segment, segmentQuery } from "./data";
import { type Entered, SegmentForm } from "./SegmentForm";

export const lazyRoute = createLazyRoute("/frame/segments/$segmentId")({ component: SegmentScreen });

function SegmentScreen() {
  const tenantId = useTenantId();
  const { segmentId } = lazyRoute.useParams();
  if (!tenantId) {
    return (
      <Page title="Segment">
        <FindTenant key={segmentId} kind="segment" id={segmentId} what="segments" />
      </Page>
    );
  }
  return <Loaded key={segmentId} tenantId={tenantId} segmentId={segmentId} />;
}

function Loaded({ tenantId, segmentId }: { tenantId: string; segmentId: string }) {
  const { data, error, refetch } = useQuery(segmentQuery(tenantId, segmentId));
  if (data) {
    return <OneSegment tenantId={tenantId} segment={data} />;
  }
  if (isNotFound(error)) {
    return <NotOfTenant what="segment" list={<LinkButton to="/segments">All segments</LinkButton>} />;
  }
  return (
    <Page title="Segment" actions={<LinkButton to="/segments">All segments</LinkButton>}>
      {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Loading />}
    </Page>
  );
}

function OneSegment({ tenantId, segment }: { tenantId: string; segment: Segment }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const session = useSession();
  const tenant = useTenant();
  const mayChange = may(session, "operator", tenant);
  const [isDeleting, setDeleting] = useState(false);
  const params = { path: { id: tenantId, segment_id: segment.id } };
  const change = useMutation({
    mutationFn: ({ name, filter }: Entered) =>
      answer(
        api.PATCH("/api/v1/admin/tenants/{id}/segments/{segment_id}", { params, body: { name, filter } }),
      ),
    onSuccess: (changed) => {
      queries.setQueryData(segmentQuery(tenantId, segment.id).queryKey, changed);
      void queries.invalidateQueries({ queryKey: ["segments", tenantId] });
      notify("The segment is saved.");
    },
  });
  const remove = useMutation({
    mutationFn: () => answer(api.DELETE("/api/v1/admin/tenants/{id}/segments/{segment_id}", { params })),
    onSuccess: async () => {
      notify(`${segment.name} was deleted.`);
      await navigate({ to: "/segments" });
      queries.removeQueries({ queryKey: ["segments", tenantId, segment.id] });
      void queries.invalidateQueries({ queryKey: ["segments", tenantId] });
    },
  });
  return (
    <Page
      title={segment.name}
      heading={<bdi>{segment.name}</bdi>}
      text="Who is in it is found out each time it is used."
      actions={
        <>
          <LinkButton to="/segments">All segments</LinkButton>
          {may(session, "developer", tenant) ? (
            <LinkButton to="/triggers/new" search={{ segment: segment.id }}>
              Send an event to it
            </LinkButton>
          ) : null}
          {mayChange ? (
            <>
              <ExportButton tenantId={tenantId} whom={{ segment_id: segment.id }} />
              <Button look="danger" onClick={() => setDeleting(true)}>
                Delete …
              </Button>
            </>
          ) : null}
        </>
      }
    >
      <SegmentForm
        key={segment.updated_at}
        tenantId={tenantId}
        start={{ key: segment.key, name: segment.name, filter: segment.filter }}
        isStored
        action="Save"
        mayChange={mayChange}
        mayCount={may(session, "developer", tenant)}
        isBusy={change.isPending}
        error={change.error}
        onSubmit={change.mutate}
      />
      <Card title="People in it, as it is stored">
        <Members key={segment.updated_at} tenantId={tenantId} segment={segment} mayChange={mayChange} />
      </Card>
      <Confirm
        isOpen={isDeleting}
        onClose={() => setDeleting(false)}
        title={`Delete ${segment.name}?`}
        text="The people stay stored. A segment that a workflow names cannot be deleted."
        action="Delete segment"
        name={segment.name}
        onSubmit={() => remove.mutate()}
        isBusy={remove.isPending}
        error={remove.error}
      />
    </Page>
  );
}

interface MembersProps {
  tenantId: string;
  segment: Segment;
  mayChange: boolean;
}

function Members({ tenantId, segment, mayChange }: MembersProps) {
  const list = useRows(["segments", tenantId, segment.id, "members"], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants/{id}/segments/{segment_id}/members", {
        params: {
          path: { id: tenantId, segment_id: segment.id },
          query: { limit: 20, ...(cursor && { cursor }) },
        },
        signal,
      }),
    ),
  );
  return (
    <List
      caption="People in this segment"
      list={list}
      rowKey={(row: Schemas["StoredRecipient"]) => row.id}
      empty={
        <EmptyState
          title="Nobody is in it now"
          text="Change the filter, or store people who match it."
          action={
            mayChange ? (
              <LinkButton to="/imports/new">Import people</LinkButton>
            ) : (
              <LinkButton to="/recipients">See all people</LinkButton>
            )
          }
        />
      }
      columns={[
        {
          header: "Id",
          cell: (row) => (
            <Link
              to="/recipients/$recipientId"
              params={{ recipientId: row.recipient_id }}
              search={{ tenant: tenantId }}
            >
              <bdi>{row.recipient_id}</bdi>
            </Link>
          ),
        },
        { header: "Name", cell: (row) => <bdi>{row.name}</bdi> },
        { header: "E-mail", cell: (row) => <bdi>{row.email}</bdi> },
        { header: "Phone", cell: (row) => <bdi>{row.phone}</bdi>, isWhole: true },
        { header: "Stored", cell: (row) => <Time at={row.created_at} />, isWhole: true },
      ]}
    />
  );
}
